// Package sample makes data of a model's own answers: several to each prompt, judged by verifiers or a
// reward model, of which the best become rows to train on (rejection sampling), or the best and the worst
// pairs of preferences.
package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"olmo/adapt"
	"olmo/chat"
	"olmo/data"
	"olmo/eval/score"
	"olmo/generate"
	"olmo/internal/journal"
	"olmo/lm"
	"olmo/numeric"
)

// Options are what is sampled, and how.
type Options struct {
	Completions int // answers to a prompt
	MaxTokens   int // of an answer
	// Sampling draws the tokens: answer k to prompt i has a seed of its own, made of Seed, i and k.
	Sampling generate.Sampling
	Stops    []string // an answer ends before any of these texts, too
	// Reference lets a row's own answer take part, as if it had been sampled.
	Reference bool
	Choice
}

// Check refuses options that make no sense.
func (o *Options) Check() error {
	switch {
	case o.Completions < 1:
		return fmt.Errorf("%d answers to a prompt, there must be 1 or more", o.Completions)
	case o.MaxTokens < 1:
		return fmt.Errorf("answers of %d tokens, they must have 1 or more", o.MaxTokens)
	case slices.Contains(o.Stops, ""):
		return errors.New("a stop is empty, and would end every answer before it begins")
	case o.Sampling.Temperature == 0 && o.Completions > 1:
		return errors.New("at temperature 0 all answers to a prompt are the same")
	case o.Keep == Pairs && o.Completions < 2 && !o.Reference:
		return errors.New("a pair wants 2 answers to a prompt or more")
	}
	return errors.Join(o.Sampling.Check(), o.Choice.check())
}

// Sampler samples answers of a model. Either Verifiers or Reward judges them.
type Sampler struct {
	Options
	Model     *lm.Model
	Encoder   *adapt.Encoder // the form in which the model reads a prompt
	Verifiers *score.VerifierSet
	Reward    *adapt.RewardModel
	// Identity is what the answers and their scores depend on beside options, model, template and rows: by
	// it an interrupted run is known again.
	Identity map[string]string
	// Told is told how many prompts are done of how many.
	Told func(done, of int)
	// Unjudged is told of verifiers that gave no verdict.
	Unjudged func([]*score.NoVerdict)
}

// prompt is a row of the input, ready to be asked.
type prompt struct {
	row     *adapt.Row
	asked   *adapt.Asked
	ids     []int32
	begun   string // what of an answer the prompt holds already
	rewards *score.Rewards
	digest  string // of the row
}

// Sampled is an answer.
type Sampled struct {
	Text   string    `json:"text"`
	IDs    []int32   `json:"ids"`
	Finish string    `json:"finish"` // stop, length, or reference for the row's own
	Score  float64   `json:"score"`
	Each   []float64 `json:"scores,omitempty"` // of several verifiers
}

// together is how many answers are sampled before they are judged and kept.
const together = 256

// Run samples answers to the prompts of a file, and writes the rows that are made of them, in the order of
// the prompts, and to samples, if it is a name, a row for each answer, as adapt.ParsePrediction reads it. All
// rows are read, and refused with file and line, before anything is sampled.
//
// Beside output a run that is interrupted keeps what it has; the same run goes on from there, to the same
// bytes.
func (s *Sampler) Run(ctx context.Context, input, output, samples string) (*Summary, error) {
	var prompts []*prompt
	err := adapt.Each(ctx, input, s.read, func(p *prompt) error {
		prompts = append(prompts, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	w := &writer{s: s, summary: &Summary{Prompts: len(prompts)}}
	if w.out, err = data.CreateWriter(output); err != nil {
		return nil, err
	}
	defer w.out.Abort()
	if samples != "" {
		if w.samples, err = data.CreateWriter(samples); err != nil {
			return nil, err
		}
		defer w.samples.Abort()
	}
	digest, err := s.digest(prompts)
	if err != nil {
		return nil, err
	}
	j, done, err := openJournal(output, digest)
	if err != nil {
		return nil, err
	}
	for i, answers := range done {
		if err == nil {
			err = w.write(i, prompts[i], answers)
		}
	}
	if err == nil {
		err = s.rest(ctx, prompts, len(done), j, w)
	}
	if err == nil && w.samples != nil {
		err = w.samples.Close()
	}
	if err == nil {
		err = w.out.Close()
	}
	if err != nil {
		return nil, errors.Join(err, j.Keep())
	}
	j.End()
	return w.summary, nil
}

// rest samples answers to the prompts from the first on.
func (s *Sampler) rest(ctx context.Context, prompts []*prompt, first int, j *journal.Journal[[]Sampled], w *writer) error {
	writer := s.Model.Writer(lm.WriterOptions{})
	size := max(1, together/s.Completions)
	for first < len(prompts) {
		s.tell(first, len(prompts))
		chunk := prompts[first:min(first+size, len(prompts))]
		answers, err := s.sample(ctx, writer, first, chunk)
		if err != nil {
			return err
		}
		if err := s.judge(ctx, chunk, answers); err != nil {
			return err
		}
		for i, p := range chunk {
			if err := j.Add(first+i, answers[i]); err != nil {
				return err
			}
			if err := w.write(first+i, p, answers[i]); err != nil {
				return err
			}
		}
		first += len(chunk)
	}
	s.tell(first, len(prompts))
	return nil
}

func (s *Sampler) tell(done, of int) {
	if s.Told != nil {
		s.Told(done, of)
	}
}

// read makes a prompt of a row.
func (s *Sampler) read(line []byte) (*prompt, error) {
	kind := adapt.Prompt
	if s.Verifiers != nil {
		kind = adapt.RLVR
	}
	p := &prompt{digest: digestOf(line)}
	var err error
	if p.row, err = adapt.ParseRow(line, kind); err != nil {
		return nil, err
	}
	c := &p.row.Conversation
	if c.Messages[len(c.Messages)-1].Role == chat.Assistant {
		return nil, errors.New("the row has an answer alone, and asks nothing")
	}
	if p.asked, err = p.row.Asked(line); err != nil {
		return nil, err
	}
	text, err := s.Encoder.PromptText(c)
	if err != nil {
		return nil, err
	}
	if p.ids, err = s.Encoder.Tokenizer.AppendEncode(nil, text); err != nil {
		return nil, err
	}
	p.begun = begun(text)
	// Beyond the positions that it was trained on a model writes nothing worth to learn.
	if most := s.Model.Config.T; len(p.ids)+s.MaxTokens > most {
		return nil, fmt.Errorf("the prompt has %d tokens, and with %d of an answer more than the model's %d positions", len(p.ids), s.MaxTokens, most)
	}
	if s.Reward != nil {
		return p, s.fitsReward(c)
	}
	p.rewards, err = s.Verifiers.Rewards(p.row.Verifiers, p.row.GroundTruths)
	return p, err
}

// fitsReward wants room for an answer among the reward model's positions.
func (s *Sampler) fitsReward(c *adapt.Conversation) error {
	ids, err := s.Reward.IDs(c.Answered("."))
	if err != nil {
		return fmt.Errorf("for the reward model: %w", err)
	}
	if most := s.Reward.Config.T; len(ids)+s.MaxTokens > most {
		return fmt.Errorf("for the reward model the prompt has %d tokens, and with %d of an answer more than its %d positions", len(ids), s.MaxTokens, most)
	}
	return nil
}

// begun is what the prompt ends with that belongs to the answer: the mark where thinking begins, and the
// white space behind it.
func begun(prompt string) string {
	if !(chat.Thinking{}).Begins(prompt) {
		return ""
	}
	return prompt[strings.LastIndex(prompt, "<think>"):]
}

// sample answers the prompts of a chunk, of which the first has a number.
func (s *Sampler) sample(ctx context.Context, w *lm.Writer, first int, chunk []*prompt) ([][]Sampled, error) {
	var requests []lm.Request
	seeds := numeric.NewStream(s.Sampling.Seed, "adapt sample")
	for i, p := range chunk {
		for k := range s.Completions {
			q := lm.Request{Prompt: p.ids, MaxTokens: s.MaxTokens, Sampling: s.Sampling, Stop: s.Model.Stop, StopTexts: s.Stops}
			q.Sampling.Seed = seeds.Bits(uint64(first+i), uint64(k))
			requests = append(requests, q)
		}
	}
	answers := make([][]Sampled, len(chunk))
	for i := range answers {
		answers[i] = make([]Sampled, s.Completions, s.Completions+1)
	}
	err := w.Write(ctx, requests, func(n int, a lm.Answer) error {
		ids := slices.Clone(a.IDs)
		if a.Stop >= 0 {
			ids = append(ids, a.Stop)
		}
		answers[n/s.Completions][n%s.Completions] = Sampled{Text: a.Text, IDs: ids, Finish: a.Reason}
		return nil
	})
	if err != nil || !s.Reference {
		return answers, err
	}
	for i, p := range chunk {
		if p.row.Answer == nil {
			continue
		}
		ids, err := s.Encoder.Tokenizer.AppendEncode(nil, p.row.Answer.Content)
		if err != nil {
			return nil, err
		}
		answers[i] = append(answers[i], Sampled{Text: p.row.Answer.Content, IDs: ids, Finish: reference})
	}
	return answers, nil
}

// reference is how a row's own answer ended.
const reference = "reference"

// content is an answer as a message has it: with what of it the prompt held.
func (p *prompt) content(a *Sampled) string {
	if a.Finish == reference {
		return a.Text
	}
	return p.begun + a.Text
}

// judge scores the answers of a chunk.
func (s *Sampler) judge(ctx context.Context, chunk []*prompt, answers [][]Sampled) error {
	if s.Reward != nil {
		return s.rank(ctx, chunk, answers)
	}
	var tries []score.Try
	for i, p := range chunk {
		asked := p.row.Conversation.RawPrompt()
		for _, a := range answers[i] {
			tries = append(tries, score.Try{Rewards: p.rewards, Answer: score.Attempted{Text: a.Text, IDs: a.IDs, Prompt: asked}})
		}
	}
	all, err := score.ScoreAll(ctx, tries)
	if err != nil {
		return err
	}
	for i := range answers {
		for k := range answers[i] {
			a := &answers[i][k]
			a.Score = all[0].Sum
			if len(all[0].Each) > 1 {
				a.Each = all[0].Each
			}
			if s.Unjudged != nil {
				s.Unjudged(all[0].Failed)
			}
			all = all[1:]
		}
	}
	return nil
}

// rank scores them by the reward model.
func (s *Sampler) rank(ctx context.Context, chunk []*prompt, answers [][]Sampled) error {
	var all []*adapt.Conversation
	for i, p := range chunk {
		for k := range answers[i] {
			all = append(all, p.row.Conversation.Answered(p.content(&answers[i][k])))
		}
	}
	rewards, err := s.Reward.Score(ctx, all)
	if err != nil {
		return fmt.Errorf("the reward model: %w", err)
	}
	for i := range answers {
		for k := range answers[i] {
			// The shortest number that is this float32, as 'olmo adapt score' writes it.
			x, err := strconv.ParseFloat(strconv.FormatFloat(float64(rewards[0]), 'g', -1, 32), 64)
			if err != nil {
				return err
			}
			answers[i][k].Score, rewards = x, rewards[1:]
		}
	}
	return nil
}
