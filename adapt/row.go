// Package adapt holds what a base model is adapted with: conversations, pairs and prompts as rows
// of files, the templates by which a model reads them, and which of their tokens train.
package adapt

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"olmo/chat"
	"olmo/chat/jinja"
	"olmo/data"
)

// Kind is what the rows of a data set hold.
type Kind string

// The kinds of rows, with their members.
const (
	SFT        Kind = "sft"        // messages, the last one an answer; tools
	Preference Kind = "preference" // chosen and rejected, alike but for their last answers
	RLVR       Kind = "rlvr"       // messages up to an answer; ground_truth, dataset
	Prompt     Kind = "prompt"     // messages up to an answer
)

// Kinds are all of them.
var Kinds = []Kind{SFT, Preference, RLVR, Prompt}

// Row is one row.
type Row struct {
	Form Form
	// Conversation is the messages of SFT, the chosen ones of Preference, and of RLVR and Prompt
	// what is asked: a last answer is left out.
	Conversation Conversation
	// Rejected are those of Preference.
	Rejected Conversation
	// Answer is the last answer of RLVR and Prompt that was left out; nil: there was none.
	Answer *Message
	// Margin is by how much the reward of the chosen answer is to be higher: the member margin of
	// Preference, or 0.
	Margin float64
	// Verifiers and GroundTruths are RLVR's dataset and ground_truth, one or several of each.
	Verifiers    []string
	GroundTruths []json.RawMessage
}

// ParseRow reads a row, a JSON object. An error names the member.
func ParseRow(line []byte, kind Kind) (*Row, error) {
	members, err := rowMembers(line)
	if err != nil {
		return nil, err
	}
	r := &Row{}
	switch kind {
	case Preference:
		err = r.parsePair(members)
	case SFT:
		var key string
		if key, err = r.parseMessages(members); err == nil {
			err = checkAnswer(key, r.Conversation.Messages)
		}
	default:
		if _, err = r.parseMessages(members); err == nil {
			r.dropAnswer()
		}
		if err == nil && kind == RLVR {
			err = r.parseGroundTruth(members)
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// rowMembers are the values of a JSON object by name; of a name that comes twice the last counts.
func rowMembers(line []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("the text is not valid UTF-8")
	}
	fields, err := data.AppendFields(nil, line)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	for _, f := range fields {
		members[f.Key] = f.Value
	}
	return members, nil
}

// parseMessages reads the messages of a row, and gives the member that has them.
func (r *Row) parseMessages(members map[string]json.RawMessage) (key string, err error) {
	turns, key, form, err := turnsOf(members)
	if err != nil {
		return "", err
	}
	r.Form = form
	if r.Conversation.Messages, err = checkTurns(key, turns); err != nil {
		return "", err
	}
	r.Conversation.Tools, err = parseTools(members["tools"])
	return key, err
}

// parsePair reads two conversations that differ in their last answers alone.
func (r *Row) parsePair(members map[string]json.RawMessage) (err error) {
	tools, err := parseTools(members["tools"])
	if err != nil {
		return err
	}
	for _, side := range []struct {
		key string
		of  *Conversation
	}{{"chosen", &r.Conversation}, {"rejected", &r.Rejected}} {
		if members[side.key] == nil {
			return fmt.Errorf("the row has no %s, want a pair of conversations chosen and rejected", side.key)
		}
		side.of.Tools = tools
		if side.of.Messages, err = parseMessages(side.key, members[side.key]); err != nil {
			return err
		}
		if err := checkAnswer(side.key, side.of.Messages); err != nil {
			return err
		}
	}
	if v := members["margin"]; v != nil && string(v) != "null" {
		if err := json.Unmarshal(v, &r.Margin); err != nil {
			return fmt.Errorf("margin is %.40s, want a number", v)
		}
	}
	if at, same := samePrompt(members["chosen"], members["rejected"]); !same {
		return fmt.Errorf("chosen and rejected have different prompts: they part at message %d, before the last answer", at)
	}
	return nil
}

// samePrompt reports whether two lists of messages are alike but for the last, and where they part.
func samePrompt(a, b json.RawMessage) (at int, same bool) {
	var x, y []map[string]any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return 0, false
	}
	for i := range max(len(x), len(y)) - 1 {
		if i >= len(x)-1 || i >= len(y)-1 || !reflect.DeepEqual(x[i], y[i]) {
			return i, false
		}
	}
	return 0, true
}

// dropAnswer leaves out an answer that follows what is asked.
//
// open-instruct e6c3044, dataset_transformation.py, rlvr_tokenize_v3.
func (r *Row) dropAnswer() {
	c := &r.Conversation
	if n := len(c.Messages); n > 1 && c.Messages[n-1].Role == chat.Assistant {
		r.Answer = &c.Messages[n-1]
		c.Messages = c.Messages[:n-1]
	}
}

// parseGroundTruth reads which verifiers judge an answer, and against what.
func (r *Row) parseGroundTruth(members map[string]json.RawMessage) error {
	for _, key := range []string{"ground_truth", "dataset"} {
		if members[key] == nil {
			return fmt.Errorf("the row has no %s", key)
		}
	}
	var one string
	if json.Unmarshal(members["dataset"], &one) == nil && members["dataset"][0] == '"' {
		r.Verifiers, r.GroundTruths = []string{one}, []json.RawMessage{members["ground_truth"]}
		return nil
	}
	if err := json.Unmarshal(members["dataset"], &r.Verifiers); err != nil || len(r.Verifiers) == 0 {
		return errors.New("dataset is neither the name of a verifier nor a list of names")
	}
	if err := json.Unmarshal(members["ground_truth"], &r.GroundTruths); err != nil || len(r.GroundTruths) != len(r.Verifiers) {
		return fmt.Errorf("dataset names %d verifiers, want a list of as many for ground_truth", len(r.Verifiers))
	}
	return nil
}

// RawPrompt is the conversation as plain lines of role and content, as open-instruct keeps it in
// the member prompt.
func (c *Conversation) RawPrompt() string {
	lines := make([]string, len(c.Messages))
	for i, m := range c.Messages {
		lines[i] = m.Role + ": " + m.Content
	}
	return strings.Join(lines, "\n")
}

// KindOf is the kind of a row, by the members that it has.
func KindOf(line []byte) (Kind, error) {
	members, err := rowMembers(line)
	switch {
	case err != nil:
		return "", err
	case members["chosen"] != nil:
		return Preference, nil
	case members["ground_truth"] != nil:
		return RLVR, nil
	}
	turns, _, _, err := turnsOf(members)
	if err == nil {
		if role, _ := turns[len(turns)-1].Get("role"); role != chat.Assistant {
			return Prompt, nil
		}
	}
	return SFT, nil
}

// RenderRequest is a row that asks for a text.
type RenderRequest struct {
	Turns  []*jinja.Dict // whatever they hold: it is the template that refuses them
	Tools  *jinja.List
	Answer bool // the text goes on to where an answer begins
}

// ParseRender reads a row of messages, tools and add_generation_prompt.
func ParseRender(line []byte) (*RenderRequest, error) {
	members, err := rowMembers(line)
	if err != nil {
		return nil, err
	}
	r := &RenderRequest{}
	if r.Turns, _, _, err = turnsOf(members); err != nil {
		return nil, err
	}
	if v := members["add_generation_prompt"]; v != nil {
		if err := json.Unmarshal(v, &r.Answer); err != nil {
			return nil, errors.New("add_generation_prompt is neither true nor false")
		}
	}
	r.Tools, err = parseTools(members["tools"])
	return r, err
}
