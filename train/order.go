package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"olmo/data/tokens"
)

// StepData is what a step of a run trains on.
type StepData struct {
	Step      int        `json:"step"`
	Epoch     int        `json:"epoch"`
	Instances []Instance `json:"instances"`
}

// Instance is one sequence of a batch, or with packed documents a part of one, and the
// documents that it holds a part of.
type Instance struct {
	Index     uint32         `json:"index"` // in the data set
	File      string         `json:"file"`
	Start     int64          `json:"start"` // tokens [Start, End) of the file
	End       int64          `json:"end"`
	Documents []tokens.Place `json:"documents,omitempty"`
}

// StepData finds the instances of a step of the run that the config describes, from its
// data order alone, and the documents where the files of places are there.
func (c *Config) StepData(step int) (*StepData, error) {
	d, err := c.openData()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	l := tokens.LoaderConfig{BatchSize: c.GlobalTrainBatchSize, Seed: c.dataSeed(), DropLast: c.Data.DropLast}
	loader, err := tokens.NewLoader(d, l)
	if err != nil {
		return nil, err
	}
	if step < 1 {
		return nil, fmt.Errorf("step %d is not possible: the first is 1", step)
	}
	if d.Len() < c.largestBatch() && c.Data.DropLast {
		return nil, fmt.Errorf("training data: %d instances are not one batch of %d", d.Len(), c.largestBatch())
	}
	// Where the run stands after the steps before.
	at := State{Epoch: (step - 1) / max(loader.Batches(), 1)}
	at.ExamplesEpoch = (step - 1) % max(loader.Batches(), 1) * c.GlobalTrainBatchSize
	if len(c.BatchSizeSchedule) > 0 {
		at = State{}
		c.simulate(State{}, func(s State) bool { at = s; return s.Step >= step-1 }, d.Len())
	}
	B := c.batchSize(step-1, at.Tokens)
	if left := d.Len() - at.ExamplesEpoch; left <= 0 || left < B && c.Data.DropLast {
		at.Epoch, at.ExamplesEpoch = at.Epoch+1, 0
	}
	s := &StepData{Step: step, Epoch: at.Epoch}
	if s.Epoch > 0 {
		loader.StartEpoch(uint64(s.Epoch))
	}
	order := loader.Order()
	byFile := map[string][]int{}
	for _, index := range order[at.ExamplesEpoch:min(at.ExamplesEpoch+B, len(order))] {
		for _, p := range d.Parts(int(index)) {
			byFile[p.Path] = append(byFile[p.Path], len(s.Instances))
			s.Instances = append(s.Instances, Instance{Index: index, File: p.Path, Start: p.Start, End: p.End})
		}
	}
	for path, members := range byFile {
		if err := s.findDocuments(path, members); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return s, nil
}

// errEnough ends the reading of places.
var errEnough = errors.New("enough")

// findDocuments fills in the documents of the instances that lie in one file.
func (s *StepData) findDocuments(path string, members []int) error {
	slices.SortFunc(members, func(a, b int) int { return int(s.Instances[a].Start - s.Instances[b].Start) })
	last := s.Instances[members[len(members)-1]].End
	err := tokens.ReadPlaces(tokens.PlacesPath(path), func(p tokens.Place) error {
		if p.Start >= last {
			return errEnough
		}
		for len(members) > 0 && s.Instances[members[0]].End <= p.Start {
			members = members[1:]
		}
		for _, m := range members {
			i := &s.Instances[m]
			if i.Start >= p.End {
				break
			}
			i.Documents = append(i.Documents, p)
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// writeOrder writes the order of the current epoch beside the run, where OLMo does.
func (t *Trainer) writeOrder() error {
	if !t.cfg.SaveDataIndices {
		return nil
	}
	dir := filepath.Join(t.cfg.SaveFolder, "train_data")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("writing the data order: %w", err)
	}
	return tokens.WriteOrder(filepath.Join(dir, "global_indices.npy"), tokens.Order(t.data.Len(), t.cfg.dataSeed(), uint64(t.state.Epoch)))
}
