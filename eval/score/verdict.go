package score

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"olmo/chat/jinja"
	"olmo/eval/python"
)

// A model judges: a prompt shows it each answer, and a pattern finds the verdict in what it says,
// as SimpleQA (Wei et al. 2024) and AlpacaEval (Li et al. 2023) do it.
var _ = define(Scorer{
	Name: "judge", Source: "a model's verdict: --judge, --judge-prompt, --judge-verdict", Model: true,
})

// ModelJudge asks a model for verdicts, and reads them.
type ModelJudge struct {
	prompt  *jinja.Template
	verdict *python.Regexp
	right   []string
	said    []string // of each row
}

// maxVerdicts is how many different verdicts have figures of their own.
const maxVerdicts = 20

// NewModelJudge is a judge by the pattern of its verdict, the first group or all that matches.
// Verdicts in right count as 1, others as 0; without them verdicts are numbers.
func NewModelJudge(verdict string, right []string) (*ModelJudge, error) {
	re, err := python.Compile(verdict, "")
	if err != nil {
		return nil, fmt.Errorf("the verdict: %w", err)
	}
	return &ModelJudge{verdict: re, right: right}, nil
}

// ReadPrompt reads what the model is asked: a template whose fields are the document's, doc,
// response, responses, target and targets.
func (m *ModelJudge) ReadPrompt(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	m.prompt, err = jinja.Compile(string(text), jinja.Options{KeepTrailingNewline: true, StrictUndefined: true})
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Prompts are what a model is asked for each row.
func (m *ModelJudge) Prompts(a *Answers) ([]string, error) {
	prompts := make([]string, len(a.Rows))
	for i := range a.Rows {
		fields, err := a.Rows[i].templateFields()
		if err == nil {
			prompts[i], err = m.prompt.Render(fields, time.Now)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the judge's prompt: %w", a.places[i], err)
		}
	}
	return prompts, nil
}

// templateFields are a row's as a prompt sees them.
func (r *Row) templateFields() (map[string]any, error) {
	response, err := r.Response()
	if err != nil {
		return nil, err
	}
	fields := map[string]any{}
	if len(r.Doc) > 0 {
		d := json.NewDecoder(strings.NewReader(string(r.Doc)))
		d.UseNumber()
		doc, err := jinja.FromJSON(d)
		if err != nil {
			return nil, err
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(r.Doc, &members) == nil {
			for name, raw := range members {
				d := json.NewDecoder(strings.NewReader(string(raw)))
				d.UseNumber()
				if fields[name], err = jinja.FromJSON(d); err != nil {
					return nil, err
				}
			}
		}
		fields["doc"] = doc
	}
	fields["response"], fields["responses"] = response, listOf(r.Responses)
	if targets, err := r.answers(); err == nil {
		fields["target"], fields["targets"] = targets[0], listOf(targets)
	}
	return fields, nil
}

func listOf(texts []string) *jinja.List {
	items := make([]any, len(texts))
	for i, text := range texts {
		items[i] = text
	}
	return jinja.NewList(items...)
}

// Said takes what the model said of each row.
func (m *ModelJudge) Said(texts []string) { m.said = texts }

// Stored takes the judgements that the lines have from an earlier call.
func (m *ModelJudge) Stored(a *Answers) error {
	m.said = make([]string, len(a.Rows))
	for _, l := range a.lines {
		if l.row < 0 {
			continue
		}
		if !l.has("judgement") {
			return fmt.Errorf("%s: the line has no judgement\nhint: --judge asks a model for one", a.places[l.row])
		}
		if err := l.read("judgement", &m.said[l.row]); err != nil {
			return fmt.Errorf("%s: %w", a.places[l.row], err)
		}
	}
	return nil
}

// judge reads the verdicts of all rows.
func (m *ModelJudge) judge(a *Answers, out *judged, warn func(string)) error {
	verdicts := make([]*string, len(a.Rows))
	count := map[string]int{}
	for i, text := range m.said {
		found, err := m.verdict.Search(text)
		if err != nil {
			return fmt.Errorf("%s: %w", a.places[i], err)
		}
		out.beside = append(out.beside, map[string]any{"judgement": text})
		switch {
		case found == nil || len(found) > 1 && !found[1].Matched:
			continue
		case len(found) > 1:
			verdicts[i] = &found[1].Text
		default:
			verdicts[i] = &found[0].Text
		}
		count[*verdicts[i]]++
	}
	if none := len(verdicts) - sumOf(count); none > 0 {
		what := "they count as 0"
		if len(m.right) == 0 {
			what = "judge is of the others, judge_n of them"
		}
		warn(fmt.Sprintf("judge: in %d of %d judgements is no verdict; %s", none, len(verdicts), what))
	}
	if len(m.right) == 0 {
		return m.numbers(a, verdicts, out)
	}
	if len(count) > maxVerdicts {
		return fmt.Errorf("the judge's pattern finds %d different verdicts, %s among them\nhint: its first group is the verdict", len(count), strings.Join(slices.Sorted(maps.Keys(count))[:3], ", "))
	}
	for _, name := range m.right {
		if count[name] == 0 {
			warn(fmt.Sprintf("judge: no verdict is %s", name))
		}
	}
	var sum Sum
	for _, v := range verdicts {
		values := Values{"judge": number(v != nil && slices.Contains(m.right, *v))}
		for name := range count {
			values["judge,"+name] = number(v != nil && *v == name)
		}
		out.values = append(out.values, values)
		if err := sum.Add(values); err != nil {
			return err
		}
	}
	out.summary = sum.Summary()
	return nil
}

// numbers are verdicts that are numbers.
func (m *ModelJudge) numbers(a *Answers, verdicts []*string, out *judged) error {
	var sum Sum
	n := 0
	for i, v := range verdicts {
		values := Values{}
		if v != nil {
			x, err := strconv.ParseFloat(strings.TrimSpace(*v), 64)
			if err != nil {
				return fmt.Errorf("%s: the verdict %q is no number\nhint: --judge-right names the verdicts that count as right", a.places[i], *v)
			}
			values["judge"] = x
			n++
		}
		out.values = append(out.values, values)
		if err := sum.Add(values); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("no judgement holds a verdict; the first is %.200q", m.said[0])
	}
	out.summary = sum.Summary()
	out.summary.Scores["judge_n"] = float64(n)
	return nil
}

func sumOf(counts map[string]int) (sum int) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
