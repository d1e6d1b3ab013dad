package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"olmo/page"
)

// summary is the template, filled in.
func (f *facts) summary() *paper {
	t := f.content
	p := &paper{
		Title: "Public summary of training content: " + orNot(said(t.Model, "name")),
		Lead: []string{
			"This summary follows the template for Article 53(1)(d) of Regulation (EU) 2024/1689 (AI Act), Communication C(2025) 8311. Its figures were counted in the documents that the model was trained on; its statements are the provider's.",
		},
		Parts: []part{
			{Title: "1. General information", Subs: []sub{f.providerSub(), f.modelSub(), f.modalitySub()}},
			{Title: "2. Data sources", Aside: "Shares are of the bytes of all texts. A data set of 3 % and more is large.", Subs: f.sourceSubs(true)},
			{Title: "3. Data processing", Subs: f.processingSubs()},
		},
	}
	if d := f.date(); d != "" {
		p.Lead = append(p.Lead, "Last update: "+d+".")
	}
	if n := len(t.Unstated); n > 0 {
		p.Parts = append(p.Parts, part{
			Title: "Not stated", Aside: "What the template asks for, and neither the data nor the provider says.",
			Subs: []sub{{Text: []string{strings.Join(t.Unstated, ", ") + "."}}},
		})
	}
	return p
}

// statements are the answers under the names that are asked for, and then all others.
func statements(v any, names []string, words map[string]string) []fact {
	var out []fact
	for _, name := range names {
		out = append(out, fact{words[name], orNot(said(v, name))})
	}
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(names, name) && !slices.Contains(computed, name) && name != "kind" {
			out = append(out, fact{titled(name), orNot(inWords(m[name]))})
		}
	}
	return out
}

// titled is the name of a statement in words: intended_use is "Intended use".
func titled(name string) string {
	words := []rune(strings.ReplaceAll(name, "_", " "))
	if len(words) > 0 {
		words[0] = unicode.ToUpper(words[0])
	}
	return string(words)
}

func (f *facts) providerSub() sub {
	return sub{Title: "1.1 Provider", Facts: statements(f.content.Provider, asked["provider"], map[string]string{
		"name": "Name", "contact": "Contact", "representative": "Authorised representative in the Union",
	})}
}

func (f *facts) modelSub() sub {
	s := sub{Title: "1.2 Model", Facts: []fact{{"Name", orNot(said(f.content.Model, "name"))}}}
	s.Facts = append(s.Facts, statements(f.content.Model, asked["model"], map[string]string{
		"license": "Licence", "released": "Placed on the market", "based_on": "Models that it is based on",
	})...)
	return s
}

func (f *facts) modalitySub() sub {
	t, c := f.content, &f.data
	s := sub{Title: "1.3 Modalities, size and characteristics", Facts: []fact{{"Modality", "text"}}}
	if !c.known {
		s.Text = []string{"The release has no list of its documents, so that nothing can be counted here."}
		return s
	}
	size := *t.TextSize + " (" + page.Grouped(c.Tokens) + " tokens in " + page.Grouped(c.Documents) + " documents"
	if c.texts {
		size += ", " + page.Grouped(c.Bytes) + " bytes"
	}
	s.Facts = append(s.Facts, fact{"Size", size + ")"})
	when := notStated
	if c.First != "" {
		when = "from " + c.First + " to " + c.Last
		if c.Dated < c.Documents {
			when += fmt.Sprintf(", of the %s documents that have a date", page.Grouped(c.Dated))
		}
	}
	s.Facts = append(s.Facts, fact{"Dates of the documents", when}, fact{"Languages", f.languagesInWords()})
	rows := table{Title: "Licences that the documents name", Words: 1, Head: []string{"licence", "documents", "share"}}
	for _, l := range c.Licenses {
		name := l.Name
		if name == "" {
			name = "none stated"
		}
		rows.Rows = append(rows.Rows, []string{name, page.Grouped(l.Documents), percent(c.share(&l.tally))})
	}
	s.Tables = append(s.Tables, rows)
	return s
}

// languagesInWords lists the languages with their shares, the largest first.
func (f *facts) languagesInWords() string {
	if len(f.content.Languages) == 0 {
		return notStated
	}
	var words []string
	measured := false
	for _, l := range f.content.Languages {
		word := "none named"
		if l.Language != nil {
			word = *l.Language
		}
		if l.Share != nil {
			word += " (" + percent(*l.Share) + ")"
		}
		words, measured = append(words, word), measured || l.Measured
	}
	text := strings.Join(words, ", ")
	if measured {
		text += ", as measured on a sample of the texts"
	}
	return text
}

// percent writes a share with one decimal.
func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// sourceSubs are the sources by their kind, each with what was said of it; with all, also the kinds
// of which there is none.
func (f *facts) sourceSubs(all bool) []sub {
	var out []sub
	add := func(title, kind string, always bool) {
		s := sub{Title: title}
		rows := table{Words: 1, Head: []string{"source", "documents", "share", "from", "to"}}
		var said []fact
		for i := range f.data.Sources {
			x := &f.data.Sources[i]
			if f.about.kind(x.Name) != kind {
				continue
			}
			name := x.Name
			if name == "" {
				name = "documents that name no source"
			}
			rows.Rows = append(rows.Rows, []string{name, page.Grouped(x.Documents), percent(f.data.share(&x.tally)), orNot(x.First), orNot(x.Last)})
			words := map[string]string{}
			for _, n := range asks[kind] {
				words[n] = titled(n)
			}
			for _, a := range statements(map[string]any(f.about.Sources[x.Name]), asks[kind], words) {
				said = append(said, fact{name + ": " + strings.ToLower(a.Name), a.Value})
			}
		}
		if len(rows.Rows) == 0 {
			if always {
				out = append(out, sub{Title: title, Text: []string{"None was stated."}})
			}
			return
		}
		s.Tables, s.Facts = []table{rows}, said
		if kind == "crawled" {
			s.Tables = append(s.Tables, f.domainTable())
		}
		out = append(out, s)
	}
	for _, k := range kinds {
		title := k.title
		if all {
			title = k.section + " " + title
		}
		add(title, k.name, all)
	}
	add("Sources whose kind is not stated", "", false)
	var without []string
	for _, name := range slices.Sorted(maps.Keys(f.about.Sources)) {
		if !slices.ContainsFunc(f.data.Sources, func(s named) bool { return s.Name == name }) {
			without = append(without, name)
		}
	}
	if len(without) > 0 {
		out = append(out, sub{Title: "Sources without documents", Text: []string{"The provider describes sources that no document names: " + strings.Join(without, ", ") + "."}})
	}
	return out
}

// domainTable has the largest tenth of the domains.
func (f *facts) domainTable() table {
	t := f.content
	rows := table{Title: fmt.Sprintf("The largest tenth of %s domains, by bytes", page.Grouped(t.allDomains)), Words: 1, Head: []string{"domain", "documents", "bytes"}}
	for _, d := range t.Domains {
		rows.Rows = append(rows.Rows, []string{d.Domain, page.Grouped(d.Documents), counted(d.Bytes)})
	}
	return rows
}

// counted writes a number that may not be known.
func counted(n *int64) string {
	if n == nil {
		return "not known"
	}
	return page.Grouped(*n)
}

func (f *facts) processingSubs() []sub {
	t := f.content
	text := func(s *string) []string {
		if s == nil {
			return []string{"Not stated."}
		}
		return []string{*s}
	}
	filters := sub{Title: "3.3 Other"}
	if t.Other != nil {
		filters.Text = text(t.Other)
	}
	if len(t.Filters) == 0 {
		filters.Text = append(filters.Text, "What curation removed is not recorded.")
	} else {
		filters.Tables = []table{f.filterTable()}
	}
	return []sub{
		{Title: "3.1 Reservation of rights", Text: text(t.ReservationOfRights)},
		{Title: "3.2 Removal of illegal content", Text: text(t.IllegalContent)},
		filters,
	}
}

// filterTable is what curation took out, by rule.
func (f *facts) filterTable() table {
	rows := table{Title: "What curation removed before training, by rule", Words: 1, Head: []string{"rule", "documents", "bytes"}}
	for _, r := range f.in.Removed {
		rows.Rows = append(rows.Rows, []string{r.Rule, page.Grouped(r.Documents), page.Grouped(r.Bytes)})
	}
	return rows
}
