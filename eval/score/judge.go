package score

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"olmo/data"
	"olmo/eval/score/sandbox"
	"olmo/internal/parallel"
)

// Judge judges the answers of a file by one scorer or several.
type Judge struct {
	Scorers []*Scorer
	// K are the numbers of responses of pass@k and maj@k; none: only the first response is judged,
	// of programs all, with pass@1.
	K        []int
	Programs ProgramOptions
	// Model has what a model said of the rows, for the scorer judge.
	Model *ModelJudge
	// Warn is told what the user should know.
	Warn func(text string)
}

// judged is what a scorer made of all rows.
type judged struct {
	values  []Values
	beside  []map[string]any // of programs and judgements: what a line has beside its scores
	summary Summary
}

// Do judges all rows, and writes the lines to output with their scores added; of programs each
// line has passed, too, and why, a word for each that did not pass. Where two scorers have a name in common, it follows theirs and a slash.
func (j *Judge) Do(ctx context.Context, a *Answers, output string) (*Summary, error) {
	all := make([]judged, len(j.Scorers))
	users := map[string]int{}
	for i, s := range j.Scorers {
		if err := j.score(ctx, s, a, &all[i]); err != nil {
			return nil, err
		}
		names := map[string]bool{}
		for _, v := range all[i].values {
			for name := range v {
				names[name] = true
			}
		}
		for name := range all[i].summary.Scores {
			names[name] = true
		}
		for name := range names {
			users[name]++
		}
	}
	full := func(s *Scorer, name string) string {
		if users[name] > 1 {
			return s.Name + "/" + name
		}
		return name
	}
	out := &Summary{N: len(a.Rows), Scores: map[string]float64{}}
	rows, beside := make([]Values, len(a.Rows)), make([]map[string]any, len(a.Rows))
	for n := range rows {
		rows[n], beside[n] = Values{}, map[string]any{}
	}
	for i, s := range j.Scorers {
		for name, v := range all[i].summary.Scores {
			out.Scores[full(s, name)] = v
		}
		for n, values := range all[i].values {
			for name, v := range values {
				rows[n][full(s, name)] = v
			}
		}
		for n, members := range all[i].beside {
			for name, v := range members {
				if s.Programs != nil && users["passed"] > 1 {
					name = s.Name + "/" + name
				}
				beside[n][name] = v
			}
		}
	}
	return out, a.write(output, rows, beside)
}

// score judges all rows by one scorer.
func (j *Judge) score(ctx context.Context, s *Scorer, a *Answers, out *judged) error {
	if s.Programs != nil {
		return j.programs(ctx, s, a, out)
	}
	if s.Model {
		return j.Model.judge(a, out, j.Warn)
	}
	attempted := len(j.K) > 0 && len(s.Verdicts) > 0
	all := make([]rowJudged, len(a.Rows))
	parallel.For(len(all), func(n int) {
		if all[n].err = ctx.Err(); all[n].err == nil {
			all[n].judge(s, &a.Rows[n], attempted)
		}
	})
	var sum Sum
	var statistics [][]float64
	tries := newAttempts(j.K)
	several := 0
	for n := range all {
		v := &all[n]
		if v.err == nil && s.Corpus == nil {
			v.err = sum.Add(v.values)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if v.err != nil {
			return fmt.Errorf("%s: %s: %w", a.places[n], s.Name, v.err)
		}
		if attempted {
			tries.add(s, &v.attempt)
		} else if len(a.Rows[n].Responses) > 1 {
			several++
		}
		statistics, out.values = append(statistics, v.statistics), append(out.values, v.values)
	}
	out.summary = sum.Summary()
	if s.Corpus != nil {
		out.summary.Scores[s.Name] = s.Corpus.Figure(s.Corpus.Sum(statistics), false)
		if stderr := s.Corpus.StdErr(statistics); !math.IsNaN(stderr) {
			out.summary.Scores[s.Name+"_stderr"] = stderr
		}
	}
	if several > 0 {
		hint := ""
		if len(s.Verdicts) > 0 {
			hint = "; --k gives pass@k of all"
		}
		j.Warn(fmt.Sprintf("%s judges the first response, and %d of %d questions have more%s", s.Name, several, len(a.Rows), hint))
	}
	if attempted {
		j.tell(s, tries.summary(&out.summary))
	}
	return nil
}

// rowJudged is what a scorer made of a row.
type rowJudged struct {
	values     Values
	statistics []float64
	attempt    attempt
	err        error
}

func (v *rowJudged) judge(s *Scorer, r *Row, attempted bool) {
	if s.Corpus != nil {
		if v.statistics, v.err = s.Corpus.statistics(r); v.err == nil {
			v.values = Values{s.Name: s.Corpus.Figure(v.statistics, true)}
		}
		return
	}
	if v.values, v.err = s.Each(r); v.err == nil && attempted {
		v.attempt, v.err = newAttempt(s, r)
	}
}

// programs runs the programs of all rows.
func (j *Judge) programs(ctx context.Context, s *Scorer, a *Answers, out *judged) error {
	why := make([][]string, len(a.Rows))
	for n := range a.Rows {
		why[n] = make([]string, len(a.Rows[n].Responses))
	}
	o := j.Programs
	limits := map[string]int{}
	o.Ended = func(row, response int, outcome sandbox.Outcome) {
		why[row][response] = outcome.Why
		if !outcome.Passed && !strings.HasPrefix(outcome.Why, "error") {
			limits[outcome.Why]++
		}
		if j.Programs.Ended != nil {
			j.Programs.Ended(row, response, outcome)
		}
	}
	verdicts, err := s.Programs(ctx, a.Rows, o)
	var row *RowError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &row):
		return fmt.Errorf("%s: %s: %w", a.places[row.Row], s.Name, row.Err)
	case err != nil:
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	for _, limit := range slices.Sorted(maps.Keys(limits)) {
		j.Warn(fmt.Sprintf("%s: %d programs were ended at a limit (%s)", s.Name, limits[limit], limit))
	}
	k := j.K
	if len(k) == 0 {
		k = []int{1}
	}
	tries := newAttempts(k)
	for n, passed := range verdicts {
		tries.addPassed(passed)
		out.values = append(out.values, Values{"passed": passed})
		out.beside = append(out.beside, map[string]any{"passed": passed, "why": why[n]})
	}
	out.summary.Scores = map[string]float64{}
	j.tell(s, tries.summary(&out.summary))
	return nil
}

// tell warns of figures that are not of all questions.
func (j *Judge) tell(s *Scorer, short []int) {
	for _, k := range short {
		j.Warn(fmt.Sprintf("%s: not every question has %d responses; pass@%d is of those that do, pass@%d_n of them", s.Name, k, k, k))
	}
}

// write writes the lines with the scores of their rows; earlier scores are replaced.
func (a *Answers) write(path string, rows []Values, beside []map[string]any) error {
	w, err := data.CreateWriter(path)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, l := range a.lines {
		members := l.members
		if l.row >= 0 {
			scores, err := json.Marshal(rows[l.row])
			if err != nil {
				return err
			}
			members = l.with("scores", scores)
			for _, name := range slices.Sorted(maps.Keys(beside[l.row])) {
				text, err := json.Marshal(beside[l.row][name])
				if err != nil {
					return err
				}
				members = append(slices.DeleteFunc(members, func(m member) bool { return m.name == name }), member{name, text})
			}
		}
		if err := writeMembers(w, members); err != nil {
			return err
		}
	}
	return w.Close()
}

// with are a line's members with a value in the place of an earlier one, at the end.
func (l *answerLine) with(name string, value json.RawMessage) []member {
	rest := slices.DeleteFunc(slices.Clone(l.members), func(m member) bool { return m.name == name })
	return append(rest, member{name, value})
}

// writeMembers writes an object on a line.
func writeMembers(w *data.Writer, members []member) error {
	line := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			line = append(line, ',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return err
		}
		line = append(append(append(line, name...), ':'), m.value...)
	}
	_, err := w.Write(append(line, '}', '\n'))
	return err
}
