package jinja

// node is a statement or an expression of a template.
type node interface{}

type (
	textNode   struct{ text string }
	outputNode struct {
		x    node
		line int
	}
	ifNode struct {
		test       node
		then, rest []node
	}
	forNode struct {
		targets      []string
		list, filter node
		body, rest   []node
		line         int
	}
	setNode struct {
		targets []string // names
		of      string   // namespace whose attribute targets[0] is, or ""
		value   node
		body    []node // of a block set
		line    int
	}
	macroNode struct {
		name     string
		params   []string
		defaults []node // nil where there is none
		body     []node
	}
	callBlockNode struct {
		call node
		body []node
		line int
	}
	loopControl struct{ stop bool }
	groupNode   struct{ body []node }

	constNode struct{ v any }
	nameNode  struct {
		name string
		line int
	}
	listNode  struct{ items []node }
	tupleNode struct{ items []node }
	dictNode  struct{ keys, values []node }
	unaryNode struct {
		op string
		x  node
	}
	binaryNode struct {
		op   string
		a, b node
		line int
	}
	compareNode struct {
		first node
		ops   []string
		rest  []node
		line  int
	}
	condNode struct{ test, then, rest node }
	attrNode struct {
		x    node
		name string
		line int
	}
	indexNode struct {
		x, i node
		line int
	}
	sliceNode struct {
		x, from, to, by node
		line            int
	}
	callNode struct {
		f    node
		args []node
		kw   []kwarg
		line int
	}
	filterNode struct {
		name string
		x    node // nil: the body of a filter block
		args []node
		kw   []kwarg
		line int
	}
	testNode struct {
		name string
		x    node
		args []node
		not  bool
		line int
	}
)

type kwarg struct {
	name string
	x    node
}
