package sample

import (
	"encoding/json"
	"io"

	"olmo/data"
)

// Summary is what came of a run.
type Summary struct {
	Prompts, Answers int
	Rows             int     // that were made
	Score            float64 // mean of all answers
	Good             int     // answers that are good
	WithGood         int     // prompts with one of them at least
	Cut              int     // answers that reached their most tokens
	Even             int     // of Pairs: prompts with a good answer that is no better than the worst
}

// writer writes the rows that are made of answers.
type writer struct {
	s            *Sampler
	out, samples *data.Writer // samples may be nil
	summary      *Summary
	sum          float64
}

// write writes what is made of a prompt's answers.
func (w *writer) write(n int, p *prompt, answers []Sampled) error {
	w.count(answers)
	if w.samples != nil {
		for k := range answers {
			if err := w.sample(n, k, p, &answers[k]); err != nil {
				return err
			}
		}
	}
	switch w.s.Keep {
	case Pairs:
		chosen, rejected, ok := w.s.pair(answers)
		if !ok {
			if chosen >= 0 {
				w.summary.Even++
			}
			return nil
		}
		return w.pair(n, p, &answers[chosen], &answers[rejected])
	case Correct:
		for _, k := range w.s.correct(answers) {
			if err := w.sft(n, p, &answers[k]); err != nil {
				return err
			}
		}
	default:
		if k := w.s.best(answers); k >= 0 {
			return w.sft(n, p, &answers[k])
		}
	}
	return nil
}

func (w *writer) count(answers []Sampled) {
	s, good := w.summary, 0
	for k := range answers {
		a := &answers[k]
		w.sum += a.Score
		s.Answers++
		if a.Finish == "length" {
			s.Cut++
		}
		if w.s.good(a) {
			good++
		}
	}
	s.Score = w.sum / float64(s.Answers)
	s.Good += good
	if good > 0 {
		s.WithGood++
	}
}

// sft writes a row of SFT; prompt is the number of the input's row.
func (w *writer) sft(n int, p *prompt, a *Sampled) error {
	messages, err := p.asked.With(p.content(a))
	if err != nil {
		return err
	}
	w.summary.Rows++
	return line(w.out, struct {
		Messages json.RawMessage `json:"messages"`
		Tools    json.RawMessage `json:"tools,omitempty"`
		Prompt   int             `json:"prompt_index"`
		Score    float64         `json:"score"`
	}{messages, p.asked.Tools(), n, a.Score})
}

// pair writes a row of preferences.
func (w *writer) pair(n int, p *prompt, chosen, rejected *Sampled) error {
	better, err := p.asked.With(p.content(chosen))
	if err != nil {
		return err
	}
	worse, err := p.asked.With(p.content(rejected))
	if err != nil {
		return err
	}
	w.summary.Rows++
	return line(w.out, struct {
		Chosen        json.RawMessage `json:"chosen"`
		Rejected      json.RawMessage `json:"rejected"`
		Tools         json.RawMessage `json:"tools,omitempty"`
		Prompt        int             `json:"prompt_index"`
		ChosenScore   float64         `json:"chosen_score"`
		RejectedScore float64         `json:"rejected_score"`
	}{better, worse, p.asked.Tools(), n, chosen.Score, rejected.Score})
}

// sample writes an answer with its score, in the form that adapt.ParsePrediction and reward models read.
func (w *writer) sample(n, k int, p *prompt, a *Sampled) error {
	messages, err := p.asked.With(p.content(a))
	if err != nil {
		return err
	}
	row := struct {
		Prompt     int             `json:"prompt_index"`
		Sample     int             `json:"sample"`
		Messages   json.RawMessage `json:"messages"`
		Tools      json.RawMessage `json:"tools,omitempty"`
		Prediction string          `json:"prediction"`
		IDs        []int32         `json:"response_ids"`
		Finish     string          `json:"finish"`
		Dataset    any             `json:"dataset,omitempty"`
		Truth      any             `json:"ground_truth,omitempty"`
		Score      float64         `json:"score"`
		Each       []float64       `json:"scores,omitempty"`
	}{Prompt: n, Sample: k, Messages: messages, Tools: p.asked.Tools(), Prediction: a.Text, IDs: a.IDs, Finish: a.Finish, Score: a.Score, Each: a.Each}
	switch names := p.row.Verifiers; {
	case len(names) == 1:
		row.Dataset, row.Truth = names[0], p.row.GroundTruths[0]
	case len(names) > 0:
		row.Dataset, row.Truth = names, p.row.GroundTruths
	}
	return line(w.samples, row)
}

// line writes an object on a line, with <, > and & as they are.
func line(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
