package report

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/page"
)

// modelCard is the card of the model, as Hugging Face's hub shows it.
func (f *facts) modelCard() []byte {
	var m frontMatter
	m.put("library_name", "transformers")
	m.put("pipeline_tag", "text-generation")
	m.license(f.about.license())
	m.list("language", f.cardLanguages())
	m.list("datasets", f.hubDatasets())
	if base := said(f.about.Model, "base_model"); hubName().MatchString(base) {
		m.put("base_model", base)
	}
	tags := []string{"olmo"}
	if f.model.Kind != "" && f.model.Kind != tags[0] {
		tags = append(tags, f.model.Kind)
	}
	m.list("tags", tags)
	m.WriteString(f.modelIndex())
	return append(m.bytes(), f.modelPaper().markdown()...)
}

// cardLanguages are the codes that a card names: those of a twentieth of the texts and more.
func (f *facts) cardLanguages() []string {
	var out []string
	for _, l := range f.content.Languages {
		if l.Language != nil && (l.Share == nil || *l.Share >= 0.05) && *l.Language != "und" {
			out = append(out, strings.ToLower(strings.FieldsFunc(*l.Language, func(r rune) bool { return r == '-' || r == '_' })[0]))
		}
	}
	return out
}

var hubName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$`)
})

// hubDatasets are the sources that were stated to lie on the hub.
func (f *facts) hubDatasets() []string {
	var out []string
	for _, s := range f.data.Sources {
		name, ok := strings.CutPrefix(said(map[string]any(f.about.Sources[s.Name]), "url"), "https://huggingface.co/datasets/")
		if name = strings.TrimSuffix(name, "/"); ok && hubName().MatchString(name) {
			out = append(out, name)
		}
	}
	return out
}

// modelIndex is the results of evaluations in the form of the hub's model index; empty without any.
func (f *facts) modelIndex() string {
	if len(f.scores) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("model-index:\n- name: " + quoted(f.title()) + "\n  results:\n")
	for _, s := range f.scores {
		b.WriteString("  - task:\n      type: text-generation\n    dataset:\n      name: " + quoted(s.Task) + "\n      type: " + quoted(s.Task) + "\n")
		b.WriteString("    metrics:\n    - type: " + quoted(s.Metric) + "\n      value: " + number(s.Value) + "\n      name: " + quoted(s.name()) + "\n")
	}
	return b.String()
}

// name is what a score is called: the metric, and after how many examples.
func (s *score) name() string {
	if s.Shots == nil {
		return s.Metric
	}
	return fmt.Sprintf("%s, %d-shot", s.Metric, *s.Shots)
}

// number is a figure with all its digits, as JSON and YAML read it.
func number(x float64) string {
	b, err := json.Marshal(x)
	if err != nil {
		return "null" // no number at all
	}
	return string(b)
}

// rounded is a figure for readers, with four digits.
func rounded(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

func (f *facts) modelPaper() *paper {
	p := &paper{Title: f.title(), Lead: []string{f.modelLead()}}
	if d := f.date(); d != "" {
		p.Lead = append(p.Lead, "This card is of "+d+".")
	}
	p.Parts = append(p.Parts, part{Title: "Model", Subs: []sub{{Facts: f.modelRows()}}})
	if len(f.scores) > 0 {
		p.Parts = append(p.Parts, part{Title: "Evaluation", Aside: "Every request and answer is in eval/.", Subs: []sub{{Tables: []table{f.scoreTable()}}}})
	} else {
		p.Parts = append(p.Parts, part{Title: "Evaluation", Subs: []sub{{Text: []string{"The release has no results of an evaluation."}}}})
	}
	p.Parts = append(p.Parts,
		part{Title: "Training data", Aside: "report/data-card.md has more; report/training-content.html is the summary that the European Union's AI Act asks for.", Subs: []sub{{Facts: f.dataRows()}}},
		part{Title: "Training", Subs: []sub{{Facts: f.trainingRows()}}},
		part{Title: "Use and limits", Subs: []sub{{Facts: f.useRows()}}},
		part{Title: "Versions", Aside: "Each is a folder of its own that Transformers loads; on a hub, a branch.", Subs: []sub{{Tables: []table{f.revisionTable()}}}},
		part{
			Title: "Check it", Aside: "Nobody has to believe this card: its figures can be computed again from the release.",
			Subs: []sub{{Text: []string{"The first command compares all files with what the release says of them and of the run; the second computes steps of the training again, bit for bit."}, Commands: []string{"olmo verify .", "olmo replay . --sample 3"}}},
		})
	return p
}

func (f *facts) modelLead() string {
	what := "A language model"
	if f.model.Parameters > 0 {
		what += " of " + page.Grouped(f.model.Parameters) + " parameters"
	}
	if f.model.Class != "" {
		what += " (" + f.model.Class + ")"
	}
	if f.training.Tokens > 0 {
		what += ", trained for " + page.Grouped(f.training.Steps) + " steps on " + page.Grouped(f.training.Tokens) + " tokens"
	}
	return what + "."
}

// modelRows describe the model.
func (f *facts) modelRows() []fact {
	rows := []fact{{"Name", orNot(f.in.Name)}, {"Licence", orNot(f.about.license())}, {"Provider", orNot(said(f.about.Provider, "name"))}}
	if f.model.known {
		rows = append(rows, fact{"Architecture", orNot(f.model.Class)}, fact{"Parameters", page.Grouped(f.model.Parameters)})
		for _, x := range []struct{ key, name string }{
			{"num_hidden_layers", "Layers"},
			{"hidden_size", "Width"},
			{"num_attention_heads", "Attention heads"},
			{"num_key_value_heads", "Key and value heads"},
			{"intermediate_size", "Width of the MLP"},
			{"max_position_embeddings", "Positions"},
			{"vocab_size", "Vocabulary"},
		} {
			if n, ok := f.model.Config[x.key].(float64); ok {
				rows = append(rows, fact{x.name, page.Grouped(n)})
			}
		}
	}
	return append(rows, fact{"Based on", orNot(said(f.about.Model, "based_on"))})
}

// scoreTable is the evaluations' figures.
func (f *facts) scoreTable() table {
	t := table{Words: 2, Head: []string{"task", "metric", "value", "documents", "standard error"}}
	if !slices.ContainsFunc(f.scores, func(s score) bool { return s.Error != nil }) {
		t.Head = t.Head[:4]
	}
	for _, s := range f.scores {
		row := []string{s.Task, s.name(), rounded(s.Value), "", ""}
		if s.Questions > 0 {
			row[3] = page.Grouped(s.Questions)
		}
		if s.Error != nil {
			row[4] = rounded(*s.Error)
		}
		row = row[:len(t.Head)]
		t.Rows = append(t.Rows, row)
	}
	return t
}

// dataRows are the corpus in a few figures.
func (f *facts) dataRows() []fact {
	c := &f.data
	if !c.known {
		return []fact{{"Documents", "not known: the release has no list of them"}}
	}
	rows := []fact{{"Documents", page.Grouped(c.Documents)}, {"Tokens, each once", page.Grouped(c.Tokens)}}
	if c.texts {
		rows = append(rows, fact{"Text", page.Grouped(c.Bytes) + " bytes"})
	}
	var sources []string
	for i, s := range c.Sources {
		if i == 8 {
			sources = append(sources, fmt.Sprintf("and %d more", len(c.Sources)-i))
			break
		}
		sources = append(sources, fmt.Sprintf("%s (%s)", orNot(s.Name), percent(c.share(&s.tally))))
	}
	return append(rows, fact{"Sources", orNot(strings.Join(sources, ", "))}, fact{"Languages", f.languagesInWords()}, fact{"Licences", f.licencesInWords()})
}

func (f *facts) licencesInWords() string {
	var words []string
	for _, l := range f.data.Licenses {
		words = append(words, fmt.Sprintf("%s (%s)", orNot(l.Name), percent(f.data.share(&l.tally))))
	}
	return orNot(strings.Join(words, ", "))
}

// trainingRows are the run in a few figures.
func (f *facts) trainingRows() []fact {
	t := &f.training
	rows := []fact{{"Program", f.in.Program.String()}}
	if t.Steps > 0 {
		rows = append(rows, fact{"Steps", page.Grouped(t.Steps)})
	}
	if t.Tokens > 0 {
		rows = append(rows, fact{"Tokens seen, repeats counted", page.Grouped(t.Tokens)})
	}
	if t.LossSteps > 0 {
		rows = append(rows, fact{fmt.Sprintf("Loss, mean of the last %d steps", t.LossSteps), rounded(t.Loss) + " nats a token"})
	}
	if t.Energy > 0 {
		how := "estimated"
		if t.Measured {
			how = "measured by the processor's counters"
		}
		amount := rounded(t.Energy) + " kWh"
		if t.Energy < 0.1 {
			amount = rounded(1000*t.Energy) + " Wh"
		}
		rows = append(rows, fact{"Energy", amount + ", " + how})
	}
	return append(rows, fact{"All settings", "train/config.yaml; report/technical-report.md shows them"})
}

// useRows are what a person has to say about use.
func (f *facts) useRows() []fact {
	var rows []fact
	for _, x := range []struct{ key, name string }{{"intended_use", "Intended use"}, {"limitations", "Limits"}, {"risks", "Risks"}, {"contact", "Contact"}} {
		text := said(f.about.Model, x.key)
		if x.key == "contact" && text == "" {
			text = said(f.about.Provider, x.key)
		}
		rows = append(rows, fact{x.name, orNot(text)})
	}
	return rows
}

func (f *facts) revisionTable() table {
	t := table{Words: 2, Head: []string{"version", "folder", "step"}}
	for _, r := range f.in.Revisions {
		t.Rows = append(t.Rows, []string{r.Name, r.Path, page.Grouped(r.Step)})
	}
	return t
}
