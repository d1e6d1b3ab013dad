package train

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// inputs lists where the config names what a run reads.
func (c *Config) inputs() []*string {
	var all []*string
	add := func(paths []string) {
		for i := range paths {
			all = append(all, &paths[i])
		}
	}
	data := func(d *DataConfig) {
		add(d.Paths)
		add(d.LabelMaskPaths)
		add(d.InterleavingExemptPaths)
		for _, label := range slices.Sorted(maps.Keys(d.Datasets)) {
			add(d.Datasets[label])
		}
		for _, s := range d.Mixture {
			add(s.Paths)
		}
	}
	data(&c.Data)
	for i := range c.Evaluators {
		data(&c.Evaluators[i].Data)
		all = append(all, &c.Evaluators[i].Reference)
	}
	if c.Adapter != nil {
		all = append(all, &c.Adapter.InitWeights)
	}
	return append(all, &c.InitWeights, &c.InitRewardHead, &c.LoadPath, &c.Tokenizer.Identifier, &c.DownstreamData)
}

// pathLists lists where the config has lists of files, behind f, which gives what a list
// becomes.
func (c *Config) pathLists(f func(key string, list PathList) (PathList, error)) error {
	var errs []error
	set := func(key string, list *PathList) {
		to, err := f(key, *list)
		if errs = append(errs, err); err == nil {
			*list = to
		}
	}
	data := func(key string, d *DataConfig) {
		set(key+".paths", &d.Paths)
		set(key+".label_mask_paths", &d.LabelMaskPaths)
		set(key+".interleaving_exempt_paths", &d.InterleavingExemptPaths)
		for _, label := range slices.Sorted(maps.Keys(d.Datasets)) {
			list := d.Datasets[label]
			set(key+".datasets."+label, &list)
			d.Datasets[label] = list
		}
		for i := range d.Mixture {
			set(fmt.Sprintf("%s.mixture[%d].paths", key, i), &d.Mixture[i].Paths)
		}
	}
	data("data", &c.Data)
	for i := range c.Evaluators {
		data(fmt.Sprintf("evaluators[%d].data", i), &c.Evaluators[i].Data)
	}
	return errors.Join(errs...)
}

// find makes every input lead to where it is, for a config that was read from file.
func (c *Config) find(file string) {
	var bases []string
	if len(c.Inputs) > 0 {
		bases = c.runFolders(file)
	}
	for _, p := range c.inputs() {
		given := *p
		if given == "" || strings.Contains(given, "://") {
			continue
		}
		var places []string
		way := filepath.FromSlash(c.Inputs[given])
		if filepath.IsAbs(way) {
			places = append(places, way)
		} else if way != "" {
			for _, base := range bases {
				places = append(places, filepath.Join(base, way))
			}
		}
		places = append(places, given)
		if !filepath.IsAbs(given) {
			places = append(places, filepath.Join(filepath.Dir(file), given))
		}
		if way != "" && !filepath.IsAbs(way) {
			// Where the start found it, of a run that was moved alone.
			places = append(places, filepath.Join(c.SaveFolder, way))
		}
		for _, place := range places {
			if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
				c.found(p, place)
				break
			}
		}
	}
}

// found makes an input lead to place; config.yaml goes on to say what was given.
func (c *Config) found(p *string, place string) {
	if *p == place {
		return
	}
	if c.given == nil {
		c.given = map[string]string{}
	}
	c.given[place], *p = *p, place
}

// runFolders lists by which names the folder of the run can be reached from whose
// config.yaml this one comes: the place where it lies, in a checkpoint too, else
// save_folder, if a run is there. Links are followed first, since ways were taken
// between folders and not between names; a save_folder that is a link itself is found
// by its name.
func (c *Config) runFolders(file string) []string {
	dir := filepath.Dir(file)
	if filepath.Base(file) != configFile {
		if dir = c.SaveFolder; !exists(filepath.Join(dir, configFile)) {
			return nil
		}
	}
	var folders []string
	add := func(dir string, err error) {
		if err == nil && exists(filepath.Join(dir, manifestFile)) {
			dir = filepath.Join(dir, "..")
		}
		if err == nil && !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	add(filepath.EvalSymlinks(dir))
	add(dir, nil)
	add(filepath.Abs(dir))
	return folders
}

// clone is a copy whose lists of files are its own.
func (c *Config) clone() *Config {
	out := *c
	clone := func(d *DataConfig) {
		d.Paths, d.LabelMaskPaths, d.InterleavingExemptPaths = slices.Clone(d.Paths), slices.Clone(d.LabelMaskPaths), slices.Clone(d.InterleavingExemptPaths)
		d.Datasets, d.Mixture = maps.Clone(d.Datasets), slices.Clone(d.Mixture)
		for label, paths := range d.Datasets {
			d.Datasets[label] = slices.Clone(paths)
		}
		for i := range d.Mixture {
			d.Mixture[i].Paths = slices.Clone(d.Mixture[i].Paths)
		}
	}
	clone(&out.Data)
	if c.Adapter != nil {
		a := *c.Adapter
		out.Adapter = &a
	}
	out.Evaluators = slices.Clone(out.Evaluators)
	for i := range out.Evaluators {
		clone(&out.Evaluators[i].Data)
	}
	return &out
}

// asGiven is the config that a run writes: inputs as they were given, with the way to
// each from save_folder.
func (c *Config) asGiven() *Config {
	out := c.clone()
	out.Inputs = nil
	for _, p := range out.inputs() {
		place := *p
		if given, ok := c.given[place]; ok {
			*p = given
		}
		if place == "" || strings.Contains(*p, "://") || !exists(place) {
			continue
		}
		way := wayTo(place, c.SaveFolder)
		if way == "" && filepath.IsAbs(place) && !filepath.IsAbs(*p) {
			way = filepath.ToSlash(place) // it lies beside a CONFIG.yaml that was given so
		}
		if way == "" {
			continue
		}
		if out.Inputs == nil {
			out.Inputs = map[string]string{}
		}
		out.Inputs[*p] = way
	}
	return out
}

// Placed is the config of the run as a config.yaml says it that lies elsewhere, with the files that the run
// reads: each is where at says, as a way from the run's folder with slashes. What has no such place
// is left out, with the evaluators that would need it; of this machine the config names nothing.
func (c *Config) Placed(at func(input string) string) *Config {
	out := c.clone()
	out.Evaluators = slices.DeleteFunc(out.Evaluators, func(e EvaluatorConfig) bool {
		lost := e.Type == "downstream" && out.DownstreamData != "" && at(out.DownstreamData) == ""
		for _, path := range e.Data.Files() {
			lost = lost || at(path) == ""
		}
		return lost || e.Reference != "" && at(e.Reference) == ""
	})
	out.Inputs, out.given = map[string]string{}, nil
	for _, p := range out.inputs() {
		if *p == "" {
			continue
		}
		if *p = at(*p); *p != "" {
			out.Inputs[*p] = *p
		}
	}
	out.SaveFolder, out.RemoteSaveFolder, out.HFDatasetsCacheDir = "", "", ""
	return out
}

// wayTo leads to a file from a folder, slashed. It is empty where it would have to go
// through the root: that would be an absolute path in disguise, which nobody gave and
// which would be another one on another machine.
func wayTo(file, folder string) string {
	if !filepath.IsAbs(folder) && !filepath.IsAbs(file) {
		if way, err := filepath.Rel(folder, file); err == nil {
			return filepath.ToSlash(way)
		}
	}
	from, err1 := filepath.Abs(folder)
	to, err2 := filepath.Abs(file)
	way, err3 := filepath.Rel(from, to)
	if errors.Join(err1, err2, err3) != nil {
		return ""
	}
	way = filepath.ToSlash(way)
	above := strings.FieldsFunc(filepath.ToSlash(from[len(filepath.VolumeName(from)):]), func(r rune) bool { return r == '/' })
	if strings.HasPrefix(way, strings.Repeat("../", len(above))) {
		return ""
	}
	return way
}

// LoadRun is LoadConfig for the run that a path names: its folder, one of its
// checkpoints, a quickstart folder, or a config. SaveFolder of a run is where it lies.
func LoadRun(path string, overrides []string) (*Config, error) {
	file := path
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		i := slices.IndexFunc(runConfigs, func(name string) bool { return exists(filepath.Join(path, filepath.FromSlash(name))) })
		if i < 0 {
			return nil, fmt.Errorf("%s is no run: it holds no %s\nhint: give the folder of a run or of a quickstart, or a training config", path, configFile)
		}
		file = filepath.Join(path, filepath.FromSlash(runConfigs[i]))
	}
	c, err := LoadConfig(file, overrides)
	if err != nil {
		return nil, err
	}
	if len(c.Inputs) > 0 && filepath.Base(file) == configFile {
		c.SaveFolder = c.runFolders(file)[0]
	}
	return c, nil
}

// runConfigs are where a folder that stands for a run has its config: the run itself,
// a quickstart's, before it trains too, and a release.
var runConfigs = []string{configFile, "run/" + configFile, "train/" + configFile, "config/train.yaml"}
