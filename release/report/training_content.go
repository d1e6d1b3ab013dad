package report

import (
	"maps"
	"slices"
	"strings"
)

// trainingContent is the public summary of training content that Article 53(1)(d) of the European
// Union's AI Act asks of providers, for programs; summary writes it in the form of the template
// (Communication C(2025) 8311). What is null nobody knows or stated.
type trainingContent struct {
	Provider any    `json:"provider"`
	Model    any    `json:"model"`
	Tokens   *int64 `json:"tokens"` // of the data, each once
	// Documents are those of the token files, Bytes their texts' as UTF-8.
	Documents *int64           `json:"documents"`
	Bytes     *int64           `json:"bytes"`
	TextSize  *string          `json:"text_size"` // the template's words
	First     *string          `json:"first"`     // day of the oldest document
	Last      *string          `json:"last"`
	Sources   []map[string]any `json:"sources"`
	Domains   []domainCount    `json:"domains"`
	Languages []languageCount  `json:"languages"`
	Licenses  []licenseCount   `json:"licenses"`
	Filters   []Removal        `json:"filters"`

	ReservationOfRights *string `json:"reservation_of_rights"`
	IllegalContent      *string `json:"illegal_content"`
	Other               *string `json:"other"`
	// Unstated are the members that nobody stated, sorted.
	Unstated []string `json:"unstated"`

	allDomains int // of which Domains are the largest tenth
}

// domainCount is a registered domain from which documents were crawled.
type domainCount struct {
	Domain    string `json:"domain"`
	Bytes     *int64 `json:"bytes"`
	Documents int64  `json:"documents"`
}

// licenseCount is a licence that documents name; null for those that name none.
type licenseCount struct {
	License   *string `json:"license"`
	Documents int64   `json:"documents"`
	Bytes     *int64  `json:"bytes"`
}

// languageCount is a language that documents name, or that a measurement has found.
type languageCount struct {
	Language  *string  `json:"language"` // null: they name none
	Documents *int64   `json:"documents"`
	Bytes     *int64   `json:"bytes"`
	Share     *float64 `json:"share"`
	Measured  bool     `json:"measured,omitempty"` // on a sample of the texts, by their words
}

// largeShare is the share of the bytes from which on the template calls a data set large.
const largeShare = 0.03

// bytesOf is the size of a part of the corpus, nil where sizes are not known.
func (c *corpus) bytesOf(t *tally) *int64 {
	if !c.texts {
		return nil
	}
	return &t.Bytes
}

// maybe is a text, or nil where it is empty.
func maybe(text string) *string {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	}
	return &text
}

func (f *facts) trainingContent() *trainingContent {
	c := &f.data
	t := &trainingContent{
		Provider: f.about.Provider, Model: f.modelStatement(), First: maybe(c.First), Last: maybe(c.Last),
		Sources: []map[string]any{}, Domains: []domainCount{}, Languages: f.languages(), Licenses: []licenseCount{}, Filters: f.in.Removed,
		ReservationOfRights: maybe(f.about.ReservationOfRights), IllegalContent: maybe(f.about.IllegalContent), Other: maybe(f.about.Other),
	}
	if t.Filters == nil {
		t.Filters = []Removal{}
	}
	if c.known {
		t.Tokens, t.Documents, t.Bytes, t.TextSize = &c.Tokens, &c.Documents, c.bytesOf(&c.tally), maybe(textSize(c.Tokens))
	}
	for i := range c.Sources {
		t.Sources = append(t.Sources, f.source(&c.Sources[i]))
	}
	for _, name := range slices.Sorted(maps.Keys(f.about.Sources)) {
		if !slices.ContainsFunc(c.Sources, func(s named) bool { return s.Name == name }) {
			t.Sources = append(t.Sources, f.source(&named{Name: name}))
		}
	}
	t.allDomains = len(c.Domains)
	for _, d := range c.Domains[:(len(c.Domains)+9)/10] {
		t.Domains = append(t.Domains, domainCount{d.Name, c.bytesOf(&d.tally), d.Documents})
	}
	for _, l := range c.Licenses {
		t.Licenses = append(t.Licenses, licenseCount{maybe(l.Name), l.Documents, c.bytesOf(&l.tally)})
	}
	t.Unstated = f.unstated(t)
	return t
}

// textSize is the template's bracket for so many tokens.
func textSize(tokens int64) string {
	switch {
	case tokens < 1e9:
		return "less than 1 billion tokens"
	case tokens <= 10e12:
		return "1 billion to 10 trillion tokens"
	}
	return "more than 10 trillion tokens"
}

// modelStatement is what was said of the model, with the release's name.
func (f *facts) modelStatement() any {
	m, ok := f.about.Model.(map[string]any)
	if f.about.Model != nil && !ok {
		return f.about.Model
	}
	out := maps.Clone(m)
	if out == nil {
		out = map[string]any{}
	}
	if out["name"] = nil; f.in.Name != "" {
		out["name"] = f.in.Name
	}
	if _, ok := out["versions"]; !ok && len(f.in.Revisions) > 0 {
		out["versions"] = f.versions()
	}
	return out
}

// versions are the names of the release's revisions.
func (f *facts) versions() []any {
	var names []any
	for _, r := range f.in.Revisions {
		names = append(names, r.Name)
	}
	return names
}

// source is a source with its figures and what was said of it.
func (f *facts) source(s *named) map[string]any {
	out := map[string]any{"kind": nil}
	maps.Copy(out, f.about.Sources[s.Name])
	var share, large any
	if f.data.texts {
		x := f.data.share(&s.tally)
		share, large = x, x >= largeShare
	}
	maps.Copy(out, map[string]any{
		"name": maybe(s.Name), "documents": s.Documents, "tokens": s.Tokens, "bytes": f.data.bytesOf(&s.tally), "share": share, "large": large,
		"first": maybe(s.First), "last": maybe(s.Last),
	})
	return out
}

// languages are those that the documents name; where none does, those that were measured.
func (f *facts) languages() []languageCount {
	out := []languageCount{}
	c := &f.data
	for i, l := range c.Languages {
		if len(c.Languages) == 1 && l.Name == "" {
			break
		}
		row := languageCount{Language: maybe(l.Name), Documents: &c.Languages[i].Documents, Bytes: c.bytesOf(&c.Languages[i].tally)}
		if c.texts {
			x := c.share(&l.tally)
			row.Share = &x
		}
		out = append(out, row)
	}
	if len(out) > 0 {
		return out
	}
	for _, l := range f.in.Languages {
		row := languageCount{Language: maybe(l.Code)}
		if l.Share > 0 {
			row.Share, row.Measured = &l.Share, true
		}
		out = append(out, row)
	}
	return out
}

// unstated lists the members of the summary that the template asks for and that nobody stated.
func (f *facts) unstated(t *trainingContent) []string {
	out := []string{}
	missing := func(name string, is bool) {
		if is {
			out = append(out, name)
		}
	}
	statement := func(key string, v any, names []string) {
		if m, ok := v.(map[string]any); ok && len(m) > 0 {
			for _, name := range names {
				missing(key+"."+name, said(m, name) == "")
			}
		} else {
			missing(key, said(v, "name") == "")
		}
	}
	statement("provider", f.about.Provider, asked["provider"])
	if m, ok := t.Model.(map[string]any); ok {
		missing("model.name", f.in.Name == "")
		for _, name := range asked["model"] {
			missing("model."+name, said(m, name) == "")
		}
	}
	missing("tokens", t.Tokens == nil)
	missing("documents", t.Documents == nil)
	missing("bytes", t.Bytes == nil)
	missing("text_size", t.TextSize == nil)
	missing("first", t.First == nil)
	missing("last", t.Last == nil)
	missing("languages", len(t.Languages) == 0)
	missing("licenses", !slices.ContainsFunc(t.Licenses, func(l licenseCount) bool { return l.License != nil }))
	missing("filters", len(t.Filters) == 0)
	for _, s := range f.data.Sources {
		if s.Name == "" {
			missing("sources.name", true)
			continue
		}
		kind := f.about.kind(s.Name)
		missing("sources."+s.Name+".kind", kind == "")
		for _, name := range asks[kind] {
			missing("sources."+s.Name+"."+name, said(map[string]any(f.about.Sources[s.Name]), name) == "")
		}
	}
	missing("reservation_of_rights", t.ReservationOfRights == nil)
	missing("illegal_content", t.IllegalContent == nil)
	slices.Sort(out)
	return out
}
