package train

import (
	"errors"
	"fmt"
)

// BatchStage sets the number of instances in a batch from some time of the run on.
type BatchStage struct {
	From Duration `yaml:"from"` // steps or tokens done
	Size int      `yaml:"size"`
}

// LengthStage sets the length of sequences from some time of the run on: each instance
// is cut into sequences of so many tokens, which do not see each other.
type LengthStage struct {
	From   Duration `yaml:"from"` // steps or tokens done
	Length int      `yaml:"length"`
}

// reached tells whether so many steps and tokens are d or more.
func (d Duration) reached(step int, tokens int64) bool {
	if d.Tokens > 0 {
		return tokens >= d.Tokens
	}
	return step >= d.Steps
}

// batchSize is that of the step after so many steps and tokens.
func (c *Config) batchSize(step int, tokens int64) int {
	n := c.GlobalTrainBatchSize
	for _, s := range c.BatchSizeSchedule {
		if s.From.reached(step, tokens) {
			n = s.Size
		}
	}
	return n
}

// sequenceLength is that of the step after so many steps and tokens.
func (c *Config) sequenceLength(step int, tokens int64) int {
	n := c.Model.MaxSequenceLength
	for _, s := range c.SequenceLengthSchedule {
		if s.From.reached(step, tokens) {
			n = s.Length
		}
	}
	return n
}

// largestBatch is the most instances that any step has.
func (c *Config) largestBatch() int {
	n := c.GlobalTrainBatchSize
	for _, s := range c.BatchSizeSchedule {
		n = max(n, s.Size)
	}
	return n
}

// learnt is the most instances that the model learns from in a step: with rollouts each is an answer.
func (c *Config) learnt() int {
	if r := c.Rollouts; r != nil {
		return c.largestBatch() * r.Samples
	}
	return c.largestBatch()
}

// ranks is the number of ranks that share a batch.
func (c *Config) ranks() int { return max(c.WorldSize, 1) }

// checkWorld reports batches that the ranks cannot share.
func (c *Config) checkWorld() error {
	sizes := []int{c.GlobalTrainBatchSize}
	for _, s := range c.BatchSizeSchedule {
		sizes = append(sizes, s.Size)
	}
	for _, n := range sizes {
		if c.WorldSize < 0 || n%c.ranks() != 0 {
			return fmt.Errorf("a batch of %d instances cannot be shared by world_size %d\nhint: global_train_batch_size must be a multiple of the number of ranks", n, c.WorldSize)
		}
	}
	return nil
}

func (c *Config) checkStages() error {
	for i, s := range c.BatchSizeSchedule {
		if s.Size <= 0 || s.From.Epochs > 0 {
			return fmt.Errorf("batch_size_schedule[%d]: a size of %d from %v is not possible\nhint: from counts steps or tokens (1e9T)", i, s.Size, s.From)
		}
	}
	for i, s := range c.SequenceLengthSchedule {
		if s.Length <= 0 || c.Model.MaxSequenceLength%s.Length != 0 || s.From.Epochs > 0 {
			return fmt.Errorf("sequence_length_schedule[%d]: a length of %d is not possible: it must divide max_sequence_length, %d", i, s.Length, c.Model.MaxSequenceLength)
		}
	}
	return nil
}

// Source is one part of a mixture of data.
type Source struct {
	Name        string   `yaml:"name"`
	Paths       PathList `yaml:"paths"`
	TargetRatio float64  `yaml:"target_ratio"` // its share of the mixture's tokens
	// MaxRepetitionRatio is how often its tokens may be used at most, MaxSourceFraction
	// how much of it.
	MaxRepetitionRatio float64 `yaml:"max_repetition_ratio"`
	MaxSourceFraction  float64 `yaml:"max_source_fraction"`
}

// SetDefaults gives OLMo-core's defaults.
func (s *Source) SetDefaults() { s.MaxRepetitionRatio, s.MaxSourceFraction = 1, 1 }

// mix lists the files of a mixture of so many instances and how many are taken of each. A
// source gives each of its files' instances equally often, as far as that goes evenly; a
// file that is used several times comes as often in the list. counts gives the
// instances of a file.
//
// Keys as in OLMo-core's SourceMixtureConfig (src/olmo_core/data/source_mixture.py).
func mix(sources []Source, instances int, counts func(path string) (int, error)) (paths []string, take []int, err error) {
	var total float64
	for _, s := range sources {
		total += s.TargetRatio
	}
	if total < 0.999999 || total > 1.000001 {
		return nil, nil, fmt.Errorf("the target_ratio of all sources add up to %g, not to 1", total)
	}
	for _, s := range sources {
		if s.TargetRatio < 0 || s.MaxRepetitionRatio < 1 || s.MaxSourceFraction <= 0 || s.MaxSourceFraction > 1 {
			return nil, nil, fmt.Errorf("source %s: target_ratio %g must not be negative, max_repetition_ratio %g not below 1, max_source_fraction %g in (0, 1]", s.Name, s.TargetRatio, s.MaxRepetitionRatio, s.MaxSourceFraction)
		}
		var usable []int // of each file
		all := 0
		for _, path := range s.Paths {
			n, err := counts(path)
			if err != nil {
				return nil, nil, fmt.Errorf("source %s: %w", s.Name, err)
			}
			n = int(float64(n) * s.MaxSourceFraction)
			usable = append(usable, n)
			all += n
		}
		want := int(float64(instances)*s.TargetRatio + 0.5)
		if float64(want) > float64(all)*s.MaxRepetitionRatio {
			return nil, nil, fmt.Errorf("source %s has %d usable instances, %d are wanted\nhint: raise max_repetition_ratio or max_source_fraction, or lower target_ratio or mixture_tokens", s.Name, all, want)
		}
		for want > 0 {
			round := min(want, all)
			// The last round takes the same share of every file; what rounding leaves is taken
			// from the first ones.
			rest := round
			shares := make([]int, len(usable))
			for i, n := range usable {
				shares[i] = int(int64(n) * int64(round) / int64(all))
				rest -= shares[i]
			}
			for i := 0; rest > 0; i = (i + 1) % len(usable) {
				if shares[i] < usable[i] {
					shares[i]++
					rest--
				}
			}
			for i, k := range shares {
				if k > 0 {
					paths, take = append(paths, s.Paths[i]), append(take, k)
				}
			}
			want -= round
		}
	}
	if len(paths) == 0 {
		return nil, nil, errors.New("the mixture is empty")
	}
	return paths, take, nil
}
