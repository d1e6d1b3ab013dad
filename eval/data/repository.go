package evaldata

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"olmo/config"
)

// A data set of the Hugging Face hub lies in a place as
//
//	[ORG/]BASE/                        a clone of its repository, or a copy of its files
//	[hub/]datasets--ORG--BASE/         the hub's cache (huggingface_hub), at the revision of refs/main
//	[datasets/]ORG___BASE/CONFIGURATION/VERSION/HASH/   what load_dataset prepared: Arrow files
//	BASE/[CONFIGURATION/]SPLIT/        what save_to_disk wrote
//
// or is the place itself, when its folder has such a name. Which files of a repository are a
// split is what its README.md says (configs), else what the names of files and folders say,
// as in datasets 5.2.0 (data_files.py).

// inRepository looks for a split of a data set in the repositories of a place.
func (p *place) inRepository(k *key) ([]file, error) {
	if k.base == "" {
		return nil, nil
	}
	dirs, err := p.repositories(k)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		files, err := p.repository(dir, k)
		if err != nil || len(files) > 0 {
			return files, err
		}
	}
	return nil, nil
}

// repositories are the folders that a data set's name may mean.
func (p *place) repositories(k *key) (dirs []string, err error) {
	add := func(root, name string) error {
		dir := path.Join(root, name)
		cached, isCached := strings.CutPrefix(name, "datasets--")
		org, base, ok := "", name, false
		if isCached {
			if org, base, ok = strings.Cut(cached, "--"); !ok {
				org, base = "", cached
			}
		} else if org, base, ok = strings.Cut(name, "___"); !ok {
			org, base = "", name
		}
		if !k.means(org, base) {
			return nil
		}
		if isCached {
			dir, err = p.snapshot(dir)
			if err != nil || dir == "" {
				return err
			}
		}
		dirs = append(dirs, dir)
		return nil
	}
	full, err := filepath.Abs(p.path)
	if err != nil {
		return nil, err
	}
	if name := filepath.Base(full); !strings.HasPrefix(name, "datasets--") {
		if err := add(".", name); err != nil {
			return nil, err
		}
		if len(dirs) > 0 {
			dirs[0] = "."
		}
	} else if org, base, _ := strings.Cut(strings.TrimPrefix(name, "datasets--"), "--"); k.means(org, base) {
		dir, err := p.snapshot(".")
		if err != nil || dir == "" {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	for _, root := range []string{".", "hub", "datasets"} {
		entries, err := p.folder(root)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := add(root, e.Name()); err != nil {
				return nil, err
			}
			for _, base := range k.bases() {
				if k.means(e.Name(), base) {
					if st, err := fs.Stat(p, path.Join(root, e.Name(), base)); err == nil && st.IsDir() {
						dirs = append(dirs, path.Join(root, e.Name(), base))
					}
				}
			}
		}
	}
	return dirs, nil
}

// snapshot is the folder of the files of a repository in the hub's cache; "" for none.
func (p *place) snapshot(dir string) (string, error) {
	if ref, err := fs.ReadFile(p, path.Join(dir, "refs", "main")); err == nil {
		at := path.Join(dir, "snapshots", strings.TrimSpace(string(ref)))
		if st, err := fs.Stat(p, at); err == nil && st.IsDir() {
			return at, nil
		}
	}
	all, err := p.folder(path.Join(dir, "snapshots"))
	switch {
	case err != nil || len(all) == 0:
		return "", err
	case len(all) > 1:
		return "", fmt.Errorf("%s has %d revisions, and refs/main names none of them\nhint: give the folder of one below snapshots, linked under the data set's name", p.file(dir).place, len(all))
	}
	return path.Join(dir, "snapshots", all[0].Name()), nil
}

// repository looks for the split in a data set's folder.
func (p *place) repository(dir string, k *key) ([]file, error) {
	for _, look := range []func(dir string, k *key) ([]file, error){p.onDisk, p.prepared} {
		files, err := look(dir, k)
		if err != nil || len(files) > 0 {
			return files, err
		}
	}
	configs, err := p.configs(dir)
	if err != nil {
		return nil, err
	}
	if len(configs) > 0 {
		return p.described(dir, configs, k)
	}
	return p.inferred(dir, k)
}

// onDisk looks for what save_to_disk wrote.
func (p *place) onDisk(dir string, k *key) ([]file, error) {
	for _, at := range []string{path.Join(dir, k.configuration, k.split), path.Join(dir, k.split), dir} {
		if !fs.ValidPath(at) {
			continue
		}
		name := path.Join(at, "state.json")
		text, err := fs.ReadFile(p, name)
		if missing(err) {
			continue
		}
		var state struct {
			Split string `json:"_split"`
		}
		if err == nil {
			err = json.Unmarshal(text, &state)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p.file(name).place, err)
		}
		if at == dir && state.Split != k.split && (state.Split != "" || !k.judged()) {
			k.note("%s is the split %q", p.file(dir).place, state.Split)
			continue
		}
		return p.state(at)
	}
	return nil, nil
}

// prepared looks for the Arrow files that load_dataset made.
func (p *place) prepared(dir string, k *key) (files []file, err error) {
	infos, err := fs.Glob(p, path.Join(quote(dir), "*", "*", "*", "dataset_info.json"))
	if err != nil {
		return nil, err
	}
	at := ""
	for _, name := range infos {
		var info struct {
			Configuration string `json:"config_name"`
		}
		text, err := fs.ReadFile(p, name)
		if err == nil {
			err = json.Unmarshal(text, &info)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p.file(name).place, err)
		}
		if !k.configured(info.Configuration) {
			k.note("%s has the configuration %s", p.file(dir).place, info.Configuration)
			continue
		}
		of := path.Dir(name)
		names, err := fs.Glob(p, path.Join(quote(of), "*-"+quote(k.split)+".arrow"))
		if err == nil && len(names) == 0 {
			names, err = fs.Glob(p, path.Join(quote(of), "*-"+quote(k.split)+"-[0-9]*-of-[0-9]*.arrow"))
		}
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			continue
		}
		if at != "" && k.configuration != "*" {
			return nil, fmt.Errorf("%s has the split %s twice, in %s and in %s\nhint: remove the one that is not meant", p.file(dir).place, k.split, at, of)
		}
		at = of
		for _, name := range names {
			files = append(files, p.file(name))
		}
	}
	return files, nil
}

// configuration is one of the configs of a README.md.
type configuration struct {
	name    string
	dir     string
	byFile  map[string][]string // patterns by split; nil: what the names say
	isFirst bool                // default: true
}

// described looks for what a README.md says.
func (p *place) described(dir string, all []configuration, k *key) (files []file, err error) {
	var chosen []configuration
	for _, c := range all {
		if c.name == k.configuration {
			chosen = []configuration{c}
		}
	}
	if k.configuration == "*" {
		chosen = all
		for _, c := range all {
			if c.name == "all" {
				chosen = []configuration{c}
			}
		}
	}
	if len(chosen) == 0 && k.bare() {
		for _, c := range all {
			if c.isFirst || c.name == "default" || len(all) == 1 {
				chosen = []configuration{c}
			}
		}
	}
	if len(chosen) == 0 {
		var names []string
		for _, c := range all {
			names = append(names, c.name)
		}
		k.note("%s has the configurations %s", p.file(dir).place, strings.Join(names, ", "))
		return nil, nil
	}
	for _, c := range chosen {
		if c.byFile == nil {
			some, err := p.bySplit(path.Join(dir, c.dir), k)
			if err != nil {
				return nil, err
			}
			files = append(files, some...)
			continue
		}
		patterns, ok := c.byFile[k.split]
		if !ok {
			var splits []string
			for s := range c.byFile {
				splits = append(splits, s)
			}
			slices.Sort(splits)
			k.note("%s has the splits %s", p.file(dir).place, strings.Join(splits, ", "))
			continue
		}
		some, err := p.matching(path.Join(dir, c.dir), patterns)
		if err != nil {
			return nil, err
		}
		files = append(files, some...)
	}
	return files, nil
}

// configs reads the configs of a README.md, in YAML between lines of three dashes at its head.
func (p *place) configs(dir string) ([]configuration, error) {
	name := path.Join(dir, "README.md")
	text, err := fs.ReadFile(p, name)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	readme := strings.ReplaceAll(string(text), "\r\n", "\n")
	head, ok := strings.CutPrefix(readme, "---\n")
	if !ok {
		return nil, nil
	}
	head, _, ok = strings.Cut(head, "\n---")
	if !ok {
		return nil, nil
	}
	var about struct {
		Configs []map[string]any `yaml:"configs"`
	}
	problem := func(format string, args ...any) error {
		return fmt.Errorf("reading %s: %w", p.file(name).place, fmt.Errorf(format, args...))
	}
	tokens := lexer.Tokenize(head)
	if line := config.TooDeep(tokens, 100); line > 0 {
		return nil, problem("line %d: it nests too deep", line+1)
	}
	tree, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil, problem("configs: %w", err)
	}
	var alias aliases
	for _, d := range tree.Docs {
		if d.Body != nil {
			ast.Walk(&alias, d.Body)
		}
	}
	if alias { // a few lines of them can stand for more than there is memory for
		return nil, problem("aliases of YAML are not read")
	}
	if err := yaml.Unmarshal([]byte(head), &about); err != nil {
		return nil, problem("configs: %w", err)
	}
	var out []configuration
	for _, m := range about.Configs {
		var c configuration
		c.name, _ = m["config_name"].(string)
		for key, v := range m {
			switch key {
			case "config_name", "description", "version", "features":
			case "default":
				c.isFirst, _ = v.(bool)
			case "data_dir":
				c.dir, _ = v.(string)
			case "data_files":
				if c.byFile, err = patterns(v); err != nil {
					return nil, problem("config %s: %w", c.name, err)
				}
			default:
				return nil, problem("config %s: the key %s is not read, which changes what its rows are", c.name, key)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// aliases reports whether a walk has met one.
type aliases bool

func (a *aliases) Visit(n ast.Node) ast.Visitor {
	if _, is := n.(*ast.AliasNode); is {
		*a = true
	}
	return a
}

// patterns reads data_files: a name or a list of names, of the split train, or a list of splits
// with their names.
func patterns(v any) (map[string][]string, error) {
	names := func(v any) ([]string, error) {
		if s, ok := v.(string); ok {
			return []string{s}, nil
		}
		list, ok := v.([]any)
		var out []string
		for _, x := range list {
			s, is := x.(string)
			ok = ok && is
			out = append(out, s)
		}
		if !ok {
			return nil, fmt.Errorf("data_files: %v is no name of a file", v)
		}
		return out, nil
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		if _, ok := list[0].(map[string]any); ok {
			out := map[string][]string{}
			for _, x := range list {
				m, _ := x.(map[string]any)
				split, _ := m["split"].(string)
				some, err := names(m["path"])
				if err != nil {
					return nil, err
				}
				out[split] = some
			}
			return out, nil
		}
	}
	some, err := names(v)
	return map[string][]string{"train": some}, err
}

// inferred looks for the files whose names, or whose folders' names, say that they are of the
// split.
func (p *place) inferred(dir string, k *key) ([]file, error) {
	if k.configuration == "*" {
		entries, err := p.folder(dir)
		if err != nil {
			return nil, err
		}
		var files []file
		for _, e := range entries {
			if st, err := fs.Stat(p, path.Join(dir, e.Name())); err == nil && st.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				some, err := p.bySplit(path.Join(dir, e.Name()), k)
				if err != nil {
					return nil, err
				}
				files = append(files, some...)
			}
		}
		return files, nil
	}
	if k.configuration != "" {
		for _, at := range []string{path.Join(dir, k.configuration), path.Join(dir, "data", k.configuration)} {
			files, err := p.bySplit(at, k)
			if err != nil || len(files) > 0 {
				return files, err
			}
		}
	}
	if !k.bare() {
		return nil, nil
	}
	return p.bySplit(dir, k)
}

// keywords are the words in names that tell a split.
var keywords = []struct {
	split string
	words []string
}{
	{"train", []string{"train", "training"}},
	{"validation", []string{"validation", "valid", "dev", "val"}},
	{"test", []string{"test", "testing", "eval", "evaluation"}},
}

// bySplit looks for the files of a split below a folder: data/SPLIT-00000-of-00001.parquet and
// the like; else those with a word for the split in the name of a folder, else in their own;
// without any word all are of the split train. Where that leaves no file of the split, it is
// SPLIT.jsonl and the like, or what is in the folder SPLIT.
func (p *place) bySplit(dir string, k *key) ([]file, error) {
	if saved, err := p.exists(path.Join(dir, "state.json")); err != nil || saved {
		return nil, err
	}
	names, err := p.below(dir)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	chosen := map[string][]string{}
	for _, name := range names {
		if split, rest, ok := strings.Cut(strings.TrimPrefix(name, "data/"), "-"); ok && path.Dir(name) == "data" && sharded(rest) {
			chosen[split] = append(chosen[split], name)
		}
	}
	word := func(parts func(name string) []string, whole bool) {
		if len(chosen) > 0 {
			return
		}
		for _, name := range names {
			for _, s := range keywords {
				if slices.ContainsFunc(parts(name), func(part string) bool {
					return slices.ContainsFunc(s.words, func(w string) bool { return hasWord(part, w, whole) })
				}) {
					chosen[s.split] = append(chosen[s.split], name)
				}
			}
		}
	}
	word(func(name string) []string { return strings.Split(path.Dir(name), "/") }, true)
	word(func(name string) []string { return []string{path.Base(name)} }, false)
	if len(chosen) == 0 {
		chosen["train"] = names
	}
	found := chosen[k.split]
	if len(found) == 0 { // a split may have any name
		for _, name := range names {
			if path.Dir(name) == "." && stem(name) == k.split || strings.HasPrefix(name, k.split+"/") {
				found = append(found, name)
			}
		}
	}
	if len(found) == 0 {
		var splits []string
		for s := range chosen {
			splits = append(splits, s)
		}
		slices.Sort(splits)
		k.note("%s has the splits %s", p.file(dir).place, strings.Join(splits, ", "))
		return nil, nil
	}
	return p.alike(dir, found), nil
}

// stem is a file's name without its ending.
func stem(name string) string {
	base := path.Base(name)
	return base[:strings.LastIndex(strings.ToLower(base), ending(name))]
}

// sharded reports whether what follows a split's name is 00000-of-00001 and an ending.
func sharded(s string) bool {
	ok, _ := path.Match("[0-9][0-9][0-9][0-9][0-9]-of-[0-9][0-9][0-9][0-9][0-9]*.*", s)
	return ok
}

// hasWord reports whether a name has a word between marks, digits or its own ends; in a file's
// name something must follow.
func hasWord(name, word string, whole bool) bool {
	mark := func(c byte) bool { return strings.IndexByte("-._ 0123456789", c) >= 0 }
	for at := 0; ; {
		i := strings.Index(name[at:], word)
		if i < 0 {
			return false
		}
		first, end := at+i, at+i+len(word)
		if (first == 0 || mark(name[first-1])) && (end == len(name) && whole || end < len(name) && mark(name[end])) {
			return true
		}
		at = first + 1
	}
}

// alike makes files of those names whose format is the most common one: a table in CSV may lie
// beside the same rows in Parquet.
func (p *place) alike(dir string, names []string) (files []file) {
	count := map[string]int{}
	for _, name := range names {
		count[ending(name)]++
	}
	best := ""
	for _, e := range []string{".parquet", ".arrow", ".jsonl", ".json", ".csv", ".tsv", ".txt"} {
		if count[e] > count[best] {
			best = e
		}
	}
	for _, name := range names {
		if ending(name) == best {
			files = append(files, p.file(path.Join(dir, name)))
		}
	}
	return files
}

// notRows are files that repositories have beside their rows.
var notRows = []string{"config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json"}

// below lists the files of rows in a folder and the folders below it, sorted.
func (p *place) below(dir string) (names []string, err error) {
	err = fs.WalkDir(p, dir, func(name string, d fs.DirEntry, err error) error {
		if missing(err) && name == dir {
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		base := path.Base(name)
		hidden := strings.HasPrefix(base, ".") && base != "." || strings.HasPrefix(base, "__")
		switch {
		case d.IsDir() && hidden && name != dir:
			return fs.SkipDir
		case !d.IsDir() && !hidden && ending(name) != "" && !slices.Contains(notRows, base):
			if dir != "." {
				name = strings.TrimPrefix(name, dir+"/")
			}
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// matching lists the files below a folder that patterns of README.md mean.
func (p *place) matching(dir string, patterns []string) (files []file, err error) {
	names, err := p.below(dir)
	if err != nil {
		return nil, err
	}
	for _, pattern := range patterns {
		parts := strings.Split(path.Clean(pattern), "/")
		n := len(files)
		for _, name := range names {
			if matches(parts, strings.Split(name, "/")) && !slices.ContainsFunc(files, func(f file) bool { return f.place == p.file(path.Join(dir, name)).place }) {
				files = append(files, p.file(path.Join(dir, name)))
			}
		}
		if len(files) == n {
			return nil, fmt.Errorf("%s: README.md names %s, and there is no such file of rows", p.file(dir).place, pattern)
		}
	}
	return files, nil
}

// matches reports whether a pattern means a file: ** is any number of folders.
func matches(pattern, name []string) bool {
	if len(pattern) == 0 {
		return len(name) == 0
	}
	if pattern[0] == "**" {
		if len(pattern) == 1 {
			return len(name) > 0
		}
		return matches(pattern[1:], name) || len(name) > 0 && matches(pattern, name[1:])
	}
	if len(name) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], name[0])
	return ok && matches(pattern[1:], name[1:])
}

// quote makes a pattern that means a name alone.
func quote(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
