package quickstart

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"olmo/chat"
	"olmo/numeric"
	"olmo/quickstart/tasks"
	"olmo/store"
)

// chatSizes are how much a model is adapted with and judged by.
type chatSizes struct {
	Exercises int `json:"exercises"` // of fine-tuning, in four styles
	Questions int `json:"questions"` // about documentation, at most
	Texts     int `json:"texts"`     // pieces of the text that the model has learned already, so that it does not unlearn it
	Pairs     int `json:"pairs"`     // prompts that answers are compared for
	Reinforce int `json:"reinforce"` // steps of learning by trying
	HeldOut   int `json:"held_out"`  // prompts of each kind that no stage trains on
	Each      int `json:"each"`      // answers sampled to each of them
}

// sizesOf are for a model that was trained for so many steps: one of few is adapted in few.
func sizesOf(steps int) chatSizes {
	share := func(n int) int { return max(1, n*min(steps, fairSteps)/fairSteps) }
	return chatSizes{Exercises: share(12000), Questions: share(1500), Texts: share(6500), Pairs: share(1500), Reinforce: share(120), HeldOut: 30, Each: share(4)}
}

const (
	chatSeed  = 1
	chatPiece = 384 // bytes of a piece of text, about
)

// chatRow is a line of a file of rows; DPO's have chosen and rejected in the place of messages.
type chatRow struct {
	Messages []chat.Message `json:"messages,omitempty"`
	Chosen   []chat.Message `json:"chosen,omitempty"`
	Rejected []chat.Message `json:"rejected,omitempty"`
	Truth    string         `json:"ground_truth,omitempty"`
	Verifier string         `json:"dataset,omitempty"`
	Task     string         `json:"task,omitempty"`
}

// chatTemplate is tulu's, but that an answer to nothing has no header: such a row is plain text, as in
// pre-training.
const chatTemplate = `{% for m in messages %}{% if m.role == 'assistant' %}{% if not loop.first %}<|assistant|>
{% endif %}{{ m.content + eos_token }}{% if not loop.last %}
{% endif %}{% else %}<|{{ m.role }}|>
{{ m.content }}
{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}`

// chatData is the result of making rows.
type chatData struct {
	Conversations int `json:"conversations"` // rows of fine-tuning
	Prompts       int `json:"prompts"`
	HeldOut       int `json:"held_out"`
}

// The files of rows, below the folder of chat.
const (
	chatForm          = "data/chat_template.jinja"
	chatConversations = "data/conversations.jsonl"
	chatTraining      = "data/prompts.jsonl"
	chatUnseen        = "data/heldout.jsonl"
	chatAsked         = "data/asked.jsonl" // prompts for pairs
	chatPairs         = "data/pairs.jsonl"
)

func (q *quick) chatPath(elem ...string) string { return q.path(append([]string{"chat"}, elem...)...) }

// chatData makes the rows. Exercises are split as packages are, by the digest of the question;
// questions about documentation are held out where their package is.
func (q *quick) chatData(ctx context.Context, corpus *CorpusInfo, c curated, n chatSizes) (chatData, error) {
	var out chatData
	// What an earlier model was adapted to is of no use to another one.
	if err := store.RemoveFolder(q.chatPath()); err != nil {
		return out, err
	}
	heldOut, err := questionsOf(q.path("data"), corpus.HeldOut.Files, nil)
	if err != nil {
		return out, err
	}
	unseen := spread(heldOut, n.HeldOut)
	seen := map[string]bool{}
	for _, x := range heldOut {
		seen[x.Question] = true
	}
	training, err := questionsOf(q.Out, c.Files, seen)
	if err != nil {
		return out, err
	}
	training = spread(training, n.Questions)
	texts, err := piecesOf(q.Out, c.Files)
	if err != nil {
		return out, err
	}
	exercises, more := drawExercises(n)
	unseen = append(unseen, more...)

	conversations := inOrder(append(conversationsOf(exercises), conversationsOf(training)...), spread(texts, n.Texts))
	var prompts []chatRow
	for _, x := range append(exercises, training...) {
		prompts = append(prompts, promptOf(x))
	}
	var held []chatRow
	for _, x := range unseen {
		held = append(held, promptOf(x))
	}
	if err := store.WriteFile(q.chatPath(filepath.FromSlash(chatForm)), []byte(chatTemplate)); err != nil {
		return out, err
	}
	for _, f := range []struct {
		name string
		rows []chatRow
	}{{chatConversations, conversations}, {chatTraining, prompts}, {chatUnseen, held}} {
		if err := q.writeRows(f.name, f.rows); err != nil {
			return out, err
		}
	}
	// From now on the folder has a chat, also for a call without.
	if err := writeJSON(q.path("stages", "settings.json"), q.settings); err != nil {
		return out, err
	}
	return chatData{len(conversations), len(prompts), len(held)}, ctx.Err()
}

// drawnExercises are how many are looked through for those that are held out, of which a twentieth is.
const drawnExercises = 16000

// drawExercises draws exercises to train on, some of them more than once and in other styles, and
// different ones of each kind that are held out.
func drawExercises(n chatSizes) (training, unseen []tasks.Exercise) {
	seen := map[string]bool{}
	held := map[string]int{}
	for i := range drawnExercises {
		x := tasks.Draw(chatSeed, i)
		digest := groupDigest("chat", x.Question)
		switch out := binary.BigEndian.Uint64(digest[:8])%20 == 0; {
		case !out && len(training) < n.Exercises:
			training = append(training, x)
		case out && held[x.Task] < n.HeldOut && !seen[x.Question]:
			held[x.Task]++
			seen[x.Question] = true
			unseen = append(unseen, x)
		}
	}
	return training, unseen
}

// questionsOf asks about the documents of some files, each question once and none of those to leave out.
func questionsOf(root string, files []string, leaveOut map[string]bool) ([]tasks.Exercise, error) {
	var out []tasks.Exercise
	seen := map[string]bool{}
	for d, err := range documents(root, files) {
		if err != nil {
			return nil, err
		}
		var meta goMetadata
		if json.Unmarshal(d.Metadata, &meta) != nil || meta.Package == "" {
			continue // none of the Go installation's
		}
		for _, x := range tasks.Questions(meta.Package, d.Text) {
			if !seen[x.Question] && !leaveOut[x.Question] {
				seen[x.Question] = true
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// piecesOf cuts the documents of some files into pieces.
func piecesOf(root string, files []string) ([]string, error) {
	var out []string
	for d, err := range documents(root, files) {
		if err != nil {
			return nil, err
		}
		for _, piece := range cutDocuments(d.ID, d.Text, chatPiece) {
			out = append(out, piece.text)
		}
	}
	return out, nil
}

// spread takes n of all, evenly.
func spread[T any](all []T, n int) []T {
	n = min(n, len(all))
	out := make([]T, n)
	for i := range out {
		out[i] = all[i*len(all)/n]
	}
	return out
}

// conversationsOf answers each exercise in one of its styles, which are drawn.
func conversationsOf(all []tasks.Exercise) []chatRow {
	styles := numeric.NewStream(chatSeed, "style")
	rows := make([]chatRow, len(all))
	for i, x := range all {
		answer := x.Answers[styles.Bits(uint64(i), 0)%uint64(len(x.Answers))]
		rows[i] = chatRow{Messages: []chat.Message{{Role: chat.User, Content: x.Question}, {Role: chat.Assistant, Content: answer}}, Task: x.Task}
	}
	return rows
}

// inOrder mixes conversations with texts, which are the answer to nothing: few at first, and more and
// more of them, so that what is unlearned at high rates is learned again at low ones.
func inOrder(conversations []chatRow, texts []string) []chatRow {
	type placed struct {
		at  float64
		row chatRow
	}
	places := numeric.NewStream(chatSeed, "order")
	all := make([]placed, 0, len(conversations)+len(texts))
	for i, r := range conversations {
		all = append(all, placed{1 - math.Sqrt(1-places.Uniform(uint64(i), 0)), r})
	}
	for i, text := range texts {
		all = append(all, placed{math.Sqrt(places.Uniform(uint64(i), 1)), chatRow{Messages: []chat.Message{{Role: chat.Assistant, Content: text}}, Task: "text"}})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
	rows := make([]chatRow, len(all))
	for i, p := range all {
		rows[i] = p.row
	}
	return rows
}

// promptOf is an exercise with the answer that its verifier wants, which sampling leaves out.
func promptOf(x tasks.Exercise) chatRow {
	return chatRow{Messages: []chat.Message{{Role: chat.User, Content: x.Question}, {Role: chat.Assistant, Content: x.Answers[0]}}, Truth: x.Truth, Verifier: x.Verifier, Task: x.Task}
}

// writeRows writes a file of rows below the folder of chat.
func (q *quick) writeRows(name string, rows []chatRow) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, r := range rows {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return store.WriteFile(q.chatPath(filepath.FromSlash(name)), b.Bytes())
}

// readRows reads such a file.
func (q *quick) readRows(name string) ([]chatRow, error) {
	text, err := store.ReadFile(q.chatPath(filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	var rows []chatRow
	for line := range bytes.Lines(text) {
		var r chatRow
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, errors.New(name + " has no rows")
	}
	return rows, nil
}
