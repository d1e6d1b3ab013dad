package graph

import (
	"fmt"
	"slices"
	"strings"
)

// shaping is an operation as its shape rule sees it: the rule checks the inputs and puts the
// outputs in order. What does not go together is a fault of the code that builds the graph,
// and panics there, with the operation and all shapes.
type shaping struct {
	g   *Graph
	op  *Op
	out []Info
}

// shapes returns what the operation puts out by its rule.
func (g *Graph) shapes(op *Op) []Info {
	s := &shaping{g: g, op: op}
	op.Def.Shape(s)
	return s.out
}

func (s *shaping) fail(format string, args ...any) {
	var in []string
	for _, v := range s.op.In {
		in = append(in, s.g.describe(v))
	}
	panic(fmt.Sprintf("graph: %s of %s: %s", s.op.Def.Name, strings.Join(in, ", "), fmt.Sprintf(format, args...)))
}

// describe writes a value's shape for a message: N stands for the rows of the tokens, S for
// those of the selected ones.
func (g *Graph) describe(v Value) string {
	if v == None {
		return "none"
	}
	i := g.Info(v)
	dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(i.Shape), " ", "×"), "[]")
	switch i.Rows {
	case Tokens:
		dims = "N×" + dims
	case Selected:
		dims = "S×" + dims
	}
	if i.Name != "" {
		return i.Name + " (" + dims + ")"
	}
	return dims
}

// in returns the description of input i, which must be there.
func (s *shaping) in(i int) *Info {
	if i >= len(s.op.In) || s.op.In[i] == None {
		s.fail("input %d is missing", i)
	}
	return s.g.Info(s.op.In[i])
}

func (s *shaping) has(i int) bool { return i < len(s.op.In) && s.op.In[i] != None }

func (s *shaping) cols(i int) int { return s.in(i).Cols() }

// height returns the number of rows of input i, whose rows must be fixed.
func (s *shaping) height(i int) int {
	if s.in(i).Rows != Fixed {
		s.fail("the rows of input %d are not fixed", i)
	}
	return s.in(i).Size(1) / s.in(i).Cols()
}

// want checks a number that should be of a size.
func (s *shaping) want(got, want int, what string) {
	if got != want {
		s.fail("%s are %d, want %d", what, got, want)
	}
}

// rows wants inputs to have the rows of the first.
func (s *shaping) rows(first int, others ...int) {
	for _, i := range others {
		a, b := s.in(first), s.in(i)
		if a.Rows != b.Rows || a.Rows == Fixed && s.height(first) != s.height(i) {
			s.fail("inputs %d and %d differ in their rows", first, i)
		}
	}
}

// same wants inputs to have the rows and columns of the first.
func (s *shaping) same(first int, others ...int) {
	s.rows(first, others...)
	for _, i := range others {
		s.want(s.cols(i), s.cols(first), fmt.Sprintf("the columns of input %d", i))
	}
}

// table wants input i to have a number of rows that is fixed, and so many columns.
func (s *shaping) table(i, rows, cols int) {
	s.want(s.height(i), rows, fmt.Sprintf("the rows of input %d", i))
	s.want(s.cols(i), cols, fmt.Sprintf("the columns of input %d", i))
}

// optionalTable is table where the input is there.
func (s *shaping) optionalTable(i, rows, cols int) {
	if s.has(i) {
		s.table(i, rows, cols)
	}
}

// vector wants input i, where it is there, to hold n fixed numbers.
func (s *shaping) vector(i, n int) {
	if s.has(i) {
		s.height(i)
		s.want(s.in(i).Size(1), n, fmt.Sprintf("the numbers of input %d", i))
	}
}

// put adds an output with the rows of input i.
func (s *shaping) put(i, cols int) {
	shape := []int{cols}
	if s.in(i).Rows == Fixed {
		shape = []int{s.height(i), cols}
	}
	s.out = append(s.out, Info{Space: Activation, Rows: s.in(i).Rows, Shape: shape})
}

// like adds an output like input i.
func (s *shaping) like(i int) { s.put(i, s.cols(i)) }

// perToken wants input i to have a row for each token: the rule of what reads the batch.
func (s *shaping) perToken(i int) {
	if s.in(i).Rows != Tokens {
		s.fail("the rows of input %d are not those of the tokens", i)
	}
}

// tokens adds an output with a row for each token.
func (s *shaping) tokens(cols int) {
	s.out = append(s.out, Info{Space: Activation, Rows: Tokens, Shape: []int{cols}})
}

// asInput is the rule of most functions of one value.
func asInput(s *shaping) { s.like(0) }

// asBoth is the rule of sums, and of gradients of functions of one value.
func asBoth(s *shaping) {
	s.same(0, 1)
	s.like(0)
}

// writes is Def.Writes for inputs at fixed places.
func writes(inputs ...int) func(*Op) []int { return func(*Op) []int { return inputs } }

// Writes returns the values that an operation writes where they lie: sums of gradients,
// caches, parameters and their optimiser's state.
func (op *Op) Writes() []Value {
	if op.Def.Writes == nil {
		return nil
	}
	var out []Value
	for _, i := range op.Def.Writes(op) {
		if i < len(op.In) && op.In[i] != None {
			out = append(out, op.In[i])
		}
	}
	return out
}

// Bytes counts what a run of b reads and writes at least, if every value comes from memory and
// goes there: 4 for each element of an operation's inputs and outputs, twice where it adds to
// them.
func (g *Graph) Bytes(b *Batch) float64 {
	var sum float64
	for _, op := range g.Ops {
		if op.Def.Bytes != nil {
			sum += op.Def.Bytes(g, op, b)
		} else {
			sum += g.elementBytes(b, op.In, op.Out, op.Writes())
		}
	}
	return sum
}

// elementBytes counts 4 for each element of lists of values.
func (g *Graph) elementBytes(b *Batch, lists ...[]Value) float64 {
	var n float64
	for _, v := range slices.Concat(lists...) {
		if v != None {
			n += 4 * float64(rowsOf(g, v, b)) * float64(g.Info(v).Cols())
		}
	}
	return n
}
