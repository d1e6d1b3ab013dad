package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/page"
)

// technicalReport tells how the model was made, with every setting, so that somebody could make it again.
func (f *facts) technicalReport() []byte {
	p := &paper{
		Title: "How " + f.title() + " was made",
		Lead: []string{
			"A technical report that was computed from the run: the model, its data, its training with every setting that can change a bit of it, and what came out. What a person would have to add is not in it.",
			f.modelLead(),
		},
		Parts: []part{
			{Title: "Model", Subs: []sub{{Tables: []table{settings("setting of model/main/config.json", f.model.Config)}}}},
			{Title: "Data", Aside: "report/data-card.md describes the documents; train/data-indices/ has the order in which they were read.", Subs: []sub{{Facts: f.dataRows()}}},
			{Title: "Training", Subs: []sub{{Facts: f.trainingRows()}, {Title: "Course", Tables: []table{f.curveTable()}}}},
			{Title: "Settings", Aside: f.recipesInWords(), Subs: []sub{{Tables: []table{settings("setting", f.training.Recipe)}}}},
			{Title: "Results", Subs: []sub{{Tables: []table{f.scoreTable()}}}},
			{Title: "Checkpoints", Subs: []sub{{Tables: []table{f.revisionTable()}}}},
			{Title: "Make it again", Subs: []sub{{
				Text:     []string{"The same program computes the same bits on every machine. The first command trains anew from the data of the release, into a folder beside it; the second computes some of the recorded steps again and compares them."},
				Commands: []string{"olmo train train/config.yaml", "olmo replay . --sample 3"},
			}}},
			{Title: "Program", Subs: []sub{{Text: []string{f.in.Program.String() + ", " + f.in.Program.Go + ". report/program.json has the modules inside, with their hashes."}}}},
		},
	}
	// A part that has nothing to say is left out.
	p.Parts = slices.DeleteFunc(p.Parts, func(x part) bool {
		s := x.Subs[0]
		return len(s.Text)+len(s.Facts)+len(s.Commands) == 0 && len(s.Tables) == 1 && len(s.Tables[0].Rows) == 0
	})
	return p.markdown()
}

// recipesInWords says where the settings stand: those of a run that went on with others are in several files.
func (f *facts) recipesInWords() string {
	text := recipeFile + ", which the run's chain binds."
	var later []string
	for _, x := range f.below("train/recipe-") {
		later = append(later, x.Path)
	}
	if len(later) > 0 {
		text += " The run went on with other settings from the steps on that are in the names of " + strings.Join(later, ", ") + "; the table has those of its beginning."
	}
	return text
}

// curveTable is the loss at a few steps.
func (f *facts) curveTable() table {
	t := table{Head: []string{"step", "loss, nats a token", "learning rate", "gradient norm"}}
	for _, r := range f.training.Curve {
		t.Rows = append(t.Rows, []string{page.Grouped(r.Step), rounded(r.Loss), rounded(r.Rate), rounded(r.GradNorm)})
	}
	return t
}

// settings are all values of an object, with the path of each.
func settings(head string, object map[string]any) table {
	t := table{Words: 2, Head: []string{head, "value"}}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(strings.TrimPrefix(path+"."+key, "."), v[key])
			}
		case []any:
			t.Rows = append(t.Rows, []string{path, listed(v)})
		case nil:
			t.Rows = append(t.Rows, []string{path, "null"})
		case float64:
			t.Rows = append(t.Rows, []string{path, number(v)})
		default:
			t.Rows = append(t.Rows, []string{path, fmt.Sprint(v)})
		}
	}
	walk("", any(object))
	return t
}

// listed writes the beginning of a list, and how many values it has where that is not all.
func listed(list []any) string {
	const most = 8
	var words []string
	for _, v := range list[:min(len(list), most)] {
		if x, ok := v.(float64); ok {
			v = number(x)
		}
		words = append(words, fmt.Sprint(v))
	}
	if n := len(list) - most; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}
