package adapt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"olmo/data"
	"olmo/internal/parallel"
	"olmo/lm"
)

// RewardModel judges conversations: a reward model with the template by which it reads them.
type RewardModel struct {
	*lm.RewardModel
	Encoder *Encoder // its TrainOn and MaxLength play no part
}

// OpenRewardModel opens a reward model; template is what Template takes, empty for the model's own.
func OpenRewardModel(path, template string) (*RewardModel, error) {
	m, err := lm.OpenReward(path, lm.Options{})
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*RewardModel, error) { return nil, errors.Join(err, m.Close()) }
	if m.Tokenizer == nil || m.Files.Tokenizer == "" {
		return fail(fmt.Errorf("the reward model %s has no tokenizer.json", path))
	}
	t, err := Template(template, filepath.Dir(m.Files.Tokenizer), false)
	if err != nil {
		return fail(err)
	}
	return &RewardModel{m, &Encoder{Template: t, Tokenizer: m.Tokenizer}}, nil
}

// IDs returns what the model reads of a conversation, whose last token has the reward: all of it.
// Nothing is cut, since the reward of a beginning would be another's.
func (r *RewardModel) IDs(c *Conversation) ([]int32, error) {
	ids, err := r.Encoder.IDs(c)
	if err != nil {
		return nil, err
	}
	if most := r.Config.T; len(ids) > most {
		return nil, fmt.Errorf("the conversation has %d tokens, the reward model %d positions", len(ids), most)
	}
	return ids, nil
}

// Score returns the reward of each conversation, which does not depend on the others.
func (r *RewardModel) Score(ctx context.Context, conversations []*Conversation) ([]float32, error) {
	ids, errs := make([][]int32, len(conversations)), make([]error, len(conversations))
	parallel.For(len(conversations), func(i int) { ids[i], errs[i] = r.IDs(conversations[i]) })
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("conversation %d of %d: %w", i+1, len(errs), err)
		}
	}
	return r.Rewards(ctx, ids)
}

// Judged is what a reward model says of the rows of a file.
type Judged struct {
	Rows, Pairs int     // conversations, and pairs of them
	Mean        float64 // reward of the conversations that are no pair
	// Accuracy is the share of pairs whose chosen conversation has the higher reward; Margin, how
	// much higher it is in the mean.
	Accuracy, Margin float64
}

// judgedTokens is how many tokens of rows wait to be judged at once.
const judgedTokens = 1 << 16

// judgedRow is a row with the ids of its conversation, or of its two.
type judgedRow struct {
	fields []data.Field
	ids    [][]int32
}

// Judge writes the rows of a file with their rewards: score of a conversation (messages), and of a
// pair chosen_score and rejected_score. An error about a row has file and line.
func (r *RewardModel) Judge(ctx context.Context, path string, w io.Writer) (*Judged, error) {
	j := &Judged{}
	var rows []*judgedRow
	waiting := 0
	flush := func() error {
		err := r.judge(ctx, rows, j, w)
		rows, waiting = nil, 0
		return err
	}
	err := Each(ctx, path, r.parse, func(x *judgedRow) error {
		rows = append(rows, x)
		for _, ids := range x.ids {
			waiting += len(ids)
		}
		if waiting < judgedTokens {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	j.Mean /= float64(max(j.Rows, 1))
	j.Accuracy, j.Margin = j.Accuracy/float64(max(j.Pairs, 1)), j.Margin/float64(max(j.Pairs, 1))
	return j, err
}

// parse reads a row.
func (r *RewardModel) parse(row []byte) (*judgedRow, error) {
	members, err := rowMembers(row)
	if err != nil {
		return nil, err
	}
	kind := SFT
	if members["chosen"] != nil {
		kind = Preference
	}
	q, err := ParseRow(row, kind)
	if err != nil {
		return nil, err
	}
	x := &judgedRow{}
	if x.fields, err = data.AppendFields(nil, row); err != nil {
		return nil, err
	}
	all := []*Conversation{&q.Conversation}
	if kind == Preference {
		all = append(all, &q.Rejected)
	}
	for _, c := range all {
		ids, err := r.IDs(c)
		if err != nil {
			return nil, err
		}
		x.ids = append(x.ids, ids)
	}
	return x, nil
}

// judge writes rows with their rewards, and counts them.
func (r *RewardModel) judge(ctx context.Context, rows []*judgedRow, j *Judged, w io.Writer) error {
	var all [][]int32
	for _, x := range rows {
		all = append(all, x.ids...)
	}
	rewards, err := r.Rewards(ctx, all)
	if err != nil {
		return err
	}
	for _, x := range rows {
		var made any
		if len(x.ids) == 1 {
			j.Rows++
			j.Mean += float64(rewards[0])
			made = struct {
				Score float32 `json:"score"`
			}{rewards[0]}
		} else {
			j.Pairs++
			j.Margin += float64(rewards[0]) - float64(rewards[1])
			if rewards[0] > rewards[1] {
				j.Accuracy++
			}
			made = struct {
				Chosen   float32 `json:"chosen_score"`
				Rejected float32 `json:"rejected_score"`
			}{rewards[0], rewards[1]}
		}
		rewards = rewards[len(x.ids):]
		line, err := lineOf(x.fields, []string{"score", "chosen_score", "rejected_score"}, made)
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
