package adapt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"olmo/data"
	"olmo/internal/pyjson"
)

// Prediction is a row of an answer that exists, with what judges it.
type Prediction struct {
	Text         string  // prediction
	IDs          []int32 // response_ids, nil where the row has none
	Prompt       string  // prompt, or messages as Conversation.RawPrompt has them; empty where the row has neither
	Verifiers    []string
	GroundTruths []json.RawMessage

	fields []data.Field
}

// ParsePrediction reads a row. An error names the member.
func ParsePrediction(line []byte) (*Prediction, error) {
	members, err := rowMembers(line)
	if err != nil {
		return nil, err
	}
	var r Row
	if err := r.parseGroundTruth(members); err != nil {
		return nil, err
	}
	p := &Prediction{Verifiers: r.Verifiers, GroundTruths: r.GroundTruths}
	if p.fields, err = data.AppendFields(nil, line); err != nil {
		return nil, err
	}
	var text *string
	if members["prediction"] == nil {
		return nil, errors.New("the row has no prediction")
	}
	if err := pyjson.Value(members["prediction"], &text); err != nil || text == nil {
		return nil, errors.New("prediction is no text")
	}
	p.Text = *text
	if err := p.parsePrompt(members); err != nil {
		return nil, err
	}
	if ids := members["response_ids"]; ids != nil {
		if err := pyjson.Value(ids, &p.IDs); err != nil {
			return nil, fmt.Errorf("response_ids: %w", err)
		}
	}
	return p, nil
}

// parsePrompt reads what the answer is to, for verifiers that want to know. A last answer of the messages is
// left out.
func (p *Prediction) parsePrompt(members map[string]json.RawMessage) error {
	if text := members["prompt"]; len(text) > 0 && text[0] == '"' {
		return pyjson.Value(text, &p.Prompt)
	}
	if members["messages"] == nil {
		return nil
	}
	var r Row
	if _, err := r.parseMessages(members); err != nil {
		return err
	}
	r.dropAnswer()
	p.Prompt = r.Conversation.RawPrompt()
	return nil
}

// Line is the row with its score, and where several verifiers judged with the score of each.
func (p *Prediction) Line(score float64, each []float64) ([]byte, error) {
	made := struct {
		Score  float64   `json:"score"`
		Scores []float64 `json:"scores,omitempty"`
	}{Score: score}
	if len(each) > 1 {
		made.Scores = each
	}
	return lineOf(p.fields, []string{"score", "scores"}, made)
}

// lineOf is a row with the members of an object after its own, of which those with some names are
// left out.
func lineOf(fields []data.Field, without []string, made any) ([]byte, error) {
	out := bytes.NewBufferString("{")
	for _, f := range fields {
		if slices.Contains(without, f.Key) {
			continue
		}
		key, err := json.Marshal(f.Key)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%s:%s,", key, f.Value)
	}
	rest, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	out.Write(rest[1:])
	out.WriteByte('\n')
	return out.Bytes(), nil
}
