// Package evaldata holds the embedded questions that the program is judged on, each set a file of its own under its own licence.
package evaldata

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

//go:embed arc_easy_validation.jsonl.gz
var arcEasy []byte

//go:embed NOTICE.txt
var notice string

//go:embed CC-BY-SA-4.0.txt
var licence string

// Notice names the authors, source, licence and changes of the embedded sets
// in a few lines, for a report that shows results on them.
func Notice() string { return notice }

// Licence is the text of the licence that Notice names, CC BY-SA 4.0.
func Licence() string { return licence }

// Question is a multiple-choice question.
type Question struct {
	ID      string
	Text    string
	Choices []string
	Answer  int // index of the right choice
}

// ARCEasy returns the 570 questions of ARC-Easy's validation part in the order
// of the data set: Clark et al. 2018, arXiv:1803.05457.
func ARCEasy() ([]Question, error) {
	questions, err := parseARC(arcEasy)
	if err != nil {
		return nil, fmt.Errorf("reading the embedded ARC-Easy: %w", err)
	}
	return questions, nil
}

func parseARC(packed []byte) ([]Question, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var questions []Question
	rows := json.NewDecoder(r)
	for {
		var row struct {
			ID       string
			Question string
			Choices  struct{ Text, Label []string }
			Answer   string `json:"answerKey"`
		}
		if err := rows.Decode(&row); errors.Is(err, io.EOF) {
			return questions, nil
		} else if err != nil {
			return nil, err
		}
		answer := slices.Index(row.Choices.Label, row.Answer)
		if answer < 0 || answer >= len(row.Choices.Text) {
			return nil, fmt.Errorf("question %s: answer %q is not among the choices", row.ID, row.Answer)
		}
		questions = append(questions, Question{row.ID, row.Question, row.Choices.Text, answer})
	}
}
