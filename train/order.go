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
	Length    int        `json:"length"` // of each instance, in tokens
	Instances []Instance `json:"instances"`
}

// Instance is one sequence of a batch, or a part of one where documents are put together, and the
// documents that it holds a part of.
type Instance struct {
	Index     uint32 `json:"index"` // in the data set
	Rank      int    `json:"rank"`  // that trains on it
	File      string `json:"file"`
	Start     int64  `json:"start"` // tokens [Start, End) of the file
	End       int64  `json:"end"`
	Documents []Part `json:"documents,omitempty"`
	Text      string `json:"text,omitempty"` // of its tokens; see ReadTexts
}

// Part is a document of which an instance holds tokens.
type Part struct {
	tokens.Place
	Text string `json:"text,omitempty"` // of the tokens in the instance; see ReadTexts
}

// ReadTexts fills in what the step read: the text of each instance and of the document parts
// in it, as decode, a tokenizer's, gives it.
func (c *Config) ReadTexts(s *StepData, decode func(ids []int32) string) error {
	files := map[string]*tokens.File{}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for n := range s.Instances {
		i := &s.Instances[n]
		f := files[i.File]
		if f == nil {
			var err error
			if f, err = tokens.Open(i.File, tokens.DType(c.Data.MemmapDType)); err != nil {
				return err
			}
			files[i.File] = f
		}
		ids := make([]int32, i.End-i.Start)
		if err := f.Read(ids, int(i.Start)); err != nil {
			return err
		}
		i.Text = decode(ids)
		for k := range i.Documents {
			d := &i.Documents[k]
			d.Text = decode(ids[max(d.Start, i.Start)-i.Start : min(d.End, i.End)-i.Start])
		}
	}
	return nil
}

// StepData finds the instances of a step of the run that the config describes, from its
// data order alone, and the documents where the files of places are there.
func (c *Config) StepData(step int) (*StepData, error) {
	d, err := c.openData()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if step < 1 {
		return nil, fmt.Errorf("step %d is not possible: the first is 1", step)
	}
	n := c.epochLength(d)
	if c.perEpoch(n) == 0 {
		return nil, c.tooFew(d)
	}
	// Where the run stands after the steps before.
	per := c.perEpoch(n)
	first := State{}
	if c.Epoch != nil {
		first.Epoch = *c.Epoch
	}
	at := State{Epoch: first.Epoch + (step-1)/per, ExamplesEpoch: (step - 1) % per * c.GlobalTrainBatchSize}
	if len(c.BatchSizeSchedule) > 0 {
		at = first
		c.simulate(first, func(s State) bool { at = s; return s.Step >= step-1 }, n)
	}
	l := c.loaderConfig()
	l.BatchSize = c.batchSize(step-1, at.Tokens)
	if left := n - at.ExamplesEpoch; left <= 0 || left < l.BatchSize && c.Data.DropLast {
		at.Epoch, at.ExamplesEpoch = at.Epoch+1, 0
	}
	l.Epoch, l.StartIndex = uint64(at.Epoch), at.ExamplesEpoch
	loader, err := tokens.NewLoader(d, l)
	if err != nil {
		return nil, err
	}
	s := &StepData{Step: step, Epoch: at.Epoch}
	var instances []uint32
	instances, s.Length = loader.Peek()
	byFile := map[string][]int{}
	for i, index := range instances {
		for _, p := range d.Parts(int(index)) {
			byFile[p.Path] = append(byFile[p.Path], len(s.Instances))
			s.Instances = append(s.Instances, Instance{Index: index, Rank: i * c.ranks() / len(instances), File: p.Path, Start: p.Start, End: p.End})
		}
	}
	for path, members := range byFile {
		if err := s.findDocuments(path, members); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return s, nil
}

// epochLength is the number of instances that an epoch takes, counted as those of full length.
func (c *Config) epochLength(d *tokens.Dataset) int {
	n, world := d.Len(), c.ranks()
	switch {
	case c.Data.Name == tokens.Variable:
		return d.Batches(c.GlobalTrainBatchSize, c.Data.VSLCurriculum) * c.GlobalTrainBatchSize
	case c.Data.DropLast:
		return n / world * world
	}
	return (n + world - 1) / world * world
}

// perEpoch is the number of batches in an epoch of so many instances.
func (c *Config) perEpoch(n int) int {
	if c.Data.DropLast {
		return n / c.GlobalTrainBatchSize
	}
	return (n + c.GlobalTrainBatchSize - 1) / c.GlobalTrainBatchSize
}

// CheckData is an error when the run's token files cannot be read as it reads them, or make no
// batch. It is asked before the work of a start.
func (c *Config) CheckData() error {
	d, err := c.openData()
	if err != nil {
		return err
	}
	return errors.Join(c.enough(d), d.Close())
}

// enough is an error about data that makes no batch.
func (c *Config) enough(d *tokens.Dataset) error {
	if n := c.epochLength(d); n == 0 || n < c.largestBatch() && c.Data.DropLast {
		return c.tooFew(d)
	}
	return nil
}

func (c *Config) tooFew(d *tokens.Dataset) error {
	return fmt.Errorf("training data: %d instances of %d tokens are not one batch of %d\nhint: lower global_train_batch_size or model.max_sequence_length, or add data", d.Len(), c.Model.MaxSequenceLength, c.largestBatch())
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
			i.Documents = append(i.Documents, Part{Place: p})
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// writeOrder writes the order of the current epoch beside the run, where OLMo does, and where
// documents end, so that the order is found without reading the files again.
func (t *Trainer) writeOrder() error {
	dir := t.cfg.dataFolder()
	if t.cfg.SaveDataIndices || t.cfg.Data.Name != tokens.Chunks {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("writing the data order: %w", err)
		}
	}
	if err := t.data.WriteIndex(dir); err != nil || !t.cfg.SaveDataIndices {
		return err
	}
	l := t.cfg.loaderConfig()
	l.Epoch = uint64(t.state.Epoch)
	loader, err := tokens.NewLoader(t.data, l)
	if err != nil {
		return err
	}
	return tokens.WriteOrder(filepath.Join(dir, "global_indices.npy"), loader.Order())
}
