package dedupe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data"
)

// document is a documents file of a run.
type document struct {
	path   string
	unit   *data.Unit
	counts Counts
}

// fileReport is what the record keeps of a documents file.
type fileReport struct {
	Counts
	Held bool `json:"held,omitempty"` // its keys are in the filter, or those of an earlier content
}

// wholeReport is what the record keeps of the rest.
type wholeReport struct {
	Counts
	Sizes
	Clusters []Cluster `json:"clusters,omitempty"`
	Fresh    bool      `json:"fresh,omitempty"` // the filter was empty before the recorded runs
}

// expand lists the documents files.
func (c *Config) expand() ([]string, error) {
	files, err := c.ExpandDocuments(c.Documents)
	if err != nil {
		return nil, err
	}
	if d := &c.Dedupe; d.FilePartition {
		files = slices.DeleteFunc(files, func(f string) bool {
			return int(pathHash(f)%uint64(d.NumPartitions)) != d.PartitionIndex
		})
		if len(files) == 0 {
			c.Logf("no file is in partition %d of %d", d.PartitionIndex, d.NumPartitions)
		}
	}
	return files, nil
}

// settings are what the outputs depend on beside their inputs.
type settings struct {
	Dedupe      Settings
	BloomFilter Bloom
	Compression Compression
	Memory      string
	// Files are those of the corpus, where each output depends on all of them. A
	// filter may grow, over files that are new to it.
	Files []string `json:",omitempty"`
}

// plan says what the run reads and writes. Each documents file is a unit, and so
// is what all of them make: a filter, or else the figures of the report. None of
// them counts without the others.
func (r *run) plan(files []string) (data.Plan, error) {
	cfg := r.cfg
	b := &cfg.BloomFilter
	set := settings{Dedupe: cfg.Dedupe, BloomFilter: *b, Compression: cfg.Compression, Memory: cfg.Memory}
	// The record lies beside the filter.
	set.BloomFilter.File = ""
	plan := data.Plan{Stage: "dedupe"}
	record := b.File + "." + cfg.folder() + ".run.json"
	var reads []string
	r.whole = &data.Unit{Key: "run", Together: true}
	if cfg.Dedupe.filtered() {
		there, err := b.files()
		if err != nil {
			return plan, err
		}
		switch r.fills = b.fills(there); {
		case !r.fills:
			reads, r.filled = there, there
		case b.ReadOnly && !cfg.Compat:
			return plan, fmt.Errorf("bloom_filter.read_only is set and %s does not exist\nhint: build it first, with read_only false, from the documents to compare with", b.File)
		default:
			r.whole.Key, r.whole.Outputs = "filter", b.names()
			plan.Locks = append(plan.Locks, b.File)
		}
	} else {
		folder, _, err := cfg.attributeFolder(files[0])
		if err != nil {
			return plan, err
		}
		record = folder + ".run.json" // beside the folder, out of the way of globs
		if s := cfg.Dedupe.Substrings; s != nil && s.Tokenizer != "" {
			reads = []string{s.Tokenizer}
		}
	}
	var err error
	if r.documents, err = cfg.units(&plan, record, files, reads); err != nil {
		return plan, err
	}
	if !cfg.Dedupe.filtered() {
		for _, d := range r.documents {
			set.Files = append(set.Files, d.unit.Key)
		}
	}
	plan.Settings = set
	r.whole.Record, r.whole.Inputs = record, reads
	// The filter comes first: attributes without it are not done.
	plan.Units = slices.Insert(plan.Units, 0, r.whole)
	return plan, nil
}

// units adds a unit for each documents file to the plan, which depends on what all
// of them read too, and locks the folders of the attributes.
func (c *Config) units(plan *data.Plan, record string, files, reads []string) ([]*document, error) {
	var out []*document
	for _, f := range files {
		folder, rest, err := c.attributeFolder(f)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(plan.Locks, folder) {
			plan.Locks = append(plan.Locks, folder)
		}
		u := &data.Unit{
			Record: record, Key: data.Relative(record, f), Inputs: append([]string{f}, reads...), Together: true,
			Outputs: []string{fromSlash(folder + rest)}, Rejects: []string{data.RejectsPath(f, c.folder())},
		}
		plan.Units = append(plan.Units, u)
		out = append(out, &document{path: f, unit: u})
	}
	return out, nil
}

// content is an input of an earlier run, whose keys a filter holds.
type content struct {
	*data.Recorded
	i int
}

func (c content) path() string { return c.Inputs[c.i] }

// decide finds out what is to be done.
//
// A filter cannot forget. So documents whose keys it holds must not be looked up in
// it again: each would be a copy of itself. Files that are new to the record make
// it grow; where others are to be done again it is filled from nothing, if all that
// it holds comes from these files, and else the run is refused.
func (r *run) decide() error {
	for _, d := range r.documents {
		var was fileReport
		if text, ok := r.stage.Done(d.unit); ok && json.Unmarshal(text, &was) == nil {
			d.counts = was.Counts
		} else {
			r.todo = append(r.todo, d)
		}
	}
	_, done := r.stage.Done(r.whole)
	switch {
	case !r.cfg.Dedupe.filtered():
		if len(r.todo) > 0 || !done {
			r.again()
		}
	case r.fills:
		if err := r.decideFilter(); err != nil {
			return err
		}
	}
	for _, d := range r.todo {
		r.files = append(r.files, d.path)
	}
	return nil
}

// held tells whether the record has a file's keys in the filter.
func (r *run) held(d *document) bool {
	var was fileReport
	u := r.stage.Recorded(d.unit)
	return u != nil && json.Unmarshal(u.Report, &was) == nil && was.Held
}

// decideFilter is decide for a filter that is filled.
func (r *run) decideFilter() (err error) {
	own := r.stage.Recorded(r.whole)
	if r.filled, err = r.cfg.BloomFilter.recorded(own); err != nil {
		return err
	}
	var held []content
	for _, u := range r.stage.Earlier(r.whole.Record) {
		var was fileReport
		if u.Key != r.whole.Key && len(u.Inputs) > 0 && json.Unmarshal(u.Report, &was) == nil && was.Held {
			held = append(held, content{u, 0})
		}
	}
	var all, todo []string
	for _, d := range r.documents {
		all = append(all, d.path)
	}
	for _, d := range r.todo {
		todo = append(todo, d.path)
	}
	// An earlier version's record tells that this command was given before, but not
	// what the filter got from it.
	if record, file := r.whole.Record, r.cfg.BloomFilter.File; own == nil && len(r.filled) > 0 && len(todo) > 0 && exists(record) && !data.IsRecord(record) {
		return fmt.Errorf("%s is no record of this version, so it is not known whether the Bloom filter %s holds these files, each of which would be a copy of itself\nhint: delete %s to start from nothing, or %s to count what the filter holds as seen", record, file, file, record)
	}
	anew, err := r.standing(own, held, todo, all)
	if err != nil {
		return err
	}
	if anew && len(all) > 0 {
		r.again()
		// What a filter of before held this one does not.
		planned := map[string]bool{}
		for _, d := range r.documents {
			planned[d.unit.Key] = true
		}
		for _, c := range held {
			if !planned[c.Key] {
				c.Forget()
			}
		}
	}
	return nil
}

// again does all files, with a filter from nothing.
func (r *run) again() {
	r.stage.Redo()
	r.todo = r.documents
	for _, d := range r.documents {
		d.counts = Counts{}
	}
}

// decideMarked is decide for a run whose documents another stage reads, all of them.
func (r *run) decideMarked(files []string) (err error) {
	b := &r.cfg.BloomFilter
	if !r.cfg.Dedupe.filtered() {
		return nil
	}
	if r.whole == nil {
		r.fills = true // and gives it up
		return nil
	}
	own := r.stage.Recorded(r.whole)
	if r.filled, err = b.recorded(own); err != nil {
		return err
	}
	_, done := r.stage.Done(r.whole)
	if r.fills = b.fills(r.filled); !r.fills {
		if done {
			return nil
		}
		if own != nil {
			r.stage.Redo() // another filter
		}
		return r.stage.Finish(r.whole, nil)
	}
	if b.ReadOnly && !r.cfg.Compat {
		return fmt.Errorf("bloom_filter.read_only is set and %s does not exist\nhint: build it first, with read_only false, from the documents to compare with", b.File)
	}
	var held []content
	if own != nil {
		for i := range own.Inputs {
			held = append(held, content{own, i})
		}
	}
	var was wholeReport
	if own != nil && len(r.filled) == 0 && (json.Unmarshal(own.Report, &was) != nil || !was.Fresh) {
		r.stage.Redo() // what the outputs were compared with is gone
	}
	_, err = r.standing(own, held, files, files)
	return err
}

// standing tells whether the filter is filled from nothing, for a run that does some
// of all its files: own is what the record says of the filter, held what it says is
// in it.
func (r *run) standing(own *data.Recorded, held []content, todo, all []string) (anew bool, err error) {
	if len(r.filled) == 0 {
		r.fresh = true
		return true, nil
	}
	if len(todo) == 0 || own == nil {
		return false, nil
	}
	var was wholeReport
	if json.Unmarshal(own.Report, &was) == nil && was.Fresh {
		if r.fresh, err = own.Intact(); err != nil {
			return false, err
		}
	}
	again, err := firstHeld(own, held, todo, all)
	if err != nil || again == "" {
		return false, err
	}
	foreign, err := anyForeign(own, held, all)
	if err != nil {
		return false, err
	}
	if file := r.cfg.BloomFilter.File; !r.fresh || foreign {
		return false, fmt.Errorf("%s is to be marked again, and the Bloom filter %s holds what it was before: it would be a copy of itself\nhint: the filter holds more than these files, so it is not made anew unasked; delete %s to start from nothing, name another filter, or set bloom_filter.read_only to look up only", again, file, file)
	}
	r.cfg.Logf("the Bloom filter %s is filled anew, because files that it holds are to be marked again", r.cfg.BloomFilter.File)
	r.filled = nil
	return true, nil
}

// firstHeld is the first of the files that are to be done which the filter holds
// already: under its name, or under one that is gone, such as that from before it was
// packed.
func firstHeld(own *data.Recorded, held []content, todo, all []string) (string, error) {
	names := map[string]bool{}
	for _, f := range all {
		names[own.Relative(f)] = true
	}
	known := map[string]bool{}
	var gone []content
	for _, c := range held {
		name := own.Relative(c.path())
		known[name] = true
		if _, err := os.Stat(c.path()); err != nil && !names[name] {
			gone = append(gone, c)
		}
	}
	for _, f := range todo {
		if known[own.Relative(f)] {
			return f, nil
		}
		for _, c := range gone {
			if unpacked(own.Relative(c.path())) == unpacked(own.Relative(f)) {
				return f, nil
			}
			if same, err := c.Same(c.i, f); err != nil || same {
				return f, err
			}
		}
	}
	return "", nil
}

// anyForeign tells whether the filter holds anything that none of the files is.
func anyForeign(own *data.Recorded, held []content, all []string) (bool, error) {
	names := map[string]bool{}
	for _, f := range all {
		names[unpacked(own.Relative(f))] = true
	}
	for _, c := range held {
		found := names[unpacked(own.Relative(c.path()))]
		for i := 0; i < len(all) && !found; i++ {
			var err error
			if found, err = c.Same(c.i, all[i]); err != nil {
				return false, err
			}
		}
		if !found {
			return true, nil
		}
	}
	return false, nil
}

// unpacked is a file's name without what tells how it is packed.
func unpacked(name string) string {
	for _, suffix := range []string{".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz"} {
		if rest, ok := strings.CutSuffix(name, suffix); ok {
			return rest
		}
	}
	return name
}

// recorded are the filter's files, by the record where that is right.
func (b *Bloom) recorded(own *data.Recorded) ([]string, error) {
	if own != nil && len(own.Outputs) > 0 {
		names := b.names()
		for i := range names {
			names[i] = filepath.Clean(names[i])
		}
		there := func(f string) bool { return slices.Contains(names, filepath.Clean(f)) && exists(f) }
		if !slices.ContainsFunc(own.Outputs, func(f string) bool { return !there(f) }) {
			out := slices.Clone(own.Outputs)
			slices.SortFunc(out, comparePart)
			return out, nil
		}
	}
	return b.files()
}

// complete tells whether nothing is left to do.
func (r *run) complete() bool {
	return len(r.todo) == 0 && (!r.fills || len(r.filled) > 0)
}

// exists tells whether a file is there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
