package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"olmo/adapt"
	"olmo/adapt/sample"
	"olmo/config"
	"olmo/eval/score"
	"olmo/generate"
	"olmo/lm"
	"olmo/store"
)

// sampleOptions are the flags of `olmo adapt sample`.
type sampleOptions struct {
	sample.Options
	model, template, precision string
	how                        modelFlags
	input, output, samples     string
	verifiers                  string
	reward, rewardTemplate     string
	keep                       string
	minScore                   float64
	programs                   programFlags
}

func newAdaptSampleCommand() *cobra.Command {
	o := sampleOptions{Options: sample.Options{Sampling: generate.Sampling{}}}
	c := &cobra.Command{
		Use:   "sample --model PATH --input PROMPTS.jsonl --output ROWS.jsonl [--keep best|correct|pairs]",
		Short: "Sample answers, judge them, and keep the best as rows to train on",
		Long: `Sample answers each prompt several times, has verifiers or a reward model judge the answers, and
writes rows to train on:

  --keep best     the answer with the highest score, for 'olmo adapt sft' (rejection sampling)
  --keep correct  every good answer, each a row for 'olmo adapt sft'
  --keep pairs    the best answer over the worst, where it is better, for 'olmo adapt dpo'

Prompts are rows with messages, and for verifiers ground_truth and dataset, as 'olmo adapt score'
reads them; --config declares verifiers. With --reward-model that model judges in their place. A good
answer ended by itself, says something, and has --min-score at least: 1 with verifiers, any score
with a reward model. Others are never rows of SFT, and never chosen. --samples writes every answer
with its score, as 'olmo adapt score' reads them.

The same command writes the same rows on every machine: an answer depends on its prompt's place, its
number, the settings and the seed alone. A run that was interrupted goes on where it was.`,
		Example: `  olmo adapt sample --model OLMo-2-1B --chat-template tulu --input prompts.jsonl --output best.jsonl --max-tokens 16
  olmo adapt sample --model OLMo-2-1B --chat-template tulu --input prompts.jsonl --output ranked.jsonl --keep pairs --completions 8 --temperature 1 --max-tokens 16 --samples answers.jsonl
  olmo adapt sample --model OLMo-2-1B --chat-template tulu --input chats.jsonl --output ranked.jsonl --keep pairs --reward-model REWARD --max-tokens 16`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "model", "input", "output"); err != nil {
				return err
			}
			if err := o.check(c); err != nil {
				return err
			}
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "", "the model that answers: a folder, a run, a .gguf file, a folder with an adapter, or hf:ORG/NAME@REVISION of a hub")
	f.StringVar(&o.template, "chat-template", "", "its chat template: one of open-instruct's by `name`, or a file (default: its own)")
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	o.how.add(f)
	f.StringVar(&o.input, "input", "", "`file` of prompts: JSONL, plain or packed, or Parquet")
	f.StringVar(&o.output, "output", "", "JSONL `file` for the rows")
	f.StringVar(&o.samples, "samples", "", "JSONL `file` for every answer with its score")
	f.StringVar(&o.keep, "keep", string(sample.Best), "what becomes of the answers: best, correct or pairs")
	f.Float64Var(&o.minScore, "min-score", 1, "the score from which on an answer is good (default: any with a reward model)")
	f.IntVar(&o.Completions, "completions", 3, "answers to each prompt")
	f.IntVar(&o.MaxTokens, "max-tokens", 256, "most tokens of an answer")
	f.Float64Var(&o.Sampling.Temperature, "temperature", 0.8, "higher: more varied")
	f.IntVar(&o.Sampling.TopK, "top-k", 0, "sample from so many of the most probable tokens; 0: all")
	f.Float64Var(&o.Sampling.TopP, "top-p", 0.9, "sample from the most probable tokens that reach this probability; 0: all")
	f.Uint64Var(&o.Sampling.Seed, "seed", 0, "another seed, other answers")
	f.StringArrayVar(&o.Stops, "stop", nil, "end an answer before this `text`; may be repeated")
	f.BoolVar(&o.Reference, "include-reference", false, "let the answer that a row has take part")
	f.StringVar(&o.verifiers, "config", "", "YAML `file` that declares verifiers")
	f.StringVar(&o.reward, "reward-model", "", "`folder` of a reward model, which judges in place of verifiers")
	f.StringVar(&o.rewardTemplate, "reward-chat-template", "", "the reward model's chat template: a `name`, or a file (default: its own)")
	o.programs.add(f)
	return c
}

// check refuses flags that make no sense together.
func (o *sampleOptions) check(c *cobra.Command) error {
	var err error
	if o.Keep, err = oneOf("keep", o.keep, sample.Keeps); err != nil {
		return err
	}
	if o.reward == "" && o.rewardTemplate != "" {
		return usageErrorf("--reward-chat-template is --reward-model's")
	}
	for _, name := range []string{"config", "allow-code", "python", "sandbox"} {
		if o.reward != "" && c.Flags().Changed(name) {
			return usageErrorf("--%s is for verifiers, and --reward-model judges in their place", name)
		}
	}
	if o.reward == "" || c.Flags().Changed("min-score") {
		o.MinScore = &o.minScore
	}
	if err := o.Options.Check(); err != nil {
		return &usageError{err}
	}
	inputs := []string{o.input}
	if o.verifiers != "" {
		inputs = append(inputs, o.verifiers)
	}
	outputs := []string{o.output}
	if o.samples != "" {
		outputs = append(outputs, o.samples)
	}
	return store.Clash(inputs, outputs, nil)
}

func (o *sampleOptions) run(c *cobra.Command) error {
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	s := &sample.Sampler{Options: o.Options, Identity: map[string]string{"precision": o.precision}}
	if err := o.judge(c, s); err != nil {
		return err
	}
	if s.Reward != nil {
		defer s.Reward.Close()
	}
	if s.Verifiers != nil {
		defer s.Verifiers.Close()
	}
	if s.Model, err = openModel(c, o.model, "", arithmetic, o.how); err != nil {
		return err
	}
	defer s.Model.Close()
	if s.Encoder, err = o.encoder(s.Model); err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	p.begin("prompts")
	s.Told = func(done, of int) { p.update(step{done: float64(done), total: float64(of), unit: "prompts"}) }
	none := unjudged{}
	s.Unjudged = none.add
	sum, err := s.Run(c.Context(), o.input, o.output, o.samples)
	p.end()
	if err != nil {
		return err
	}
	none.tell(warnings(c))
	o.tell(c, sum)
	return nil
}

// judge opens what judges the answers.
func (o *sampleOptions) judge(c *cobra.Command, s *sample.Sampler) error {
	if o.reward != "" {
		var err error
		if s.Reward, err = adapt.OpenRewardModel(o.reward, o.rewardTemplate); err != nil {
			return err
		}
		s.Identity["reward"], err = s.Reward.Digest()
		s.Identity["reward template"] = s.Reward.Encoder.Template.Text()
		return err
	}
	var declared score.VerifierConfig
	if o.verifiers != "" {
		if err := config.Load(o.verifiers, nil, &declared); err != nil {
			return err
		}
	}
	plain, err := config.Plain(&declared)
	if err != nil {
		return err
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	s.Identity["verifiers"] = string(text)
	s.Verifiers, err = o.programs.verifiers(c, o.verifiers, &declared)
	return err
}

// encoder is the form in which the model reads prompts.
func (o *sampleOptions) encoder(m *lm.Model) (*adapt.Encoder, error) {
	if err := needTokenizer(m, ""); err != nil {
		return nil, err
	}
	e := &adapt.Encoder{Tokenizer: m.Tokenizer}
	var err error
	switch {
	case o.template == "":
		if e.Template, err = m.ChatTemplate(); e.Template == nil && err == nil {
			err = fmt.Errorf("the model %s has no chat template of its own\nhint: --chat-template names one, such as tulu, or a file", o.model)
		}
	case m.Files.Tokenizer == "":
		err = fmt.Errorf("--chat-template %s wants a tokenizer.json, and the model %s has none", o.template, o.model)
	default:
		e.Template, err = adapt.Template(o.template, filepath.Dir(m.Files.Tokenizer), false)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// tell says what came of it.
func (o *sampleOptions) tell(c *cobra.Command, s *sample.Summary) {
	parts := []string{
		fmt.Sprintf("%d prompts, %d answers, mean score %.4f", s.Prompts, s.Answers, s.Score),
		fmt.Sprintf("%d good ones to %d prompts", s.Good, s.WithGood),
		fmt.Sprintf("%d rows", s.Rows),
	}
	if s.Even > 0 {
		parts = append(parts, fmt.Sprintf("%d prompts without a worse answer", s.Even))
	}
	fmt.Fprintln(c.ErrOrStderr(), strings.Join(parts, "; "))
	if s.Cut > 0 {
		warnings(c)(fmt.Sprintf("%d answers reached --max-tokens %d and are not good", s.Cut, o.MaxTokens))
	}
	if s.Rows == 0 {
		warnings(c)("no row was made, and the file is empty")
	}
}
