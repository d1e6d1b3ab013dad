package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/weights"
)

// Problem is what an audit found.
type Problem struct {
	Kind      string   `json:"kind"` // of an audit: duplicate, missing, tensor, index, weights, pointer, jump
	Path      string   `json:"path"`
	Revisions []string `json:"revisions"`
	Tensor    string   `json:"tensor,omitempty"` // the first one that is not there
	Message   string   `json:"message"`
}

// Audit is what a repository's listings say of it.
type Audit struct {
	OK         bool      `json:"ok"`
	Repository string    `json:"repository"`
	Problems   []Problem `json:"problems"`
	Checked    struct {
		Revisions int   `json:"revisions"`
		Files     int   `json:"files"` // with weights
		Bytes     int64 `json:"bytes"` // that were read, beside listings
	} `json:"checked"`
	Notes      []string `json:"notes"`
	Trajectory []Point  `json:"trajectory,omitempty"` // of a deep audit
}

// revision is a branch with what the hub lists of it.
type revision struct {
	name, commit string
	step         string // what of the name says which step it is of; empty where nothing does
	at           int64  // the number in step
	files        []File
}

// stepName finds the number of a step in the names that the field gives its branches:
// stage1-step1000-tokens4B, step-40000, ckpt_100, iter_0001000, epoch2.
var stepName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(?:.*[^a-z0-9])?(?:step|ckpt|checkpoint|iter|iteration|epoch)s?[-_]?([0-9]{1,15})`)
})

// stepOf is the part of a branch's name that says which step it is, and its number.
func stepOf(branch string) (step string, at int64) {
	m := stepName().FindStringSubmatch(branch)
	if m == nil {
		return "", 0
	}
	at, _ = strconv.ParseInt(m[1], 10, 64) // at most 15 digits
	return m[0], at
}

// beside are files with the endings of weights that are none of a step's own: they may well be
// equal at every step.
var beside = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(training_args|scheduler|rng_state|random_states|scaler|tokenizer)`)
})

// isWeights tells whether a file holds weights, or an optimiser's state.
func isWeights(f File) bool {
	base := path.Base(f.Path)
	switch path.Ext(base) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".npz", ".distcp":
		return !beside().MatchString(base)
	}
	return false
}

// shardName is the name of one of several files that hold a model together.
var shardName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.*-)(\d{5,6})(-of-)(\d{5,6})(\.[a-z0-9]+)$`) })

// mostMissing is how many missing shards of a model are named one by one.
const mostMissing = 20

// Audit compares the branches of a repository by what the hub lists: no weights are fetched, but
// for a piece of one tensor of each step where it is to be deep. progress (may be nil) is told how many branches
// of all are listed.
func (h *Hub) Audit(ctx context.Context, r Repo, deep bool, progress func(done, total int)) (*Audit, error) {
	revisions, err := h.list(ctx, r, progress)
	if err != nil {
		return nil, err
	}
	a := &Audit{Repository: r.String(), Problems: []Problem{}, Notes: []string{}}
	a.Checked.Revisions = len(revisions)
	for _, v := range revisions {
		for _, f := range v.files {
			if isWeights(f) {
				a.Checked.Files++
			}
		}
	}
	a.duplicates(revisions)
	a.missing(revisions)
	if err := h.indexes(ctx, r, revisions, a); err != nil {
		return nil, err
	}
	if deep {
		if err := h.trajectory(ctx, r, revisions, a); err != nil {
			return nil, err
		}
	}
	a.Problems = gathered(a.Problems)
	a.OK = len(a.Problems) == 0
	return a, nil
}

// list asks for the files of every branch; those of steps come in order of their steps, others
// before them.
func (h *Hub) list(ctx context.Context, r Repo, progress func(done, total int)) ([]*revision, error) {
	branches, err := h.Branches(ctx, r)
	if err != nil {
		return nil, err
	}
	all := make([]*revision, len(branches))
	var done atomic.Int64
	g := newGang(ctx, connections)
	for i, b := range branches {
		g.run(func(ctx context.Context) error {
			files, err := h.Tree(ctx, r, b.Commit)
			if err != nil {
				return fmt.Errorf("the branch %s: %w", b.Name, err)
			}
			v := &revision{name: b.Name, commit: b.Commit, files: files}
			v.step, v.at = stepOf(b.Name)
			all[i] = v
			if n := done.Add(1); progress != nil {
				progress(int(n), len(branches))
			}
			return nil
		})
	}
	if err := g.wait(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *revision) int {
		return cmp.Or(strings.Compare(strings.TrimRight(a.step, "0123456789"), strings.TrimRight(b.step, "0123456789")), cmp.Compare(a.at, b.at), strings.Compare(a.name, b.name))
	})
	return all, nil
}

// place is a file of a revision.
type place struct {
	*revision
	path string
}

// duplicates finds contents that several steps have, or several shards of one model. What has no
// step, as main, may equal one step.
func (a *Audit) duplicates(revisions []*revision) {
	places := map[string][]place{} // by content
	var contents []string
	for _, v := range revisions {
		for _, f := range v.files {
			if !isWeights(f) || f.Size == 0 {
				continue
			}
			if places[f.Blob] == nil {
				contents = append(contents, f.Blob)
			}
			places[f.Blob] = append(places[f.Blob], place{v, f.Path})
		}
	}
	for _, content := range contents {
		at := places[content]
		steps, shards := map[string]bool{}, map[string]map[string]bool{}
		for _, p := range at {
			if p.step != "" {
				steps[p.step] = true
			}
			if shardName().MatchString(p.path) {
				if shards[p.name] == nil {
					shards[p.name] = map[string]bool{}
				}
				shards[p.name][p.path] = true
			}
		}
		if len(steps) > 1 {
			a.Problems = append(a.Problems, Problem{
				Kind: "duplicate", Path: at[0].path, Revisions: names(at),
				Message: fmt.Sprintf("%d steps have the same content, %s", len(steps), short(content)),
			})
		}
		for _, revision := range slices.Sorted(maps.Keys(shards)) {
			if paths := slices.Sorted(maps.Keys(shards[revision])); len(paths) > 1 {
				a.Problems = append(a.Problems, Problem{
					Kind: "duplicate", Path: paths[0], Revisions: []string{revision},
					Message: fmt.Sprintf("%s has the same content, %s", strings.Join(paths[1:], ", "), short(content)),
				})
			}
		}
	}
	a.sameAsMain(revisions, places)
}

// sameAsMain notes which step the branch main is.
func (a *Audit) sameAsMain(revisions []*revision, places map[string][]place) {
	i := slices.IndexFunc(revisions, func(v *revision) bool { return v.name == "main" })
	if i < 0 {
		return
	}
	var equal map[string]bool
	for _, f := range revisions[i].files {
		if !isWeights(f) {
			continue
		}
		here := map[string]bool{}
		for _, p := range places[f.Blob] {
			if p.step != "" && (equal == nil || equal[p.name]) {
				here[p.name] = true
			}
		}
		equal = here
	}
	if len(equal) == 1 {
		a.Notes = append(a.Notes, "main is "+slices.Collect(maps.Keys(equal))[0])
	}
}

// short is the beginning of a hash.
func short(hash string) string { return hash[:12] + "…" }

// names are the revisions of places, each once, in their order.
func names(places []place) []string {
	var out []string
	for _, p := range places {
		if !slices.Contains(out, p.name) {
			out = append(out, p.name)
		}
	}
	return out
}

// missing finds shards that are not there, by the numbers of those that are, steps without any
// weights, and what a clone without Git LFS leaves in place of weights.
func (a *Audit) missing(revisions []*revision) {
	var withWeights int
	for _, v := range revisions {
		there := map[string]bool{}
		weights := false
		for _, f := range v.files {
			there[f.Path] = true
			weights = weights || isWeights(f)
			if isWeights(f) && !f.LFS && f.Size > 100 && f.Size < 200 {
				a.Problems = append(a.Problems, Problem{Kind: "pointer", Path: f.Path, Revisions: []string{v.name}, Message: fmt.Sprintf("%d bytes can be no weights, but are what Git LFS keeps in their place", f.Size)})
			}
		}
		if weights {
			withWeights++
		}
		told := map[string]bool{}
		for _, f := range v.files {
			m := shardName().FindStringSubmatch(f.Path)
			if m == nil || !isWeights(f) || told[m[1]+m[4]+m[5]] {
				continue
			}
			told[m[1]+m[4]+m[5]] = true
			n, err := strconv.Atoi(m[4])
			if err != nil {
				continue
			}
			gone := 0
			for i := 1; i <= n; i++ {
				shard := fmt.Sprintf("%s%0*d%s%s%s", m[1], len(m[2]), i, m[3], m[4], m[5])
				if there[shard] {
					continue
				}
				if gone++; gone <= mostMissing {
					a.Problems = append(a.Problems, Problem{Kind: "missing", Path: shard, Revisions: []string{v.name}, Message: fmt.Sprintf("one of %d shards is not there", n)})
				}
			}
			if gone > mostMissing {
				a.Problems = append(a.Problems, Problem{Kind: "missing", Path: f.Path, Revisions: []string{v.name}, Message: fmt.Sprintf("%d of the %d shards beside it are not there", gone, n)})
			}
		}
	}
	for _, v := range revisions {
		if withWeights > 0 && v.step != "" && !slices.ContainsFunc(v.files, isWeights) {
			a.Problems = append(a.Problems, Problem{Kind: "missing", Path: "", Revisions: []string{v.name}, Message: "the step has no weights at all"})
		}
	}
}

// budget is how many bytes an audit reads beside listings.
const budget = 900_000

// indexes reads the files that say in which shard each tensor is, each content once, and for each
// of them once the heads of the shards.
func (h *Hub) indexes(ctx context.Context, r Repo, revisions []*revision, a *Audit) error {
	type key struct{ index, shards string }      // contents, sizes
	weightMaps := map[string]map[string]string{} // by content
	heads := map[key]string{}                    // the tensor that is missing, by what was compared
	unread := 0
	for _, v := range revisions {
		at := map[string]File{}
		for _, f := range v.files {
			at[f.Path] = f
		}
		for _, f := range v.files {
			if !strings.HasSuffix(f.Path, ".safetensors.index.json") && !strings.HasSuffix(f.Path, ".bin.index.json") {
				continue
			}
			m, known := weightMaps[f.Blob]
			if !known {
				if f.Size > budget-a.Checked.Bytes {
					unread++
					continue
				}
				in := &distant{ctx: ctx, hub: h, repo: r, at: v, File: f, most: f.Size}
				text := make([]byte, f.Size)
				_, err := in.ReadAt(text, 0)
				a.Checked.Bytes += in.read
				if err != nil {
					return err
				}
				var index struct {
					WeightMap map[string]string `json:"weight_map"`
				}
				if json.Unmarshal(text, &index) != nil || len(index.WeightMap) == 0 {
					a.Problems = append(a.Problems, Problem{Kind: "index", Path: f.Path, Revisions: []string{v.name}, Message: "it is no index of tensors"})
				}
				m = index.WeightMap
				weightMaps[f.Blob] = m
			}
			shards, sizes, whole := a.shards(v, f.Path, m, at)
			if !whole || !strings.HasSuffix(f.Path, ".safetensors.index.json") {
				continue
			}
			k := key{f.Blob, sizes}
			if _, ok := heads[k]; !ok {
				tensor, read, err := h.heads(ctx, r, v, shards, m, path.Dir(f.Path), a)
				if err != nil {
					return err
				}
				if !read {
					unread++
					continue
				}
				heads[k] = tensor
			}
			if tensor := heads[k]; tensor != "" {
				a.Problems = append(a.Problems, Problem{Kind: "tensor", Path: f.Path, Revisions: []string{v.name}, Tensor: tensor, Message: fmt.Sprintf("the index names %s in %s, which does not hold it", tensor, m[tensor])})
			}
		}
	}
	if unread > 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("%d indexes were not read: an audit reads at most %d kB", unread, budget/1000))
	}
	return nil
}

// shards are the files that an index names, with their sizes as one text; whole tells whether all are there.
func (a *Audit) shards(v *revision, index string, weightMap map[string]string, at map[string]File) (files []File, sizes string, whole bool) {
	whole = true
	named := map[string]bool{}
	for _, shard := range weightMap {
		named[shard] = true
	}
	for _, shard := range slices.Sorted(maps.Keys(named)) {
		f, ok := at[path.Join(path.Dir(index), shard)]
		if !ok {
			whole = false
			if !shardName().MatchString(shard) || !slices.ContainsFunc(a.Problems, func(p Problem) bool {
				return p.Kind == "missing" && p.Path == path.Join(path.Dir(index), shard) && p.Revisions[0] == v.name
			}) {
				a.Problems = append(a.Problems, Problem{Kind: "missing", Path: path.Join(path.Dir(index), shard), Revisions: []string{v.name}, Message: path.Base(index) + " names it, and it is not there"})
			}
			continue
		}
		files = append(files, f)
		sizes += fmt.Sprintf("%s %d\n", f.Path, f.Size)
	}
	return files, sizes, whole && len(files) > 0
}

// heads compares an index with what the heads of the shards say, and returns a tensor that they
// do not hold; read is false where that would be more than the budget.
func (h *Hub) heads(ctx context.Context, r Repo, v *revision, shards []File, weightMap map[string]string, folder string, a *Audit) (tensor string, read bool, err error) {
	holds := map[string]map[string]bool{}
	for _, f := range shards {
		in := &distant{ctx: ctx, hub: h, repo: r, at: v, File: f, most: budget - a.Checked.Bytes}
		entries, _, wrong := weights.ReadHeader(f.Path, in, f.Size)
		a.Checked.Bytes += in.read
		switch {
		case errors.Is(in.err, errBudget):
			return "", false, nil
		case in.err != nil:
			return "", false, in.err
		case wrong != nil:
			a.Problems = append(a.Problems, Problem{Kind: "weights", Path: f.Path, Revisions: []string{v.name}, Message: wrong.Error()})
			return "", true, nil
		}
		holds[f.Path] = map[string]bool{}
		for _, e := range entries {
			holds[f.Path][e.Name] = true
		}
	}
	for _, tensor := range slices.Sorted(maps.Keys(weightMap)) {
		if !holds[path.Join(folder, weightMap[tensor])][tensor] {
			return tensor, true, nil
		}
	}
	return "", true, nil
}

// distant is a file that stays on the hub, but for what is read of it.
type distant struct {
	File
	ctx  context.Context
	hub  *Hub
	repo Repo
	at   *revision
	most int64 // bytes that may be read
	read int64 // that were
	err  error // of the hub, not of what the file holds
}

// errBudget is what an audit says to itself when it may read no more.
var errBudget = errors.New("more than an audit reads")

// ReadAt asks for a few bytes.
func (d *distant) ReadAt(b []byte, off int64) (int, error) {
	if int64(len(b)) > d.most-d.read {
		d.err = errBudget
		return 0, d.err
	}
	if off+int64(len(b)) > d.Size {
		return 0, io.ErrUnexpectedEOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	done := 0
	err := d.hub.again(d.ctx, func() (bool, error) {
		limited, cancel := context.WithTimeout(d.ctx, 2*stall)
		defer cancel()
		from := off + int64(done)
		body, err := d.hub.ranged(limited, d.repo.at(d.at.commit, d.Path), from, off+int64(len(b)), d.Size)
		if err != nil {
			return false, err
		}
		defer body.Close()
		n, err := io.ReadFull(body, b[done:])
		done += n
		d.read += int64(n)
		return n > 0, err
	})
	if err != nil {
		d.err = fmt.Errorf("%s at %s: reading %s: %w", d.repo, d.at.name, d.Path, err)
		return done, d.err
	}
	return done, nil
}

// gathered makes one problem of those that differ in their revisions alone.
func gathered(problems []Problem) []Problem {
	out := []Problem{}
	at := map[string]int{}
	for _, p := range problems {
		key := strings.Join([]string{p.Kind, p.Path, p.Tensor, p.Message}, "\x00")
		i, ok := at[key]
		if !ok || p.Kind == "duplicate" {
			at[key] = len(out)
			out = append(out, p)
			continue
		}
		out[i].Revisions = append(out[i].Revisions, p.Revisions...)
	}
	return out
}
