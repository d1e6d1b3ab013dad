package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"olmo/dashboard"
	"olmo/train"
)

// runSource tells the dashboard of models and data what the runs' configs say.
type runSource struct {
	mu     sync.Mutex
	loaded map[string]*loadedRun // by folder
}

// loadedRun is a run's config and tokenizer, as long as the config is the same file.
type loadedRun struct {
	cfg  *train.Config
	file os.FileInfo
	text func(ids []int32) string // nil without a tokenizer
}

// load reads the config of the run in a folder, or of a quickstart that has not come to
// its run yet.
func (s *runSource) load(folder string) (*loadedRun, error) {
	path := filepath.Join(folder, "config.yaml")
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		path = filepath.Join(filepath.Dir(folder), "config", "train.yaml")
		st, err = os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.loaded[folder]; r != nil && os.SameFile(r.file, st) && r.file.ModTime().Equal(st.ModTime()) {
		return r, nil
	}
	cfg, err := train.LoadRun(path, nil)
	if err != nil {
		return nil, err
	}
	r := &loadedRun{cfg: cfg, file: st}
	if r.text, err = runDecoder(cfg, ""); err != nil {
		r.text = nil // it is shown without texts
	}
	if s.loaded == nil {
		s.loaded = map[string]*loadedRun{}
	}
	s.loaded[folder] = r
	return r, nil
}

// Parameters counts the weights.
func (s *runSource) Parameters(folder string) (int64, error) {
	r, err := s.load(folder)
	if err != nil {
		return 0, err
	}
	m, err := r.cfg.Model.Config()
	if err != nil {
		return 0, err
	}
	all, _ := m.NumParams()
	return int64(all), nil
}

// Text decodes tokens.
func (s *runSource) Text(folder string, ids []int32) (string, error) {
	r, err := s.load(folder)
	switch {
	case err != nil:
		return "", err
	case r.text == nil:
		return "", errors.New("the run's tokenizer is not known")
	}
	return r.text(ids), nil
}

// Data finds what a step reads, with the texts.
func (s *runSource) Data(folder string, step, from, most int) (*dashboard.StepData, error) {
	r, err := s.load(folder)
	if err != nil {
		return nil, err
	}
	d, err := r.cfg.StepData(step)
	if err != nil {
		return nil, err
	}
	out := &dashboard.StepData{Step: d.Step, Epoch: d.Epoch, Length: d.Length, Total: len(d.Instances), Instances: []dashboard.Instance{}}
	from = min(from, len(d.Instances))
	d.Instances = d.Instances[from:min(from+most, len(d.Instances))]
	if r.text != nil {
		if err := r.cfg.ReadTexts(d, r.text); err != nil {
			return nil, err
		}
	}
	for _, i := range d.Instances {
		shown := dashboard.Instance{Index: int64(i.Index), File: i.File, Start: i.Start, End: i.End, Text: i.Text, Documents: []dashboard.Document{}}
		for _, p := range i.Documents {
			shown.Documents = append(shown.Documents, dashboard.Document{ID: p.ID, Source: p.Src, Line: p.Loc, Start: p.Start, End: p.End, Text: p.Text})
		}
		out.Instances = append(out.Instances, shown)
	}
	return out, nil
}
