package verify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"olmo/proof"
	"olmo/runlog"
)

// maxLogLine is the longest line that metrics.jsonl may have: the norms of all parameters are some
// megabytes.
const maxLogLine = 64 << 20

// ascending are the lines of a file beside the chain, whose steps ascend.
type ascending[T any] struct {
	following func() (step int, line []T) // the next line; nil at the end, and after an error
	step      int                         // of line, where there is one
	line      []T
	surplus   []int // steps of lines for which the chain has no place
}

func (r *ascending[T]) next() { r.step, r.line = r.following() }

// at is the line of a step, nil where there is none. first is the step with which the chain begins: what
// the file has up to there is not the chain's.
func (r *ascending[T]) at(step, first int) []T {
	for r.line != nil && r.step < step {
		if r.step > first && len(r.surplus) < most {
			r.surplus = append(r.surplus, r.step)
		}
		r.next()
	}
	if r.line == nil || r.step > step {
		return nil
	}
	line := r.line
	r.next()
	return line
}

// rest are the steps of lines for which the chain has no place, to the end.
func (r *ascending[T]) rest() []int {
	for r.line != nil && len(r.surplus) < most {
		r.surplus = append(r.surplus, r.step)
		r.next()
	}
	return r.surplus
}

// logReader reads metrics.jsonl beside the chain.
type logReader struct {
	ascending[byte]
	file  io.Closer
	lines *bufio.Scanner
	err   error
}

func openLog(f *file) (*logReader, error) {
	in, err := f.text()
	if err != nil {
		return nil, err
	}
	r := &logReader{file: in, lines: bufio.NewScanner(in)}
	r.lines.Buffer(make([]byte, 64<<10), maxLogLine)
	r.following = r.read
	r.next()
	return r, nil
}

func (r *logReader) close() { r.file.Close() }

// read reads the following line that is one of a step.
func (r *logReader) read() (step int, line []byte) {
	for r.err == nil {
		if !r.lines.Scan() {
			r.err = r.lines.Err()
			return 0, nil
		}
		text := r.lines.Bytes()
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		step, ok := quickStep(text)
		if !ok {
			rec, err := runlog.Parse(text)
			if step, ok = rec.Step(); err != nil || !ok {
				r.err = fmt.Errorf("a line is none of a log: %.80q", text)
				return 0, nil
			}
		}
		return step, bytes.Clone(text)
	}
	return 0, nil
}

// quickStep reads the step where it stands first, as the trainer writes it.
func quickStep(line []byte) (step int, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"step":`))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, false
	}
	step, err := strconv.Atoi(string(rest[:end]))
	return step, err == nil
}

// record is a line of the log: the members as they stand there.
type record []struct{ name, value string }

// readRecord reads a line. Most are flat, as the trainer writes them, and are cut without a parser's work;
// a name that is there twice is an error.
func readRecord(line []byte) (record, error) {
	r, ok := cutRecord(string(line))
	if !ok {
		values, err := runlog.Parse(line)
		if err != nil {
			return nil, err
		}
		// Of names that are twice in an object, the parser has kept one.
		if _, err := proof.Canonical(line); err != nil {
			return nil, err
		}
		for _, name := range sortedKeys(values) {
			text, err := json.Marshal(values[name])
			if err != nil {
				return nil, err
			}
			r = append(r, struct{ name, value string }{name, string(text)})
		}
		return r, nil
	}
	slices.SortFunc(r, func(a, b struct{ name, value string }) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(r); i++ {
		if r[i].name == r[i-1].name {
			return nil, fmt.Errorf("it has %s twice", r[i].name)
		}
	}
	return r, nil
}

// cutRecord cuts a line of numbers, words and strings without escapes into its members; false for any other.
func cutRecord(line string) (r record, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "{")
	for ok {
		var name, value string
		if rest, ok = strings.CutPrefix(rest, `"`); !ok {
			break
		}
		if name, rest, ok = strings.Cut(rest, `":`); !ok || strings.ContainsRune(name, '"') || !plain(`"`+name) {
			return nil, false
		}
		end := strings.IndexAny(rest, ",}")
		if strings.HasPrefix(rest, `"`) {
			if end = strings.IndexByte(rest[1:], '"') + 2; end < 2 {
				return nil, false
			}
		}
		if end < 1 || end >= len(rest) {
			return nil, false
		}
		value, rest = rest[:end], rest[end:]
		if !plain(value) {
			return nil, false
		}
		r = append(r, struct{ name, value string }{name, value})
		if rest == "}" {
			return r, true
		}
		rest, ok = strings.CutPrefix(rest, ",")
	}
	return nil, false
}

// plain tells whether a value is a string without escapes, a number or a word of JSON.
func plain(value string) bool {
	if value[0] == '"' {
		for _, c := range []byte(value) {
			if c < ' ' || c == '\\' || c >= 0x7f {
				return false
			}
		}
		return true
	}
	switch value {
	case "true", "false", "null":
		return true
	}
	return strings.Trim(value, "0123456789+-.eE") == "" && json.Valid([]byte(value))
}

func (r record) find(name string) string {
	i, ok := slices.BinarySearchFunc(r, name, func(m struct{ name, value string }, name string) int { return strings.Compare(m.name, name) })
	if !ok {
		return ""
	}
	return r[i].value
}

// number is the value of a member that is a number.
func (r record) number(name string) (float64, bool) {
	f, err := strconv.ParseFloat(r.find(name), 64)
	return f, err == nil
}

// text is the value of a member that is a string, empty for another.
func (r record) text(name string) (s string) {
	_ = json.Unmarshal([]byte(r.find(name)), &s)
	return s
}

// indexReader reads data-indices/rankR.tsv.gz beside the chain.
type indexReader struct {
	ascending[uint32] // instances
	path              string
	file              io.Closer
	lines             *bufio.Scanner
	ended             int // the first step for which there was no row any more, 0 for none
	err               error
}

// maxIndexLine is the longest line of a data-indices file: a batch of some million instances.
const maxIndexLine = 64 << 20

func openIndex(f *file) (*indexReader, error) {
	in, err := f.unpacked()
	if err != nil {
		return nil, err
	}
	r := &indexReader{path: f.path, file: in, lines: bufio.NewScanner(in)}
	r.lines.Buffer(make([]byte, 64<<10), maxIndexLine)
	r.following = r.read
	r.next()
	return r, nil
}

func (r *indexReader) close() { r.file.Close() }

// read reads the following row.
func (r *indexReader) read() (step int, instances []uint32) {
	switch {
	case r.err != nil:
	case !r.lines.Scan():
		r.err = r.lines.Err()
	default:
		step, instances, r.err = parseIndices(r.lines.Bytes())
	}
	return step, instances
}

func parseIndices(line []byte) (step int, row []uint32, err error) {
	first, instances := true, []uint32{}
	for field := range bytes.SplitSeq(line, []byte("\t")) {
		n, err := strconv.ParseUint(string(field), 10, 32)
		if err != nil {
			return 0, nil, fmt.Errorf("a line is none of steps and instances: %.80q", line)
		}
		if first {
			step, first = int(n), false
		} else {
			instances = append(instances, uint32(n))
		}
	}
	return step, instances, nil
}
