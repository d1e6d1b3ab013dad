package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/chat/jinja"
	"olmo/config"
	"olmo/eval"
)

// exports write what a run came to as another program would have left it, in a folder of the model's
// name.
var exports = map[string]func(folder string, run *eval.Run, results *eval.Results) error{
	formatHarness: exportHarness,
	formatOLMES:   exportOLMES,
}

// Exports are the programs whose folders Export writes.
func Exports() []string { return slices.Sorted(maps.Keys(exports)) }

// CheckExport refuses a program that Export does not know.
func CheckExport(format string) error {
	if exports[format] != nil {
		return nil
	}
	if near, ok := config.Nearest(format, Exports()); ok {
		return fmt.Errorf("%q is no form to export to\nhint: did you mean %s?", format, near)
	}
	return fmt.Errorf("%q is no form to export to\nhint: there are %s", format, strings.Join(Exports(), ", "))
}

// Export writes the jobs of a run that is done into export-FORMAT/MODEL of the run's folder, and
// returns that folder. The same results are written under the same names; of earlier exports what is
// there anew goes, all else stays.
func Export(format string, run *eval.Run, results *eval.Results) (folder string, err error) {
	if err := CheckExport(format); err != nil {
		return "", err
	}
	names := map[string]string{}
	for _, j := range run.Jobs {
		stem := sanitized(j.Name)
		if other := names[stem]; other != "" {
			return "", fmt.Errorf("exporting to %s: %s and %s would have the same files\nhint: another --out for one of them", format, other, j.Name)
		}
		names[stem] = j.Name
	}
	model := sanitized(results.ModelName)
	if slices.Contains([]string{"", ".", ".."}, model) { // which name other folders
		model = "model"
	}
	folder = filepath.Join(run.Out, "export-"+format, model)
	if err := exports[format](folder, run, results); err != nil {
		return "", fmt.Errorf("exporting to %s: %w", folder, err)
	}
	return folder, nil
}

// exporter is how results say that this program wrote them in another one's form.
const exporter = "olmo"

var unsafeInNames = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`["<>:/|\\?*\[\]]+`) })

// sanitized is a name as lm-eval 0.4.13 makes a folder's of it (utils.py, sanitize_model_name).
func sanitized(name string) string { return unsafeInNames().ReplaceAllString(name, "__") }

// values are a document's values by one filter, in the order of the task's metrics; those of
// documents alone are left out.
func values(t *eval.Task, a *eval.Asked, filter string) object {
	var out object
	for _, m := range t.Metrics {
		name := m.Name
		if filter != noFilter {
			name += "," + filter
		}
		if v, ok := a.Lines[0].Scores[name]; ok && m.Figure.Name != eval.NoFigure.Name {
			out = append(out, member{m.Name, v})
		}
	}
	if l := &a.Lines[0]; t.Kind == eval.Documents && l.Logprob != nil {
		out = append(out, member{"bits_per_byte", []float64{*l.Logprob, float64(l.Bytes)}})
	}
	return out
}

// target is the right answer as lm-eval logs it: Python's str.
func target(d *eval.Document) (string, error) {
	var parts []any
	switch {
	case d.Target != "":
		return d.Target, nil
	case len(d.Gold) == 1:
		return strconv.Itoa(d.Gold[0]), nil
	case len(d.Gold) == 0 && len(d.Targets) == 1:
		return d.Targets[0], nil
	case len(d.Gold) > 0:
		for _, g := range d.Gold {
			parts = append(parts, int64(g))
		}
	case len(d.Targets) > 0:
		for _, t := range d.Targets {
			parts = append(parts, t)
		}
	default:
		return "", nil
	}
	return jinja.Text(jinja.NewList(parts...))
}

// row is the row that a document was made of, else an object that says what is known of it.
func row(a *eval.Asked) json.RawMessage {
	if a.Row != nil {
		return a.Row
	}
	o := object{}
	if a.ID != "" {
		o = append(o, member{"id", a.ID})
	}
	if r := &a.Requests[0]; r.Form == eval.Rolling {
		o = append(o, member{"text", r.Continuation})
	}
	text, err := o.MarshalJSON()
	if err != nil {
		panic(err) // texts have JSON
	}
	return text
}

// generation are the settings of a text: what the task's definition says, else those of the request.
func generation(t *eval.Task, r *eval.Request) any {
	if kwargs, ok := t.Config["generation_kwargs"].(map[string]any); ok {
		return kwargs
	}
	o := object{{"until", r.Until}, {"do_sample", r.Sampling.Temperature > 0}, {"temperature", r.Sampling.Temperature}}
	if r.MaxTokens > 0 {
		o = append(o, member{"max_gen_toks", r.MaxTokens})
	}
	return o
}

// object is an object of JSON whose members have an order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(m.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
