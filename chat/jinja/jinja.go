// Package jinja renders templates in the language of Jinja2: with Python's values,
// operators and methods, as Transformers sets it up for chat templates (sandboxed,
// trim_blocks, lstrip_blocks, break and continue) or, by Options, as other programs do.
//
// What Jinja2 does and this package does not is refused by name; where both give a
// text, it is the same text. testdata/table.py made the table that says so.
package jinja

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
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
	// bytesPerStep counts what texts are made on the way, so that many long ones end,
	// too: 512 MiB in all.
	bytesPerStep = 512
	// maxDepth stops ((((… and macros that call themselves, which would end our
	// process: Go cannot recover from a full stack.
	maxDepth = 200
	// maxBits bounds an integer; Python's own are not, but its text of one longer than
	// 4,300 digits is an error.
	maxBits = 1 << 16
)

// Error is a mistake in a template, or one that it made when it ran, such as a call
// of raise_exception.
type Error struct {
	Line int // 0 where it is not known
	Text string
}

func (e *Error) Error() string {
	if e.Line <= 0 {
		return e.Text
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Text)
}

// hereabouts is the line of an error that is raised where no line is known; Render
// puts in the line of the statement that ran.
const hereabouts = -1

// raise ends the rendering, or the reading, with an error.
func raise(format string, args ...any) {
	panic(&Error{hereabouts, fmt.Sprintf(format, args...)})
}

// recovered turns a panic of raise back into an error; any other goes on.
func recovered(err *error, line func() int) {
	switch e := recover().(type) {
	case nil:
	case *Error:
		if e.Line == hereabouts {
			e.Line = line()
		}
		*err = e
	default:
		panic(e)
	}
}

// Options are the environment of a template: what Jinja2's Environment is asked for.
// The zero value is Jinja2's own default.
type Options struct {
	// TrimBlocks drops the newline behind a block, LstripBlocks the white space before
	// one that begins its line, and without KeepTrailingNewline the template's last
	// newline goes.
	TrimBlocks, LstripBlocks, KeepTrailingNewline bool
	// StrictUndefined makes a variable that is not there an error wherever its value
	// is asked for, rather than nothing; "is defined" and the filter default take it.
	StrictUndefined bool
	// Chat is what Transformers adds for chat templates: break and continue,
	// {% generation %}, raise_exception, strftime_now, a tojson that does not escape,
	// and the sandbox, for which names that begin with "_" and the methods that change
	// a value are undefined. Without it these names are refused.
	Chat bool
	// Filters are further filters, or others of the same names, by name.
	Filters map[string]Filter
}

// Filter is a filter from outside: of a value, the arguments by position, and those by
// name. The values are nil, bool, int64, float64, string, *List and *Dict.
type Filter func(value any, args []any, named map[string]any) (any, error)

// Transformers is the environment of chat templates, as of Transformers 5.23
// (utils/chat_template_utils.py, _cached_compile_jinja_template).
func Transformers() Options {
	return Options{TrimBlocks: true, LstripBlocks: true, Chat: true}
}

// Template is a template that was read and can be rendered, any number of times and
// at the same time.
type Template struct {
	body       []node
	blocks     map[string]*blockNode
	options    Options
	generation bool // it has a block {% generation %}
}

// Parse reads a chat template: Compile with the environment of Transformers.
func Parse(text string) (*Template, error) { return Compile(text, Transformers()) }

// makeTables fills the tables of filters, tests, functions and methods: before the first template,
// because most runs of a program that holds this package read none.
var makeTables = sync.OnceFunc(func() {
	makeIntegerMethods()
	makeFloatMethods()
	makeSpanMethods()
	makeViewMethods()
	makeListMethods()
	makeDictMethods()
	makeTextMethods()
	makeOctetsMethods()
	makeFilters()
	makeTests()
	makeGlobals()
	makeLoopMethods()
	makeBlockCall()
})

// Compile reads a template for an environment. An error is an *Error.
func Compile(text string, o Options) (t *Template, err error) {
	makeTables()
	p := &parser{options: o, blocks: map[string]*blockNode{}}
	defer recovered(&err, func() int { return p.line() })
	if !utf8.ValidString(text) {
		raise("the template is not UTF-8")
	}
	p.tokens = lex(text, o)
	body := p.statements("")
	(&checker{options: o}).statements(body, frame{top: true})
	return &Template{body, p.blocks, o, p.generation}, nil
}

// Render returns the template's text. vars are its variables: nil, bool, int64,
// float64, string, *List and *Dict, nested as need be. now is the time that
// strftime_now writes. An error is an *Error.
func (t *Template) Render(vars map[string]any, now func() time.Time) (text string, err error) {
	return t.render(&renderer{now: now, vars: vars})
}

// RenderMarked is Render that also gives the bytes [start, end) of the text which the blocks
// {% generation %} wrote, in their order. Such a block within a macro, a call or a set has no
// place in the text, and is an error.
func (t *Template) RenderMarked(vars map[string]any, now func() time.Time) (text string, generated [][2]int, err error) {
	r := &renderer{now: now, vars: vars, marks: true}
	text, err = t.render(r)
	return text, r.generated, err
}

// HasGeneration reports whether the template has blocks {% generation %}.
func (t *Template) HasGeneration() bool { return t.generation }

func (t *Template) render(r *renderer) (text string, err error) {
	defer recovered(&err, func() int { return r.line })
	r.template, r.page = t, &strings.Builder{}
	// What the template sets lies in a scope of its own: vars stay as they are.
	r.out, r.root = r.page, &scope{}
	r.statements(t.body, r.root)
	return r.page.String(), nil
}
