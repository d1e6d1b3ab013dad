package quickstart

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	adaptation "olmo/adapt/stage"
	"olmo/config"
	"olmo/device"
	"olmo/device/cpu"
	"olmo/eval"
	"olmo/lm"
	"olmo/page"
	"olmo/store"
	"olmo/train"
)

// Chat is what adapting the model came to: its rewards before and after each stage, and what it has
// unlearned of the text.
type Chat struct {
	Base ChatReward `json:"base"`
	SFT  ChatReward `json:"sft"`
	DPO  ChatReward `json:"dpo"`
	GRPO ChatReward `json:"grpo"`
	// BitsPerByteBefore and after all stages, of the held-out text.
	BitsPerByteBefore float64    `json:"bits_per_byte_before"`
	BitsPerByte       float64    `json:"bits_per_byte"`
	Dialogues         []Dialogue `json:"dialogues"`
	Remarks           []string   `json:"remarks"` // on the figures, in sentences
}

// adapt makes a model that answers of the release, and measures it on the way.
func (q *quick) adapt(ctx context.Context, corpus *CorpusInfo, c curated, l limits, j judged, steps int) (*Chat, error) {
	n := sizesOf(steps)
	_, err := stage(ctx, q, "chat-data", []any{n, chatSeed, chatPiece, chatTemplate}, func(ctx context.Context) (chatData, error) { return q.chatData(ctx, corpus, c, n) })
	if err != nil {
		return nil, err
	}
	out := &Chat{BitsPerByteBefore: j.HeldOut.BitsPerByte}
	if out.Base, err = q.rewardStage(ctx, "base", q.path("release"), n); err != nil {
		return nil, err
	}
	sft, grpo := q.sftConfig(), q.grpoConfig(n)
	if out.SFT, err = q.chatStage(ctx, "sft", sft, n, func(ctx context.Context) error { return q.sft(ctx, sft) }); err != nil {
		return nil, err
	}
	if _, err := stage(ctx, q, "chat-pairs", []any{pairEach, fewPairs, pairScore}, func(ctx context.Context) (int, error) {
		return q.makePairs(ctx, q.chatPath("sft"), n.Pairs)
	}); err != nil {
		return nil, err
	}
	dpo := q.dpoConfig()
	if out.DPO, err = q.chatStage(ctx, "dpo", dpo, n, func(ctx context.Context) error { return q.dpo(ctx, dpo) }); err != nil {
		return nil, err
	}
	if out.GRPO, err = q.chatStage(ctx, "grpo", grpo, n, func(ctx context.Context) error { return q.grpo(ctx, grpo) }); err != nil {
		return nil, err
	}
	last := q.chatPath()
	out.BitsPerByte, err = stage(ctx, q, "chat-evaluate", l, func(ctx context.Context) (float64, error) { return q.unlearned(ctx, corpus, l, last) })
	if err != nil {
		return nil, err
	}
	out.Dialogues, err = stage(ctx, q, "chat-dialogues", nil, func(ctx context.Context) ([]Dialogue, error) { return q.dialogues(ctx, last) })
	out.Remarks = out.remarks()
	return out, err
}

// chatStages are the folders of the stages, in order.
var chatStages = []string{"sft", "dpo", "grpo"}

// chatStage makes the model of a stage, and measures it.
func (q *quick) chatStage(ctx context.Context, name string, settings any, n chatSizes, run func(ctx context.Context) error) (ChatReward, error) {
	if _, err := stage(ctx, q, "chat-"+name, settings, func(ctx context.Context) (bool, error) { return true, run(ctx) }); err != nil {
		return ChatReward{}, err
	}
	return q.rewardStage(ctx, name, q.chatPath(name), n)
}

// rewardStage measures the reward of a stage's model.
func (q *quick) rewardStage(ctx context.Context, of, path string, n chatSizes) (ChatReward, error) {
	return stage(ctx, q, "chat-reward-"+of, chatAnswer, func(ctx context.Context) (ChatReward, error) { return q.reward(ctx, of, path, n.Each) })
}

// unlearned is the bits per byte of the held-out text, as far as the limits let it.
func (q *quick) unlearned(ctx context.Context, corpus *CorpusInfo, l limits, path string) (float64, error) {
	jobs, sizes, err := q.jobs(corpus, l)
	if err != nil {
		return 0, err
	}
	m, err := lm.Open(path, lm.Options{})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	jobs = jobs[:1]
	jobs[0].Requests = q.chatPath("eval", heldOutJob+".jsonl")
	run := &eval.Run{Jobs: jobs, Progress: func(p eval.Progress) {
		q.Progress(Progress{Stage: "chat-evaluate", Done: float64(p.Text) / 1e6, Total: float64(sizes[heldOutJob]) / 1e6, Unit: "MB"})
	}}
	results, err := run.Do(ctx, &eval.Local{Model: m})
	if err != nil {
		return 0, err
	}
	return results.Scores[heldOutJob].Documents.BitsPerByte, nil
}

// remarks says where a figure went the wrong way.
func (c *Chat) remarks() []string {
	out := []string{}
	before, name := c.Base, "the base model"
	for _, s := range c.Stages()[1:] {
		if s.Reward.Reward < before.Reward {
			out = append(out, fmt.Sprintf("The reward of %s fell: %.3f after %.3f of %s.", s.Name, s.Reward.Reward, before.Reward, name))
		}
		before, name = s.Reward, s.Name
	}
	return out
}

// ChatStage is a stage with its figures.
type ChatStage struct {
	Name   string
	Reward ChatReward
}

// Stages are all of them, in order.
func (c *Chat) Stages() []ChatStage {
	return []ChatStage{{"base", c.Base}, {"SFT", c.SFT}, {"DPO", c.DPO}, {"GRPO", c.GRPO}}
}

// VerifierNames are those of what judges the answers, sorted.
func (c *Chat) VerifierNames() []string { return slices.Sorted(maps.Keys(c.Base.Verifiers)) }

// AboutRewards says what the figures are.
func (c *Chat) AboutRewards() string {
	return fmt.Sprintf("Mean reward of %s answers, sampled at temperature 1, to %s questions that no stage trained on; 1 is best. Each column is a verifier.", page.Grouped(c.Base.Samples), page.Grouped(c.Base.Prompts))
}

// Cost says what adaptation has unlearned.
func (c *Chat) Cost() string {
	verb := "rose"
	if c.BitsPerByte < c.BitsPerByteBefore {
		verb = "fell"
	}
	return fmt.Sprintf("Bits per byte of the held-out text, where less is better, %s from %.3f to %.3f.", verb, c.BitsPerByteBefore, c.BitsPerByte)
}

// common are the settings that the configurations of all stages share: the model before, the data and
// the folder.
func (q *quick) common(c *adaptation.Config, from, data, to string) {
	c.ModelNameOrPath, c.ChatTemplateName = q.slashed(from), q.slashed("chat", filepath.FromSlash(chatForm))
	c.DatasetMixerList = []string{q.slashed("chat", filepath.FromSlash(data)), "1.0"}
	c.OutputDir = q.slashed("chat", to)
	limit := 1.0
	c.ClipGradNorm, c.Precision, c.KeepLastNCheckpoints = &limit, q.precision, 1
	c.NumTrainEpochs, c.PerDeviceTrainBatchSize = 1, 32
}

// sftConfig is how the model is fine-tuned.
func (q *quick) sftConfig() *adaptation.SFTConfig {
	c := adaptation.DefaultSFT()
	q.common(&c.Config, "release", chatConversations, "sft")
	c.LearningRate, c.WarmupRatio, c.CheckpointingSteps = 3e-3, 0.04, "100"
	c.Shuffle = false // inOrder
	return c
}

// dpoConfig is how it learns which of its own answers are better.
func (q *quick) dpoConfig() *adaptation.DPOConfig {
	c := adaptation.DefaultDPO()
	q.common(&c.Config, "chat/sft", chatPairs, "dpo")
	c.LearningRate, c.Beta, c.CheckpointingSteps, c.NumTrainEpochs = 5e-4, 0.1, "", 2
	return c
}

// grpoConfig is how it learns by trying.
func (q *quick) grpoConfig(n chatSizes) *adaptation.GRPOConfig {
	c := adaptation.DefaultGRPO()
	q.common(&c.Config, "chat/dpo", chatTraining, "grpo")
	c.LearningRate, c.Beta, c.CheckpointingSteps, c.LRSchedulerType, c.ActiveSampling = 3e-4, 0.01, "25", "constant", true
	c.NumUniquePromptsRollout, c.NumSamplesPerPromptRollout, c.VerificationReward = 16, 8, 1
	c.MaxPromptTokenLength, c.ResponseLength = 128, chatAnswer
	c.MaxTrainSteps = &n.Reinforce
	return c
}

// planner is the configuration of a stage.
type planner interface {
	Plan(ctx context.Context, h adaptation.Host) (*adaptation.Run, error)
}

// runStage makes the model of a stage, from its last checkpoint if there is one. load reads the
// configuration that was written, as the command of the stage does. A run that an earlier version of this program
// made with other settings or of other rows is kept aside.
func (q *quick) runStage(ctx context.Context, name string, settings any, load func(path string) (planner, error)) error {
	err := q.trainStage(ctx, name, settings, load)
	if other := (*train.OtherRunError)(nil); !errors.As(err, &other) {
		return err
	}
	if err := q.chatAside(name); err != nil {
		return err
	}
	return q.trainStage(ctx, name, settings, load)
}

func (q *quick) trainStage(ctx context.Context, name string, settings any, load func(path string) (planner, error)) error {
	file := q.chatPath(name + ".yaml")
	if err := config.WriteBeside(file, settings, q.slashed("release"), q.slashed("chat")); err != nil {
		return err
	}
	c, err := load(file)
	if err != nil {
		return err
	}
	progress := func(done, total int, note string) Progress {
		return Progress{Stage: "chat-" + name, Done: float64(done), Total: float64(total), Note: note}
	}
	r, err := c.Plan(ctx, adaptation.Host{
		Warn: q.Print, Device: func() (device.Device, error) { return cpu.New() },
		See: func(what string, done, total int) { q.Progress(progress(done, total, what)) },
	})
	if err != nil {
		return err
	}
	defer r.Close()
	// As 'olmo adapt' leaves it: replay of reinforcement learning reads it.
	if r.Files[adaptation.ConfigFile], err = config.Text(c); err != nil {
		return err
	}
	dev, err := cpu.New()
	if err != nil {
		return err
	}
	t, err := train.New(r.Train, dev, train.Options{
		Warn: q.Print, Files: r.Files, Record: adaptation.Record, Rollouts: r.Rollouts,
		Progress: func(p train.Progress) {
			now := progress(p.Step, p.Steps, fmt.Sprintf("step %d of %d", p.Step, p.Steps))
			now.Unit, now.Loss, now.Left, now.Step, now.Steps = "steps", p.Loss, p.Left, p.Step, p.Steps
			q.Progress(now)
		},
	})
	if err != nil {
		return err
	}
	defer t.Close()
	result, err := t.Run(ctx)
	if err != nil {
		return err
	}
	if result.Reason == train.Interrupted {
		return context.Canceled
	}
	if err := r.Finish(ctx, q.Print); err != nil {
		return err
	}
	return q.serve(r.Config.OutputDir)
}

func (q *quick) sft(ctx context.Context, c *adaptation.SFTConfig) error {
	return q.runStage(ctx, "sft", c, func(path string) (planner, error) { return adaptation.LoadSFT(path, nil) })
}

func (q *quick) dpo(ctx context.Context, c *adaptation.DPOConfig) error {
	return q.runStage(ctx, "dpo", c, func(path string) (planner, error) { return adaptation.LoadDPO(path, nil) })
}

func (q *quick) grpo(ctx context.Context, c *adaptation.GRPOConfig) error {
	return q.runStage(ctx, "grpo", c, func(path string) (planner, error) { return adaptation.LoadGRPO(path, nil) })
}

// chatFiles are those of a model, as a stage leaves them.
var chatFiles = []string{"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "model.safetensors", "config.json"}

// serve makes the folder of chat a copy of the model of a stage. The configuration comes last, and
// is the same in all stages, so that the folder is a model at any moment.
func (q *quick) serve(from string) error {
	for _, name := range chatFiles {
		if err := store.Copy(filepath.Join(from, name), q.chatPath(name)); err != nil {
			return err
		}
	}
	return nil
}
