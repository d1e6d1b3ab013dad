package taskfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/config"
	"olmo/eval"
	"olmo/internal/parallel"
)

// Catalogue holds the tasks and groups of folders of files, by name. Opening one reads what a
// file calls itself; a task's file is read whole when the task is asked for.
type Catalogue struct {
	entries map[string]*entry
	names   []string // of tasks, groups and tags, sorted
	loader  loader
	mu      sync.Mutex
}

// entry is what a name stands for.
type entry struct {
	name, file string
	kind       entryKind
	tasks      []string // of a tag
	other      string   // another file of the same name; asking for it is an error
}

type entryKind string

const (
	isTask  entryKind = "task"
	isGroup entryKind = "group"
	isTag   entryKind = "tag"
)

// Open reads folders, recursively. Where two files have one name, asking for it is an error that
// names both.
func Open(folders ...string) (*Catalogue, error) {
	var files []string
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			return gather(&files, name, d, err)
		})
		if err != nil {
			return nil, fmt.Errorf("reading the tasks of %s: %w", folder, err)
		}
	}
	return open(files, os.ReadFile)
}

// OpenFS reads a file system of tasks.
func OpenFS(fsys fs.FS) (*Catalogue, error) {
	var files []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error { return gather(&files, name, d, err) })
	if err != nil {
		return nil, err
	}
	return open(files, func(name string) ([]byte, error) { return fs.ReadFile(fsys, filepath.ToSlash(name)) })
}

// gather adds a file that may be a task's.
func gather(files *[]string, name string, d fs.DirEntry, err error) error {
	switch base := filepath.Base(name); {
	case err != nil:
		return err
	case d.IsDir() && (base == "__pycache__" || base == ".ipynb_checkpoints"):
		return fs.SkipDir
	case !d.IsDir() && (filepath.Ext(name) == ".yaml" || filepath.Ext(name) == ".yml"):
		*files = append(*files, name)
	}
	return nil
}

func open(files []string, read reader) (*Catalogue, error) {
	c := &Catalogue{entries: map[string]*entry{}, loader: loader{read: read, files: map[string]*mapping{}}}
	slices.Sort(files)
	heads := make([]*head, len(files))
	errs := make([]error, len(files))
	parallel.For(len(files), func(i int) { heads[i], errs[i] = read.head(files[i]) })
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	byFile := map[string]*head{}
	for i, f := range files {
		byFile[filepath.Clean(f)] = heads[i]
	}
	for i, f := range files {
		c.add(f, heads[i], byFile)
	}
	for name := range c.entries {
		c.names = append(c.names, name)
	}
	slices.Sort(c.names)
	return c, nil
}

// add takes a file's task or group; one without either is there to be included. A group of one
// task is the older way to write a tag.
func (c *Catalogue) add(file string, h *head, byFile map[string]*head) {
	h = c.loader.read.whole(h, file, byFile, 0)
	tags := h.tags
	switch {
	case h.group != "" && h.task == "":
		c.enter(&entry{name: h.group, file: file, kind: isGroup})
		return
	case h.task == "":
		return
	case h.group != "":
		tags = append(slices.Clone(tags), h.group)
	}
	c.enter(&entry{name: h.task, file: file, kind: isTask})
	for _, tag := range tags {
		e, ok := c.entries[tag]
		if !ok {
			e = &entry{name: tag, kind: isTag}
			c.entries[tag] = e
		}
		e.tasks = append(e.tasks, h.task)
	}
}

func (c *Catalogue) enter(e *entry) {
	if old, ok := c.entries[e.name]; ok && old.kind != isTag {
		old.other = e.file
		return
	}
	c.entries[e.name] = e
}

// twice is the error of a name that two files have.
func (e *entry) twice() error {
	if e.other == "" {
		return nil
	}
	return fmt.Errorf("two files have the name %q: %s and %s", e.name, e.file, e.other)
}

// File is the file of a task or group, with its text; empty for a tag.
func (c *Catalogue) File(name string) (file string, text []byte, err error) {
	e, ok := c.entries[name]
	if !ok || e.file == "" {
		return "", nil, nil
	}
	text, err = c.loader.read(e.file)
	return e.file, text, err
}

// Names lists what can be asked for, sorted: tasks, groups and tags.
func (c *Catalogue) Names() []string { return c.names }

// Has reports whether a name is one of a file's.
func (c *Catalogue) Has(name string) bool {
	_, ok := c.entries[name]
	return ok
}

// Groups lists the members of each group and tag, as their files name them.
func (c *Catalogue) Groups() map[string][]string {
	out := map[string][]string{}
	for name, e := range c.entries {
		switch e.kind {
		case isTag:
			out[name] = slices.Sorted(slices.Values(e.tasks))
		case isGroup:
			out[name] = nil
			m, err := c.read(e.file)
			if err != nil {
				continue // said when the group is asked for
			}
			items, _ := m.values["task"].([]any)
			if one, ok := m.values["task"].(string); ok {
				items = []any{one}
			}
			for _, item := range items {
				word, _ := item.(string)
				if member, ok := item.(*mapping); ok {
					word, _ = cmp.Or(member.values["group"], member.values["task"]).(string)
					if !c.Has(word) { // it stands in the group alone
						word = name + "::" + word
					}
				}
				if word != "" {
					out[name] = append(out[name], word)
				}
			}
		}
	}
	return out
}

// Tasks lists the tasks that are read, with those that are refused and why.
func (c *Catalogue) Tasks(o Options) (tasks []*eval.Task, refused map[string]error) {
	refused = map[string]error{}
	c.readAll()
	for _, name := range c.names {
		if c.entries[name].kind != isTask {
			continue
		}
		t, err := c.task(name, nil, o)
		if err != nil {
			refused[name] = err
			continue
		}
		tasks = append(tasks, t)
	}
	return tasks, refused
}

// Select finds what names stand for, which may be patterns (*): tasks in their order, each once,
// and the groups behind those in them.
func (c *Catalogue) Select(names []string, o Options) (tasks []*eval.Task, groups []*eval.Group, err error) {
	s := &selection{c: c, options: o, at: map[string]int{}}
	for _, name := range names {
		matched := []string{name}
		if strings.ContainsAny(name, "*?[") && !c.Has(name) {
			matched = nil
			for _, n := range c.names {
				if ok, _ := path.Match(name, n); ok {
					matched = append(matched, n)
				}
			}
		}
		if len(matched) == 0 {
			return nil, nil, fmt.Errorf("no task's name matches %s", name)
		}
		for _, n := range matched {
			if _, err := s.take(n, nil, 0); err != nil {
				return nil, nil, err
			}
		}
	}
	return s.tasks, s.groups, nil
}

// selection gathers tasks and groups.
type selection struct {
	c       *Catalogue
	options Options
	at      map[string]int // of tasks, by name
	open    []string       // the groups and tags that are being read, outermost first
	tasks   []*eval.Task
	groups  []*eval.Group
}

// take adds a name with what is below it, its keys replaced by those of overrides; members are
// the names that stand for it in a group.
func (s *selection) take(name string, overrides *mapping, depth int) (members []string, err error) {
	if depth > 20 {
		return nil, fmt.Errorf("groups lie in groups more than 20 deep: %s", strings.Join(s.open, ", "))
	}
	e, ok := s.c.entries[name]
	if !ok {
		if near, ok := config.Nearest(name, s.c.names); ok {
			return nil, fmt.Errorf("no task is called %q\nhint: did you mean %s?", name, near)
		}
		return nil, fmt.Errorf("no task is called %q", name)
	}
	if err := e.twice(); err != nil {
		return nil, err
	}
	if e.kind != isTask {
		if slices.Contains(s.open, name) {
			return nil, fmt.Errorf("the group %s contains itself: %s", name, strings.Join(append(s.open, name), " has "))
		}
		s.open = append(s.open, name)
		defer func() { s.open = s.open[:len(s.open)-1] }()
	}
	switch e.kind {
	case isTag:
		for _, t := range slices.Sorted(slices.Values(e.tasks)) {
			m, err := s.take(t, overrides, depth+1)
			if err != nil {
				return nil, err
			}
			members = append(members, m...)
		}
		return members, nil
	case isGroup:
		m, err := s.c.read(e.file)
		if err != nil {
			return nil, err
		}
		return s.takeGroup(e.file, name, m, overrides, depth)
	}
	t, err := s.c.task(name, overrides, s.options)
	if err != nil {
		return nil, err
	}
	return s.add(t), nil
}

// groupKeys are those of a group itself; all others are keys of its tasks.
var groupKeys = map[string]bool{"group": true, "group_alias": true, "task": true, "aggregate_metric_list": true, "metadata": true, "tag": true, "include": true, "tasks": true}

// takeGroup adds a group's members, then the group.
func (s *selection) takeGroup(file, name string, m, overrides *mapping, depth int) ([]string, error) {
	g := &eval.Group{Name: name, Version: "N/A"}
	if v, ok := m.values["group_alias"].(string); ok {
		g.Alias = v
	}
	if meta, ok := m.values["metadata"].(*mapping); ok && meta.values["version"] != nil {
		g.Version = text(meta.values["version"])
	}
	var err error
	if g.Aggregate, err = groupMetrics(m.values["aggregate_metric_list"]); err != nil {
		return nil, problem(file, "%w", err)
	}
	// The group's own further keys are its tasks', and those of what holds it win.
	below := newMapping()
	for _, k := range m.keys {
		if !groupKeys[text(k)] {
			below.set(k, m.values[text(k)])
		}
	}
	if overrides != nil {
		below.update(overrides)
	}
	list := m.values["task"]
	if one, ok := list.(string); ok {
		list = []any{one}
	}
	items, ok := list.([]any)
	if !ok {
		return nil, problem(file, "task is %v, want a list of names", list)
	}
	if len(items) == 0 {
		return nil, problem(file, "task: the group %s has no tasks", name)
	}
	for _, item := range items {
		members, err := s.takeMember(file, name, item, below, depth)
		if err != nil {
			return nil, within(file, err)
		}
		for _, m := range members {
			if !slices.Contains(g.Members, m) {
				g.Members = append(g.Members, m)
			}
		}
	}
	if !slices.ContainsFunc(s.groups, func(o *eval.Group) bool { return o.Name == name }) {
		s.groups = append(s.groups, g)
	}
	return []string{name}, nil
}

// within names the group's file in an error about a member, unless one is named already.
func within(file string, err error) error {
	var named *fileError
	if errors.As(err, &named) {
		return err
	}
	return problem(file, "task: %w", err)
}

// takeMember adds an item of a group's list: a name, or a mapping whose other keys replace the
// task's.
func (s *selection) takeMember(file, group string, item any, below *mapping, depth int) ([]string, error) {
	if name, ok := item.(string); ok {
		return s.take(name, below, depth+1)
	}
	m, ok := item.(*mapping)
	if !ok {
		return nil, problem(file, "task: %v is neither a name nor a mapping", item)
	}
	own := newMapping()
	own.update(below)
	if name, ok := m.values["group"].(string); ok {
		if s.c.Has(name) {
			own.update(m.without("group"))
			return s.take(name, own, depth+1)
		}
		return s.takeGroup(file, group+"::"+name, m, below, depth+1)
	}
	name, ok := m.values["task"].(string)
	if !ok {
		return nil, problem(file, "task: a mapping of the list names no task")
	}
	own.update(m.without("task"))
	if s.c.Has(name) {
		return s.take(name, own, depth+1)
	}
	// A task that stands in the group alone.
	own.set("task", group+"::"+name)
	d, err := define(file, own)
	if err != nil {
		return nil, err
	}
	t, err := build(d, s.options)
	if err != nil {
		return nil, err
	}
	return s.add(t), nil
}

// add takes a task. Where a group's list names one twice, the last of them counts.
func (s *selection) add(t *eval.Task) (members []string) {
	i, ok := s.at[t.Name]
	if !ok {
		i, s.tasks = len(s.tasks), append(s.tasks, nil)
		s.at[t.Name] = i
	}
	s.tasks[i] = t
	return []string{t.Name}
}

// groupMetrics reads aggregate_metric_list.
func groupMetrics(v any) (out []eval.GroupMetric, err error) {
	if one, ok := v.(*mapping); ok {
		v = []any{one}
	}
	list, ok := v.([]any)
	if !ok {
		if v != nil {
			err = fmt.Errorf("aggregate_metric_list is %v, want a list", v)
		}
		return nil, err
	}
	for _, x := range list {
		m, ok := x.(*mapping)
		if !ok {
			return nil, fmt.Errorf("aggregate_metric_list: %v is no mapping", x)
		}
		g := eval.GroupMetric{BySize: true}
		for _, k := range m.keys {
			v := m.values[text(k)]
			switch name := text(k); name {
			case "metric":
				g.Metric = text(v)
			case "weight_by_size":
				b, ok := v.(bool)
				if !ok {
					return nil, fmt.Errorf("aggregate_metric_list: weight_by_size is %v, want true or false", v)
				}
				g.BySize = b
			case "filter_list":
				if s, ok := v.(string); ok {
					v = []any{s}
				}
				if v == nil {
					continue
				}
				if g.Filters, ok = listOf(v); !ok {
					return nil, fmt.Errorf("aggregate_metric_list: filter_list is %v, want a list", v)
				}
			case "aggregation":
				if fn, ok := v.(function); ok {
					return nil, pythonError("aggregate_metric_list: aggregation", fn)
				}
				if v != nil && v != "mean" {
					return nil, fmt.Errorf("aggregate_metric_list: aggregation is %v, want mean", v)
				}
			default:
				return nil, unknownName("aggregate_metric_list: key", name, []string{"metric", "weight_by_size", "filter_list", "aggregation"})
			}
		}
		if g.Metric == "" {
			return nil, fmt.Errorf("aggregate_metric_list: a metric has no name")
		}
		out = append(out, g)
	}
	return out, nil
}

// readAll parses the tasks' files, several at a time; what is wrong with one is said when it is asked
// for.
func (c *Catalogue) readAll() {
	var files []string
	for _, e := range c.entries {
		if e.kind == isTask {
			files = append(files, e.file)
		}
	}
	parsed := make([]*mapping, len(files))
	parallel.For(len(files), func(i int) { parsed[i], _ = c.loader.read.yaml(filepath.Clean(files[i])) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loader.parsed = map[string]*mapping{}
	for i, m := range parsed {
		if m != nil {
			c.loader.parsed[filepath.Clean(files[i])] = m
		}
	}
}

func (c *Catalogue) read(file string) (*mapping, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loader.load(file, nil)
}

// task reads a task's file whole.
func (c *Catalogue) task(name string, overrides *mapping, o Options) (*eval.Task, error) {
	e := c.entries[name]
	if err := e.twice(); err != nil {
		return nil, err
	}
	m, err := c.read(e.file)
	if err != nil {
		return nil, err
	}
	if overrides != nil {
		own := newMapping()
		own.update(m)
		own.update(overrides)
		m = own
	}
	d, err := define(e.file, m)
	if err != nil {
		return nil, err
	}
	return build(d, o)
}

// head is what a file calls itself.
type head struct {
	task, group string
	tags        []string
	includes    []string
}

// whole is the head with what the includes say where it is silent.
func (read reader) whole(h *head, file string, byFile map[string]*head, depth int) *head {
	if len(h.includes) == 0 || depth > 20 {
		return h
	}
	out := *h
	for _, name := range h.includes {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		other, ok := byFile[filepath.Clean(name)]
		if !ok {
			// It may have another ending, or lie outside the folders.
			var err error
			if other, err = read.head(name); err != nil {
				continue // said when the task is asked for
			}
		}
		other = read.whole(other, name, byFile, depth+1)
		if out.task == "" {
			out.task = other.task
		}
		if out.group == "" {
			out.group = other.group
		}
		if out.tags == nil {
			out.tags = other.tags
		}
	}
	return &out
}

// head reads the keys at the beginning of lines that say what a file is, which is much faster
// than to read its YAML; where a value is more than a word the file is read whole.
func (read reader) head(file string) (*head, error) {
	b, err := read(file)
	if err != nil {
		return nil, err
	}
	h := &head{}
	lines := strings.Split(string(b), "\n")
	for i, line := range lines {
		key, value, ok := strings.Cut(line, ":")
		if !ok || line[0] == ' ' || line[0] == '#' {
			continue
		}
		var to *string
		var list *[]string
		switch strings.Trim(key, `"' `) {
		case "task":
			to = &h.task
		case "group":
			to = &h.group
		case "tag":
			list = &h.tags
		case "include":
			list = &h.includes
		default:
			continue
		}
		value = strings.TrimSpace(value)
		if n := strings.Index(value, " #"); n >= 0 {
			value = strings.TrimSpace(value[:n])
		}
		switch {
		case value == "" || value[0] == '#':
			items, simple := listBelow(lines[i+1:])
			if !simple {
				return wholeHead(file, b)
			}
			if list != nil {
				*list = items
			}
		case strings.ContainsAny(value, "[{!&*|>") || strings.Contains(value, `\`):
			return wholeHead(file, b)
		default:
			value = strings.Trim(value, `"'`)
			if to != nil {
				*to = value
			} else {
				*list = []string{value}
			}
		}
	}
	return h, nil
}

// listBelow reads a list of words; simple says that there is nothing else.
func listBelow(lines []string) (items []string, simple bool) {
	for _, line := range lines {
		t := strings.TrimSpace(line)
		switch {
		case t == "" || t[0] == '#':
		case strings.HasPrefix(t, "- ") && !strings.ContainsAny(t, ":[{!&*|>\\"):
			word, _, _ := strings.Cut(t[2:], " #")
			items = append(items, strings.Trim(strings.TrimSpace(word), `"'`))
		case line[0] != ' ' && line[0] != '-':
			return items, true
		case strings.HasPrefix(t, "- ") || line[0] == ' ' && len(items) > 0:
			// Mappings in a group's list: the names do not matter here.
		default:
			return nil, false
		}
	}
	return items, true
}

// wholeHead reads the file's YAML.
func wholeHead(file string, b []byte) (*head, error) {
	m, err := parseYAML(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	h := &head{}
	h.task, _ = m.values["task"].(string)
	h.group, _ = m.values["group"].(string)
	list := func(v any) []string {
		if s, ok := v.(string); ok {
			return []string{s}
		}
		l, _ := listOf(v)
		return l
	}
	h.tags, h.includes = list(m.values["tag"]), list(m.values["include"])
	return h, nil
}
