// Package jinja renders templates in the language of Jinja2, as far as the chat
// templates of models use it and as Transformers runs it: sandboxed, with
// trim_blocks and lstrip_blocks, break and continue, and Python's values.
package jinja

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of one rendering, so that no template runs or grows for ever: a model's
// folder comes from anywhere, and its template is a program.
const (
	// maxSteps stops loops in loops over range(…), which need no more than a line of
	// template each.
	maxSteps = 1_000_000
	// maxOutput, in bytes, stops what doubles: "x" * 10**9, s ~ s in a loop, replace and
	// join with long texts. It holds for every text on the way, not the result alone.
	maxOutput = 16 << 20
	// maxDepth stops ((((… and macros that call themselves, which would end our
	// process: Go cannot recover from a full stack.
	maxDepth = 200
)

// Error is a mistake in a template, or one that it made when it ran, such as a call
// of raise_exception.
type Error struct {
	Line int // 0 where it is not known
	Text string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

// recovered turns a panic of fail back into an error; any other goes on.
func recovered(err *error) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		*err = e
	default:
		panic(e)
	}
}

// Template is a template that was read and can be rendered, any number of times and
// at the same time.
type Template struct{ body []node }

// Parse reads a template. An error is an *Error.
func Parse(text string) (t *Template, err error) {
	defer recovered(&err)
	p := &parser{tokens: lex(text)}
	body := p.statements()
	if !p.is(tokEOF) {
		p.fail("unexpected end of a block: %q", p.peek(1).text)
	}
	return &Template{body}, nil
}

// Render returns the template's text. vars are its variables: nil, bool, int64,
// float64, string, *List and *Dict, nested as need be. now is the time that
// strftime_now writes. An error is an *Error.
func (t *Template) Render(vars map[string]any, now func() time.Time) (text string, err error) {
	defer recovered(&err)
	r := &renderer{out: &strings.Builder{}, now: now}
	given := newScope(nil)
	given.vars = vars
	// What the template sets lies in a scope of its own: vars stay as they are.
	r.block(t.body, newScope(given))
	return r.out.String(), nil
}
