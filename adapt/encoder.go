package adapt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"olmo/chat"
	"olmo/eval/python"
	"olmo/tokenizer"
)

// Masked is the label of a token that does not train.
const Masked = -100

// TrainOn says which turns train.
type TrainOn string

// The turns that train. Results of tools never do.
const (
	EveryAnswer TrainOn = "assistant"
	LastAnswer  TrainOn = "last"
	EveryTurn   TrainOn = "all"
)

// TrainOns are all of them.
var TrainOns = []TrainOn{EveryAnswer, LastAnswer, EveryTurn}

// Encoder turns conversations into ids and labels. It may be used by several goroutines.
type Encoder struct {
	Template  *chat.Template
	Tokenizer *tokenizer.Tokenizer
	// MaxLength cuts what has more tokens, on the right; 0: nothing is cut.
	MaxLength int
	// TrainOn is EveryAnswer where it is empty.
	TrainOn TrainOn
}

// Example is a conversation as a model is trained on it.
type Example struct {
	IDs []int32
	// Labels are the ids of the tokens that train, and Masked for the others.
	Labels []int32
	// Cut says that the conversation had more than MaxLength tokens.
	Cut bool
	// Begun is what of the answers the prompt before them holds already, such as <think>, in the
	// last that has any: it does not train.
	Begun string
	// Unclear says why no token trains although there is an answer: where it lies among the
	// tokens could not be told. nil: it could.
	Unclear error `json:"-"`
}

// Keep reports whether any token trains.
func (x *Example) Keep() bool { return x.Trained() > 0 }

// Trained is the number of tokens that train.
func (x *Example) Trained() int {
	n := 0
	for _, l := range x.Labels {
		if l != Masked {
			n++
		}
	}
	return n
}

// span is the code points, or the tokens, [start, end) that a message has.
type span struct{ message, start, end int }

// rendering is a conversation on its way to an Example.
type rendering struct {
	*Encoder
	c     *Conversation
	train []int // the messages that train, by number
	text  string
	enc   tokenizer.Encoding // cut at MaxLength
	begun string             // Example.Begun
}

// Encode renders a conversation once and labels the tokens that overlap what an assistant wrote:
// from the end of the prompt before it (the conversation so far, with the header of an answer) to
// the end of its turn, what closes the turn included. Where the text so far is not the beginning
// of the whole, because the template treats a last turn in another way, tokens are counted in its
// place, and compared with the contents. Where that fails no token trains (Example.Unclear).
// A template with blocks {% generation %} says itself what was written.
//
// An error is one of the template, or of the tokenizer.
//
// open-instruct e6c3044, dataset_transformation.py, _tokenize_tulu_sft_with_assistant_labels;
// EveryTurn and {% generation %} are our own.
func (e *Encoder) Encode(c *Conversation) (*Example, error) {
	r := &rendering{Encoder: e, c: c}
	var marks [][2]int // in bytes
	var err error
	if e.Template.HasGeneration() && e.TrainOn != EveryTurn {
		r.text, marks, err = e.Template.RenderMarked(c.turns(len(c.Messages)), c.Tools)
	} else {
		r.text, err = e.Template.Render(c.turns(len(c.Messages)), c.Tools, false)
	}
	if err != nil {
		return nil, err
	}
	if r.enc, err = e.Tokenizer.EncodeText(r.text); err != nil {
		return nil, err
	}
	x := &Example{Cut: r.cut(&r.enc)}
	x.IDs = r.enc.IDs
	x.Labels = make([]int32, len(x.IDs))
	for i := range x.Labels {
		x.Labels[i] = Masked
	}
	switch {
	case e.TrainOn == EveryTurn:
		x.Unclear = r.labelAll(x)
	case e.Template.HasGeneration():
		r.labelChars(x, r.generated(marks))
	default:
		x.Unclear = r.labelAnswers(x)
	}
	return x, nil
}

// IDs returns the ids of a whole conversation. Nothing is cut.
func (e *Encoder) IDs(c *Conversation) ([]int32, error) {
	text, err := e.Template.Render(c.turns(len(c.Messages)), c.Tools, false)
	if err != nil {
		return nil, err
	}
	ids, err := e.Tokenizer.AppendEncode(nil, text)
	if err == nil && len(ids) == 0 {
		err = errors.New("the chat template writes nothing of the conversation")
	}
	return ids, err
}

// Prompt returns the ids of a conversation up to where its answer begins.
func (e *Encoder) Prompt(c *Conversation) ([]int32, error) {
	text, err := e.PromptText(c)
	if err != nil {
		return nil, err
	}
	return e.Tokenizer.AppendEncode(nil, text)
}

// PromptText returns the text of a conversation up to where its answer begins.
func (e *Encoder) PromptText(c *Conversation) (string, error) {
	return e.Template.Render(c.turns(len(c.Messages)), c.Tools, true)
}

// cut shortens an encoding to MaxLength tokens.
func (e *Encoder) cut(enc *tokenizer.Encoding) bool {
	if e.MaxLength <= 0 || len(enc.IDs) <= e.MaxLength {
		return false
	}
	enc.IDs, enc.Offsets = enc.IDs[:e.MaxLength], enc.Offsets[:e.MaxLength]
	return true
}

// labelAnswers labels the answers of the assistant.
func (r *rendering) labelAnswers(x *Example) error {
	for i, m := range r.c.Messages {
		if m.Role == chat.Assistant {
			r.train = append(r.train, i)
		}
	}
	if r.TrainOn == LastAnswer && len(r.train) > 0 {
		r.train = r.train[len(r.train)-1:]
	}
	spans, stable, err := r.chars()
	switch {
	case err != nil:
		return err
	case stable:
		r.labelChars(x, spans)
		x.Begun = r.begun
		return nil
	}
	if spans, err = r.tokens(); err != nil {
		return err
	}
	for _, s := range spans {
		if err := r.check(s); err != nil {
			return err
		}
	}
	for _, s := range spans {
		if start, end := s.start, min(s.end, len(x.IDs)); start < end {
			copy(x.Labels[start:end], x.IDs[start:end])
		}
	}
	return nil
}

// so is the text of the messages before the one numbered n, with the header of an answer where
// answer is set.
func (r *rendering) so(n int, answer bool) (string, error) {
	if n == 0 {
		return "", nil // templates need not take an empty conversation
	}
	text, err := r.Template.Render(r.c.turns(n), r.c.Tools, answer)
	if err != nil {
		// Some refuse a beginning without a question.
		return "", fmt.Errorf("the template refuses the first %d messages alone: %w", n, err)
	}
	return text, nil
}

// chars are the places of the answers in the text, in code points. stable is false where what
// comes before an answer, or up to its end, is not the beginning of the text.
func (r *rendering) chars() (spans []span, stable bool, err error) {
	for _, i := range r.train {
		header, err := r.so(i, true)
		if err != nil {
			return nil, false, err
		}
		through, err := r.so(i+1, false)
		if err != nil {
			return nil, false, err
		}
		start, end := utf8.RuneCountInString(header), utf8.RuneCountInString(through)
		if start > end || !strings.HasPrefix(r.text, header) || !strings.HasPrefix(r.text, through) {
			return nil, false, nil
		}
		spans = append(spans, span{i, start, end})
		content, rest := r.c.Messages[i].Content, r.text[len(header):]
		for k := min(len(content), len(header)); k > 0 && !strings.HasPrefix(rest, content); k-- {
			if strings.HasSuffix(header, content[:k]) && strings.HasPrefix(rest, content[k:]) {
				r.begun = content[:k]
				break
			}
		}
	}
	return spans, true, nil
}

// labelChars labels the tokens that overlap the spans of the text. One that begins before a span
// and ends within it trains: its text is partly the answer's.
func (r *rendering) labelChars(x *Example, spans []span) {
	for i, o := range r.enc.Offsets {
		if o[0] < o[1] && slices.ContainsFunc(spans, func(s span) bool { return o[0] < s.end && s.start < o[1] }) {
			x.Labels[i] = x.IDs[i]
		}
	}
}

// tokens are the places of the answers among the tokens, by the number of tokens of what comes
// before them.
func (r *rendering) tokens() ([]span, error) {
	count := func(n int, answer bool) (int, error) {
		text, err := r.so(n, answer)
		if err != nil {
			return 0, err
		}
		ids, err := r.Tokenizer.AppendEncode(nil, text)
		if r.MaxLength > 0 {
			return min(len(ids), r.MaxLength), err
		}
		return len(ids), err
	}
	var spans []span
	for _, i := range r.train {
		start, err := count(i, true)
		if err != nil {
			return nil, err
		}
		end, err := count(i+1, false)
		if err != nil {
			return nil, err
		}
		spans = append(spans, span{i, start, end})
	}
	return spans, nil
}

// check wants the tokens of a span to be the answer's: they begin with its content, white space
// aside, and hold nothing of later messages. An answer that the template writes otherwise than it
// stands can't be compared.
func (r *rendering) check(s span) error {
	content := r.c.Messages[s.message].Content
	length := len(r.enc.IDs)
	start, end := s.start, min(s.end, length)
	if content == "" || !strings.Contains(r.text, content) || start >= end {
		return nil
	}
	decoded := r.Tokenizer.Decode(r.enc.IDs[start:end], false)
	begun := strings.TrimLeftFunc(decoded, python.IsSpace)
	if s.end >= length && begun != "" && strings.HasPrefix(content, begun) {
		return nil // it is cut
	}
	at := strings.Index(decoded, content)
	switch {
	case at < 0:
		return fmt.Errorf("message %d: by the number of tokens before it, it would be %s, which does not hold its content", s.message, short(decoded))
	case !strings.HasPrefix(begun, content):
		return fmt.Errorf("message %d: by the number of tokens before it, it would be %s, which begins within the header of the answer", s.message, short(decoded))
	}
	rest := decoded[at+len(content):]
	for i, m := range r.c.Messages[s.message+1:] {
		if m.Content != "" && strings.Contains(rest, m.Content) {
			return fmt.Errorf("message %d: by the number of tokens before it, it would be %s, which holds message %d as well", s.message, short(decoded), s.message+1+i)
		}
	}
	return nil
}

// short is the beginning of a text, quoted.
func short(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// generated are the places of what {% generation %} wrote, the last alone where only that trains.
func (r *rendering) generated(marks [][2]int) []span {
	if r.TrainOn == LastAnswer && len(marks) > 0 {
		marks = marks[len(marks)-1:]
	}
	var spans []span
	byteAt, charAt := 0, 0
	to := func(b int) int {
		charAt += utf8.RuneCountInString(r.text[byteAt:b])
		byteAt = b
		return charAt
	}
	for _, m := range marks {
		spans = append(spans, span{start: to(m[0]), end: to(m[1])})
	}
	return spans
}

// labelAll labels everything but the results of tools, which the model never writes.
func (r *rendering) labelAll(x *Example) error {
	var quiet []span
	for i, m := range r.c.Messages {
		if !slices.Contains(results, m.Role) {
			continue
		}
		before, err := r.so(i, false)
		if err != nil {
			return err
		}
		through, err := r.so(i+1, false)
		if err != nil {
			return err
		}
		if len(before) > len(through) || !strings.HasPrefix(r.text, before) || !strings.HasPrefix(r.text, through) {
			return fmt.Errorf("message %d: %w", i, errPlace)
		}
		quiet = append(quiet, span{i, utf8.RuneCountInString(before), utf8.RuneCountInString(through)})
	}
	for i, o := range r.enc.Offsets {
		if !slices.ContainsFunc(quiet, func(s span) bool { return o[0] < s.end && s.start < o[1] }) {
			x.Labels[i] = x.IDs[i]
		}
	}
	return nil
}

// errPlace is about results of tools whose place in the text can't be told.
var errPlace = errors.New("the template writes what comes before it in another way when more follows, so that the result of the tool has no place of its own")
