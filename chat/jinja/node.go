package jinja

// node is a statement or an expression of a template.
type node interface{}

// escaping says whether texts are escaped where a node stands: what {% autoescape %}
// says, if that is known before the template runs.
type escaping int

const (
	plain escaping = iota
	always
	dynamic
	dynamicAlways // dynamic, inside of one that always escapes: constants are escaped
)

// known says whether it is known before the template runs.
func (e escaping) known() bool { return e == plain || e == always }

// Statements.
type (
	textNode   struct{ text string }
	outputNode struct {
		x        node
		escaping escaping
		line     int
		constant bool // as isConstant has it
	}
	ifNode struct {
		tests    []node
		branches [][]node // one for each test, and a last one if there is an else
		line     int
	}
	forNode struct {
		target, list, filter node
		body, rest           []node // nil rest: no else
		recursive            bool
		named                bool // the body asks for "loop"
		line                 int
	}
	setNode struct {
		target, value node
		body          []node // of a block set
		block         bool
		escaping      escaping
		line          int
	}
	macroNode struct {
		name     string // "" of a call block's body
		params   []string
		defaults []node // of the last parameters
		body     []node
		// What the body asks for beyond its parameters.
		caller, kwargs, varargs bool
		line                    int
	}
	callBlockNode struct {
		call node // a *callNode, or nil for {% generation %}
		body *macroNode
		line int
	}
	filterBlockNode struct {
		filter   node
		body     []node
		escaping escaping
		line     int
	}
	withNode struct {
		targets, values []node
		body            []node
		line            int
	}
	autoescapeNode struct {
		on   node
		body []node
		line int
	}
	blockNode struct {
		name             string
		scoped, required bool
		body             []node
		line             int
	}
	// loaderNode is a statement that needs other templates, which there are none of.
	loaderNode struct {
		tag  string
		x    node
		line int
	}
	loopControl struct {
		stop bool
		line int
	}
)

// Expressions.
type (
	constNode struct {
		v any
		// nameless is set of an infinite number that Jinja2 writes into its code by a
		// name that is none.
		nameless bool
	}
	nameNode struct {
		name string
		line int
	}
	// memberNode is a target a.b: of a namespace.
	memberNode struct {
		name, member string
		line         int
	}
	listNode  struct{ items []node }
	tupleNode struct{ items []node }
	dictNode  struct{ keys, values []node }
	unaryNode struct {
		op   string
		x    node
		line int
	}
	binaryNode struct {
		op   string
		a, b node
		line int
	}
	concatNode struct {
		parts    []node
		escaping escaping
		line     int
		constant bool
	}
	compareNode struct {
		first node
		ops   []string
		rest  []node
		line  int
	}
	condNode struct {
		test, then, rest node // rest may be nil
		line             int
	}
	attrNode struct {
		x    node
		name string
		line int
	}
	indexNode struct {
		x, i node
		line int
	}
	sliceNode struct{ from, to, by node }
	callNode  struct {
		f node
		arguments
		line int
	}
	filterNode struct {
		name string
		x    node // nil: the body of a block
		arguments
		escaping escaping
		line     int
	}
	testNode struct {
		name string
		x    node
		arguments
		line int
	}
	arguments struct {
		args        []node
		kw          []kwarg
		more, named node // *x and **x
	}
	kwarg struct {
		name string
		x    node
	}
)
