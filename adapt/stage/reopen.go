package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"olmo/adapt/rollout"
	"olmo/eval/score"
	"olmo/model"
	"olmo/proof"
	files "olmo/store"
	"olmo/tokenizer"
)

// ConfigFile is the stage's whole config in output_dir.
const ConfigFile = "adapt.yaml"

// Reopened is what samples and judges in a run of reinforcement learning that stands in a folder, for
// who computes its steps again.
type Reopened struct {
	*rollout.Rollouts
	// Close ends the programs of verifiers.
	Close func()
	// Rewards is the hash over all that rewards follow from, as train.RolloutConfig has it.
	Rewards string
	// Reference is the weights_digest of the reference policy's model, as it has it, too.
	Reference string
}

// Reopen reads the config, tokenizer and prompts that a run left in its folder. trusted says that what its
// config declares may be run and asked: the folder may be anybody's.
func Reopen(ctx context.Context, dir string, trusted bool, o score.Outside, warn func(string)) (*Reopened, error) {
	c, err := LoadGRPO(filepath.Join(dir, ConfigFile), nil)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w\nhint: a release has neither the prompts (data/prompts.jsonl) nor what judges the answers to them (adapt.yaml): 'olmo replay RUN' computes the steps of the run's own folder again", err)
	}
	if err != nil {
		return nil, err
	}
	if !trusted && (c.AllowCode || c.declaresOutside()) {
		return nil, errors.New("the run's " + ConfigFile + " has programs run or servers asked for its rewards\nhint: --allow-code says that they may; who does not know the folder reads its verifiers: first")
	}
	text, err := files.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	c.OutputDir = dir
	lines, err := files.ReadFile(c.promptsPath())
	if err != nil {
		return nil, err
	}
	set, err := c.VerifierConfig.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	tasks, err := readTasks(lines, set)
	if err != nil {
		set.Close()
		return nil, err
	}
	rewards, err := c.rewards(lines)
	if err != nil {
		set.Close()
		return nil, err
	}
	r := &rollout.Rollouts{Tokenizer: tok, Tasks: tasks, Reward: c.RewardConfig, Model: c.ModelNameOrPath, Warn: warn}
	if _, err := os.Stat(c.resized()); err == nil {
		r.Model = c.resized()
	}
	reference := ""
	if c.Beta != 0 {
		if reference, err = modelDigest(r.Model); err != nil {
			set.Close()
			return nil, fmt.Errorf("the reference policy: %w", err)
		}
	}
	return &Reopened{r, set.Close, rewards, reference}, nil
}

// modelDigest is the weights_digest of a model.
func modelDigest(path string) (string, error) {
	l, err := model.Open(path)
	if err != nil {
		return "", err
	}
	defer l.Close()
	h, err := l.Set.Digest()
	return proof.Hash(h).String(), err
}

// declaresOutside tells whether verifiers run programs or ask servers.
func (c *GRPOConfig) declaresOutside() bool {
	for _, v := range c.Verifiers {
		if v.Code || len(v.Exec) > 0 || v.Judge != nil {
			return true
		}
	}
	return false
}
