package report

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"olmo/config"
	"olmo/store"
)

// About is what only a person can say of a release, as a YAML file. All of it may be left out;
// reports then call it not stated.
type About struct {
	// Provider and Model are a text, or a mapping of names to texts: any names, those of
	// asked are asked for.
	Provider any `yaml:"provider"`
	Model    any `yaml:"model"`
	// Sources says of each source of documents, by its name, what it is: kind (one of kinds), and
	// whatever else there is to say.
	Sources map[string]map[string]any `yaml:"sources"`
	// ReservationOfRights is what was done to respect those who opted out of text and data
	// mining, IllegalContent what was done to keep illegal content out, Other anything else
	// about the data.
	ReservationOfRights string `yaml:"reservation_of_rights"`
	IllegalContent      string `yaml:"illegal_content"`
	Other               string `yaml:"other"`
	// TechnicalReport and ResearchPaper are files, from the folder of this one, which become part
	// of the release; the first in place of the one that is made of the run.
	TechnicalReport string `yaml:"technical_report"`
	ResearchPaper   string `yaml:"research_paper"`

	folder string // of the file
}

// kinds are those of sources, in the words of the European template.
var kinds = []struct{ name, section, title string }{
	{"public", "2.1", "Publicly available data sets"},
	{"licensed", "2.2", "Private data sets from third parties"},
	{"crawled", "2.3", "Data crawled and scraped from online sources"},
	{"user", "2.4", "User data"},
	{"synthetic", "2.5", "Synthetic data"},
	{"other", "2.6", "Other sources of data"},
}

// asked are the names under which the templates ask for statements.
var asked = map[string][]string{
	"provider": {"name", "contact", "representative"},
	"model":    {"license", "released", "based_on"},
	"source":   {"kind", "description", "url", "crawler", "period", "license", "generator"},
}

// asks are the statements that a source of each kind is asked for, beside its kind.
var asks = map[string][]string{
	"public": {"description", "url"}, "licensed": {"description"}, "crawled": {"description", "crawler"},
	"user": {"description"}, "synthetic": {"description", "generator"}, "other": {"description"},
}

// computed are what reports find out of a source by themselves.
var computed = []string{"name", "documents", "tokens", "bytes", "share", "large", "first", "last"}

// ReadAbout reads the statements in a YAML file. A mistake is a *config.Error, or says which key is wrong.
func ReadAbout(file string) (*About, error) {
	a := &About{folder: filepath.Dir(file)}
	if err := config.Load(file, nil, a); err != nil {
		return nil, err
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return a, nil
}

func (a *About) check() error {
	for _, s := range []struct {
		key string
		v   any
	}{{"provider", a.Provider}, {"model", a.Model}} {
		if err := checkStatement(s.key, s.v, asked[s.key]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Sources)) {
		source := a.Sources[name]
		key := "sources." + name
		if err := checkStatement(key, source, asked["source"]); err != nil {
			return err
		}
		for _, c := range computed {
			if _, ok := source[c]; ok {
				return fmt.Errorf("%s.%s cannot be stated: it is counted in the data", key, c)
			}
		}
		if kind, ok := source["kind"]; ok && kind != nil && !slices.Contains(kindNames(), fmt.Sprint(kind)) {
			return fmt.Errorf("%s.kind is %q, want one of %s", key, fmt.Sprint(kind), strings.Join(kindNames(), ", "))
		}
	}
	if m, ok := a.Model.(map[string]any); ok && m["name"] != nil {
		return fmt.Errorf("model.name cannot be stated: it is the release's\nhint: olmo release --name ORG/NAME")
	}
	return nil
}

// checkStatement refuses what no report could show, and a name that is a misspelt known one.
func checkStatement(key string, v any, known []string) error {
	m, ok := v.(map[string]any)
	if !ok {
		if _, isList := v.([]any); isList {
			return fmt.Errorf("%s is a list, want a text or a mapping of names to texts", key)
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if near, ok := config.Nearest(name, known); ok && near != name && len(name) > 4 && m[near] == nil {
			return fmt.Errorf("%s.%s is not known\nhint: did you mean %s.%s?", key, name, key, near)
		}
		switch v := m[name].(type) {
		case map[string]any:
			return fmt.Errorf("%s.%s is a mapping, want a text or a list of texts", key, name)
		case []any:
			for _, x := range v {
				switch x.(type) {
				case map[string]any, []any:
					return fmt.Errorf("%s.%s holds more than texts", key, name)
				}
			}
		}
	}
	return nil
}

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// said is the text of a statement under a name, empty where nobody made it. A statement that is a
// text is its name.
func said(v any, name string) string {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		return inWords(v[name])
	default:
		if name == "name" {
			return inWords(v)
		}
	}
	return ""
}

// inWords writes a value of a statement: a list with commas.
func inWords(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		var words []string
		for _, x := range v {
			words = append(words, inWords(x))
		}
		return strings.Join(words, ", ")
	}
	return strings.TrimSpace(fmt.Sprint(v))
}

// kind is a source's, empty where nobody stated it.
func (a *About) kind(source string) string { return said(map[string]any(a.Sources[source]), "kind") }

// license is the model's, as it was stated.
func (a *About) license() string { return said(a.Model, "license") }

// paperFile is a document of the user's on its way into the release.
type paperFile struct {
	key  string // of the statement that names it
	path string
	text []byte
}

// papers reads the documents that the statements name.
func (a *About) papers() ([]paperFile, error) {
	var out []paperFile
	for _, p := range []struct{ key, name, file string }{
		{"technical_report", "technical-report", a.TechnicalReport}, {"research_paper", "research-paper", a.ResearchPaper},
	} {
		if p.file == "" {
			continue
		}
		file := p.file
		if !filepath.IsAbs(file) {
			file = filepath.Join(a.folder, filepath.FromSlash(file))
		}
		text, err := store.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", p.key, err)
		}
		if len(text) == 0 {
			return nil, fmt.Errorf("reading %s: %s is empty", p.key, file)
		}
		out = append(out, paperFile{p.key, Folder + "/" + p.name + strings.ToLower(filepath.Ext(file)), text})
	}
	return out, nil
}
