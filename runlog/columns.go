package runlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
)

// Columns is a metrics.jsonl as one column of numbers for each key, read as the file
// grows: a log of a million steps takes a few bytes for each number of it, where records
// would take a hundred. Rows are in the order of their steps; a step that comes again, of
// a run that went back to a checkpoint, replaces what was there from it on. Text is left
// out.
//
// Numbers are kept as float32, whole ones that need it as float64.
type Columns struct {
	path    string
	opened  os.FileInfo // of the file that was read
	read    int64       // bytes of it
	began   int         // how often it was read from its beginning
	steps   []int32
	columns map[string]*Column
}

// Column is the numbers of one key.
type Column struct {
	first  int     // row of the first number, while rows is nil
	rows   []int32 // rows of the numbers, nil when they follow one another
	narrow []float32
	wide   []float64 // in place of narrow
}

// NewColumns is the columns of the log at path, which need not exist yet. Update reads
// them.
func NewColumns(path string) *Columns { return &Columns{path: path, columns: map[string]*Column{}} }

// Len is the number of rows.
func (c *Columns) Len() int { return len(c.steps) }

// Step is the step of a row.
func (c *Columns) Step(row int) int { return int(c.steps[row]) }

// Row is the first row whose step is at least step.
func (c *Columns) Row(step int) int {
	row, _ := slices.BinarySearchFunc(c.steps, step, func(s int32, want int) int { return int(s) - want })
	return row
}

// Keys are those of all columns, in byte order.
func (c *Columns) Keys() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.columns)), func(k string) bool { return c.columns[k].Len() == 0 })
}

// Column is the column of a key, which has no number where no line has one.
func (c *Columns) Column(key string) *Column {
	if column := c.columns[key]; column != nil {
		return column
	}
	return &Column{}
}

// of is the column of a key, to add to.
func (c *Columns) of(key string) *Column {
	column := c.columns[key]
	if column == nil {
		column = &Column{}
		c.columns[key] = column
	}
	return column
}

// Began counts how often the log was read anew, because it became another or shorter.
func (c *Columns) Began() int { return c.began }

// Len is how many numbers a column has.
func (c *Column) Len() int { return max(len(c.narrow), len(c.wide)) }

// At is the row and the value of a column's number i. A value that the log has as null,
// NaN or Infinity is not finite.
func (c *Column) At(i int) (row int, v float64) {
	if row = c.first + i; c.rows != nil {
		row = int(c.rows[i])
	}
	if c.wide != nil {
		return row, c.wide[i]
	}
	return row, float64(c.narrow[i])
}

// index is the first of a column's numbers at row or behind it.
func (c *Column) index(row int) int {
	if c.rows == nil {
		return max(0, min(row-c.first, c.Len()))
	}
	i, _ := slices.BinarySearch(c.rows, int32(row))
	return i
}

// Between are rows and values of a column for the rows [from, to).
func (c *Column) Between(from, to int) iter.Seq2[int, float64] {
	return func(yield func(int, float64) bool) {
		for i, end := c.index(from), c.index(to); i < end; i++ {
			if !yield(c.At(i)) {
				return
			}
		}
	}
}

// add puts a number behind the others.
func (c *Column) add(row int, v float64) {
	n := len(c.narrow)
	if x := float32(v); c.rows == nil && n > 0 && row == c.first+n && (float64(x) == v || v != math.Trunc(v)) { // nearly always
		c.narrow = append(c.narrow, x)
		return
	}
	n = c.Len()
	if n == 0 {
		c.first = row
	} else if last, _ := c.At(n - 1); row == last { // the key stands twice in its line
		n--
		c.cut(row)
	}
	if c.rows == nil && row != c.first+n {
		c.rows = make([]int32, n, n+64)
		for i := range c.rows {
			c.rows[i] = int32(c.first + i)
		}
	}
	if c.rows != nil {
		c.rows = append(c.rows, int32(row))
	}
	if c.wide == nil && v == math.Trunc(v) && float64(float32(v)) != v && !math.IsInf(v, 0) {
		c.wide = make([]float64, n, max(n+1, cap(c.narrow)))
		for i, x := range c.narrow {
			c.wide[i] = float64(x)
		}
		c.narrow = nil
	}
	if c.wide != nil {
		c.wide = append(c.wide, v)
	} else {
		c.narrow = append(c.narrow, float32(v))
	}
}

// cut removes the numbers from a row on.
func (c *Column) cut(row int) {
	n := c.index(row)
	if c.rows != nil {
		c.rows = c.rows[:n]
	}
	if c.wide != nil {
		c.wide = c.wide[:n]
	} else {
		c.narrow = c.narrow[:n]
	}
}

// row puts a line's numbers behind the others, or to those of the last line when it is of
// the same step: other programs write evaluations as lines of their own.
func (c *Columns) row(step int, numbers []number) {
	if n := len(c.steps); n > 0 && int(c.steps[n-1]) > step {
		back := c.Row(step)
		c.steps = c.steps[:back]
		for _, column := range c.columns {
			column.cut(back)
		}
	}
	at := len(c.steps)
	if at > 0 && int(c.steps[at-1]) == step {
		at--
	} else {
		c.steps = append(c.steps, int32(step))
	}
	for _, n := range numbers {
		n.column.add(at, n.value)
	}
}

// join puts the rows of another behind these.
func (c *Columns) join(d *Columns) {
	if len(d.steps) == 0 {
		return
	}
	if n := len(c.steps); n > 0 && c.steps[n-1] >= d.steps[0] {
		// It went back: by rows, of which each may go back.
		var numbers []number
		for row, step := range d.steps {
			numbers = numbers[:0]
			for key, column := range d.columns {
				for _, v := range column.Between(row, row+1) {
					numbers = append(numbers, number{c.of(key), v})
				}
			}
			c.row(int(step), numbers)
		}
		return
	}
	at := len(c.steps)
	c.steps = append(c.steps, d.steps...)
	for key, from := range d.columns {
		c.of(key).join(from, at)
	}
}

// join puts the numbers of another column behind these, at rows that begin at row at.
func (c *Column) join(d *Column, at int) {
	if c.rows == nil && d.rows == nil && c.narrow != nil && d.narrow != nil && c.first+len(c.narrow) == at+d.first {
		c.narrow = append(c.narrow, d.narrow...)
		return
	}
	for i := range d.Len() {
		row, v := d.At(i)
		c.add(at+row, v)
	}
}

// grow makes room for so many rows, for a long log's sake.
func (c *Columns) grow(rows int) {
	c.steps = slices.Grow(c.steps, max(0, rows-len(c.steps)))
	for _, column := range c.columns {
		if column.rows == nil && column.narrow != nil {
			column.narrow = slices.Grow(column.narrow, max(0, rows-len(column.narrow)))
		} else if column.rows == nil {
			column.wide = slices.Grow(column.wide, max(0, rows-len(column.wide)))
		}
	}
}

// piece is how many bytes of a log are read at a time, by each thread.
const piece = 2 << 20

// Update reads what the log has got since the last time. A log that became shorter or
// another file is read anew; one that is not there has no rows. Lines that are no records
// are passed over.
func (c *Columns) Update() error {
	f, st, anew, err := Reopen(c.path, c.opened, c.read)
	if err != nil {
		return err
	}
	if anew {
		c.reset()
	}
	if f == nil {
		return nil
	}
	defer f.Close()
	c.opened = st
	buf := make([]byte, min(st.Size()-c.read, int64(piece*runtime.GOMAXPROCS(0))))
	for c.read < st.Size() {
		n, err := c.pieces(f, st.Size(), buf)
		if err != nil || n == 0 {
			return err
		}
		if c.read == 0 && n < st.Size()/2 {
			// A long log: room for all of it at once, as the first pieces let expect, so that
			// columns don't grow by copies of themselves.
			c.grow(int(1.02 * float64(len(c.steps)) * float64(st.Size()) / float64(n)))
		}
		c.read += n
	}
	return nil
}

func (c *Columns) reset() {
	if c.read > 0 {
		c.began++
	}
	c.opened, c.read, c.steps, c.columns = nil, 0, nil, map[string]*Column{}
}

// pieces reads the next pieces of a log, one for each thread, as far as their lines are
// complete, and returns how many bytes that were.
func (c *Columns) pieces(f *os.File, size int64, buf []byte) (int64, error) {
	text := buf[:min(size-c.read, int64(len(buf)))]
	n, err := f.ReadAt(text, c.read)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	text = text[:n]
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole == 0 || c.read+int64(n) == size {
		// The last line may lack its newline and be whole, which an object shows by its
		// end; a line longer than the pieces needs more.
		switch _, _, ok := (&parser{into: NewColumns("")}).line(text[whole:]); {
		case ok:
			whole = n
		case whole == 0 && c.read+int64(n) < size:
			return c.longLine(f, size)
		}
	}
	text = text[:whole]
	var parts []*Columns
	var wait sync.WaitGroup
	for len(text) > 0 {
		end := len(text)
		if end > piece {
			if i := bytes.IndexByte(text[piece:], '\n'); i >= 0 {
				end = piece + i + 1
			}
		}
		part, lines := NewColumns(""), text[:end]
		parts, text = append(parts, part), text[end:]
		wait.Go(func() { part.parse(lines) })
	}
	wait.Wait()
	for _, p := range parts {
		c.join(p)
	}
	return int64(whole), nil
}

// longLine passes over a line that no record has.
func (c *Columns) longLine(f *os.File, size int64) (int64, error) {
	buf := make([]byte, piece)
	for at := c.read; at < size; {
		n, err := f.ReadAt(buf, at)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i) + 1 - c.read, nil
		}
		if at += int64(n); err != nil {
			if errors.Is(err, io.EOF) {
				return 0, nil
			}
			return 0, err
		}
	}
	return 0, nil
}

// parse adds the records of lines.
func (c *Columns) parse(lines []byte) {
	p := parser{into: c}
	for len(lines) > 0 {
		line, rest, _ := bytes.Cut(lines, []byte("\n"))
		lines = rest
		if step, numbers, ok := p.line(line); ok {
			c.row(step, numbers)
		}
	}
}

// number is a value of a line.
type number struct {
	column *Column
	value  float64
}

// field is a key and its column. lead is what stands between the value before and its own.
type field struct {
	lead   string
	key    string
	column *Column
}

// parser reads the numbers of lines. Lines of a log have the same keys in the same
// order, mostly: the fields of the last line are tried first.
type parser struct {
	into    *Columns
	text    []byte
	at      int
	fields  []field // of the last line, in order
	numbers []number
}

// line reads a line: its step, and its numbers until the next call. ok is false when the
// line is no JSON object with a step.
func (p *parser) line(text []byte) (step int, numbers []number, ok bool) {
	p.text, p.at, p.numbers = text, 0, p.numbers[:0]
	p.space()
	if !p.take('{') {
		return 0, nil, false
	}
	found := false
	for i := 0; ; i++ {
		f, ok := p.field(i)
		if !ok {
			return 0, nil, false
		}
		if f == nil {
			break
		}
		var v float64
		isNumber := true
		if p.at < len(text) && text[p.at]-'0' <= 9 { // nearly always
			v, ok = p.decimal()
		} else {
			v, isNumber, ok = p.value(0)
		}
		if !ok {
			return 0, nil, false
		}
		if f.key == "step" {
			found = isNumber && v == math.Trunc(v) && v >= 0 && v <= math.MaxInt32
			step = int(v)
		} else if isNumber {
			if f.column == nil { // at its first number: text has none
				f.column = p.into.of(f.key)
			}
			p.numbers = append(p.numbers, number{f.column, v})
		}
	}
	p.space()
	return step, p.numbers, found && p.at == len(p.text)
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) take(b byte) bool {
	if p.at < len(p.text) && p.text[p.at] == b {
		p.at++
		return true
	}
	return false
}

// field reads the line's field i up to its value; nil behind the last one.
func (p *parser) field(i int) (*field, bool) {
	if i < len(p.fields) {
		f := &p.fields[i]
		if n := p.at + len(f.lead); n < len(p.text) && string(p.text[p.at:n]) == f.lead {
			p.at = n
			p.space()
			return f, true
		}
	}
	from := p.at
	p.space()
	if p.take('}') {
		return nil, true
	}
	if i > 0 && !p.take(',') {
		return nil, false
	}
	p.space()
	start := p.at
	if !p.quoted() {
		return nil, false
	}
	key := p.text[start:p.at]
	f := field{key: string(key[1 : len(key)-1])}
	if bytes.IndexByte(key, '\\') >= 0 && json.Unmarshal(key, &f.key) != nil {
		return nil, false
	}
	p.space()
	if !p.take(':') {
		return nil, false
	}
	p.space()
	if i > len(p.fields) {
		return &f, true // behind one that is not remembered
	}
	f.lead = string(p.text[from:p.at])
	p.fields = append(p.fields[:i], f)
	return &p.fields[i], true
}

// quoted passes over a string.
func (p *parser) quoted() bool {
	if !p.take('"') {
		return false
	}
	for p.at < len(p.text) {
		switch b := p.text[p.at]; {
		case b == '"':
			p.at++
			return true
		case b == '\\':
			p.at += 2
		case b < ' ':
			return false
		default:
			p.at++
		}
	}
	return false
}

// words are values that are written as words; of those in capitals, which Python writes,
// JSON knows nothing.
var words = []struct {
	text     string
	value    float64
	isNumber bool
}{
	{"null", math.NaN(), true}, // what our own log has for NaN and the infinities
	{"NaN", math.NaN(), true},
	{"Infinity", math.Inf(1), true},
	{"-Infinity", math.Inf(-1), true},
	{"true", 0, false},
	{"false", 0, false},
}

// deepest is how deep arrays and objects may lie within each other.
const deepest = 100

// value reads a value.
func (p *parser) value(depth int) (v float64, isNumber, ok bool) {
	if p.at >= len(p.text) || depth > deepest {
		return 0, false, false
	}
	switch b := p.text[p.at]; b {
	case '"':
		return 0, false, p.quoted()
	case '[', '{':
		return 0, false, p.nested(depth, b)
	case 'n', 'N', 'I', 't', 'f':
	default:
		if b != '-' || p.at+1 >= len(p.text) || p.text[p.at+1] != 'I' {
			v, ok = p.decimal()
			return v, true, ok
		}
	}
	for _, w := range words {
		if bytes.HasPrefix(p.text[p.at:], []byte(w.text)) {
			p.at += len(w.text)
			return w.value, w.isNumber, true
		}
	}
	return 0, false, false
}

// nested passes over an array or object.
func (p *parser) nested(depth int, open byte) bool {
	p.at++
	for first := true; ; first = false {
		p.space()
		if p.take(open + 2) { // the closing brackets are two behind the opening ones
			return first || p.text[p.at-2] != ','
		}
		if !first && !p.take(',') {
			return false
		}
		p.space()
		if open == '{' {
			if !p.quoted() {
				return false
			}
			p.space()
			if !p.take(':') {
				return false
			}
			p.space()
		}
		if _, _, ok := p.value(depth + 1); !ok {
			return false
		}
	}
}
