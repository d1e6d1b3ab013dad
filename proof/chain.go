package proof

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ChainFormat is the format that the first line of a chain names.
const ChainFormat = "olmo chain 1"

// maxLine is the longest line that a chain may have, in bytes: one of ours has some hundred.
const maxLine = 1 << 20

// Line is one line of a chain: the state before the first step (Format is set), a step (Instances
// is set), or the state in which a run was stopped (neither), which follows its step. What is nil
// is not in the line.
type Line struct {
	Step int

	// Of the first line, and of a step from which on settings or data are others, those that are.
	Format               string
	Recipe               *Hash
	Documents, Tokenizer *Nullable
	Numerics             *int
	Program              *string
	Masks                *Nullable
	From                 *Hash // the end of the chain out of which this one grew

	// Of a step.
	Instances, Tokens *Hash
	Loss, GradNorm    float64
	Rollouts          *Hash // of reinforcement learning: over the step's lines of rollouts.jsonl

	// The state after it, where one was planned. Weights and Optim are roots over tensors.
	Weights, Optim, State *Hash

	Hash Hash // of this line; see Seal
}

// Nullable is a hash, or that there is nothing to hash.
type Nullable struct {
	Hash  Hash
	Valid bool // false writes null
}

// Closes tells whether the line is of a state in which a run was stopped.
func (l *Line) Closes() bool { return l.Format == "" && l.Instances == nil }

// Seal computes the line's hash, which binds it to the hash of the line before (the zero hash for
// the first, before which nothing stands), and returns its text, without a newline.
func (l *Line) Seal(before Hash) ([]byte, error) {
	text, err := l.open()
	if err != nil {
		return nil, err
	}
	l.Hash = linked(before, l.Format != "", append(text, '}'))
	return fmt.Appendf(text, `,"hash":"%v"}`, l.Hash), nil
}

// linked is the hash of a line of which text is all but its hash, closed.
func linked(before Hash, first bool, text []byte) Hash {
	h := sha256.New()
	if !first {
		h.Write(before[:])
	}
	h.Write(text)
	return Hash(h.Sum(nil))
}

// open writes the line without its hash and its end, in the order of members.
func (l *Line) open() ([]byte, error) {
	b := fmt.Appendf(nil, `{"step":%d`, l.Step)
	hash := func(name string, h *Hash) {
		if h != nil {
			b = fmt.Appendf(b, `,"%s":"%v"`, name, *h)
		}
	}
	nullable := func(name string, n *Nullable) {
		switch {
		case n == nil:
		case n.Valid:
			hash(name, &n.Hash)
		default:
			b = fmt.Appendf(b, `,"%s":null`, name)
		}
	}
	text := func(name, s string) error {
		v, err := json.Marshal(s)
		b = fmt.Appendf(b, `,"%s":%s`, name, v)
		return err
	}
	// Changes of a step stand behind what every step has.
	start := func() error {
		hash("recipe", l.Recipe)
		nullable("documents", l.Documents)
		nullable("tokenizer", l.Tokenizer)
		if l.Numerics != nil {
			b = fmt.Appendf(b, `,"numerics":%d`, *l.Numerics)
		}
		if l.Program != nil {
			if err := text("program", *l.Program); err != nil {
				return err
			}
		}
		nullable("masks", l.Masks)
		return nil
	}
	if l.Format != "" {
		if err := errors.Join(text("format", l.Format), start()); err != nil {
			return nil, err
		}
		hash("weights", l.Weights)
		hash("optim", l.Optim)
		hash("from", l.From)
		hash("state", l.State)
		return b, nil
	}
	if l.Instances != nil {
		hash("instances", l.Instances)
		hash("tokens", l.Tokens)
		b = fmt.Appendf(b, `,"loss":"%016x","grad_norm":"%016x"`, math.Float64bits(l.Loss), math.Float64bits(l.GradNorm))
	}
	hash("weights", l.Weights)
	hash("optim", l.Optim)
	hash("state", l.State)
	if err := start(); err != nil {
		return nil, err
	}
	hash("rollouts", l.Rollouts)
	return b, nil
}

// orders are the members that lines have, in their order; what a line need not have is behind a
// question mark.
var (
	firstMembers = []string{"step", "format", "recipe", "documents", "tokenizer", "numerics", "program", "masks", "weights", "optim", "?from", "state"}
	stepMembers  = []string{"step", "instances", "tokens", "loss", "grad_norm", "?weights", "?optim", "?state", "?recipe", "?documents", "?tokenizer", "?numerics", "?program", "?masks", "?rollouts"}
	closeMembers = []string{"step", "weights", "optim", "state"}
)

// member is one of a line.
type member struct {
	name  string
	value []byte
	end   int // of it in the line
}

// ParseLine reads a line, without its newline, as strictly as a hash needs it: what would have
// been written otherwise is an error. It does not compare its hash; see Check.
func ParseLine(text []byte) (*Line, error) {
	members, err := split(text)
	if err != nil {
		return nil, err
	}
	last := members[len(members)-1]
	if last.name != "hash" {
		return nil, errors.New("its last member is not hash")
	}
	l := &Line{}
	if err := parse(&l.Hash, last.value); err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	order := closeMembers
	if len(members) > 1 {
		switch members[1].name {
		case "format":
			order = firstMembers
		case "instances":
			order = stepMembers
		}
	}
	rest := members[:len(members)-1]
	for _, name := range order {
		optional := name[0] == '?'
		if optional {
			name = name[1:]
		}
		if len(rest) == 0 || rest[0].name != name {
			if optional {
				continue
			}
			return nil, fmt.Errorf("it has no %s in its place", name)
		}
		if err := l.set(name, rest[0].value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		rest = rest[1:]
	}
	for _, m := range rest {
		if known[m.name] {
			return nil, fmt.Errorf("%s is not in its place", m.name)
		}
	}
	if l.Format != "" && l.Format != ChainFormat {
		return nil, fmt.Errorf("format %q, this program reads %q", l.Format, ChainFormat)
	}
	if (l.Weights == nil) != (l.Optim == nil) || (l.Weights == nil) != (l.State == nil) {
		return nil, errors.New("weights, optim and state are not all there")
	}
	return l, nil
}

// known are all names that have a place.
var known = func() map[string]bool {
	names := map[string]bool{"hash": true}
	for _, order := range [][]string{firstMembers, stepMembers, closeMembers} {
		for _, name := range order {
			names[string(bytes.TrimPrefix([]byte(name), []byte("?")))] = true
		}
	}
	return names
}()

// set reads the value of a member.
func (l *Line) set(name string, value []byte) (err error) {
	hash := func(to **Hash) error {
		*to = new(Hash)
		return parse(*to, value)
	}
	nullable := func(to **Nullable) error {
		*to = &Nullable{}
		if string(value) == "null" {
			return nil
		}
		(*to).Valid = true
		return parse(&(*to).Hash, value)
	}
	text := func() (s string, err error) {
		if value[0] != '"' {
			return "", errors.New("it is no string")
		}
		return s, json.Unmarshal(value, &s)
	}
	count := func() (int, error) {
		n, err := strconv.Atoi(string(value))
		if err != nil || n < 0 || strconv.Itoa(n) != string(value) {
			return 0, errors.New("it is no number of steps or the like")
		}
		return n, nil
	}
	number := func(to *float64) error {
		s, err := text()
		if err != nil {
			return err
		}
		bits, err := strconv.ParseUint(s, 16, 64)
		if err != nil || len(s) != 16 || strings.ToLower(s) != s {
			return errors.New("it is not the bits of a float64, 16 hexadecimal digits")
		}
		*to = math.Float64frombits(bits)
		return nil
	}
	switch name {
	case "step":
		l.Step, err = count()
	case "format":
		l.Format, err = text()
	case "recipe":
		err = hash(&l.Recipe)
	case "documents":
		err = nullable(&l.Documents)
	case "tokenizer":
		err = nullable(&l.Tokenizer)
	case "numerics":
		l.Numerics = new(int)
		*l.Numerics, err = count()
	case "program":
		l.Program = new(string)
		*l.Program, err = text()
	case "masks":
		err = nullable(&l.Masks)
	case "from":
		err = hash(&l.From)
	case "instances":
		err = hash(&l.Instances)
	case "tokens":
		err = hash(&l.Tokens)
	case "rollouts":
		err = hash(&l.Rollouts)
	case "loss":
		err = number(&l.Loss)
	case "grad_norm":
		err = number(&l.GradNorm)
	case "weights":
		err = hash(&l.Weights)
	case "optim":
		err = hash(&l.Optim)
	case "state":
		err = hash(&l.State)
	}
	return err
}

// parse reads a hash out of a string of JSON.
func parse(h *Hash, value []byte) error {
	if len(value) < 2 || value[0] != '"' {
		return errors.New("it is no string")
	}
	return h.UnmarshalText(value[1 : len(value)-1])
}

// fewMembers are so many that looking through them is quicker than a map.
const fewMembers = 32

// split reads the members of an object in compact JSON.
func split(text []byte) (members []member, err error) {
	var names map[string]bool // of the members behind the first few
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8")
	}
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, errors.New("it is no object of JSON")
	}
	if err := compact(text); err != nil {
		return nil, err
	}
	members = make([]member, 0, 16)
	for at := 1; text[at] != '}'; {
		if text[at] == ',' {
			at++
		}
		end := skip(text, at)
		name := string(text[at+1 : end-1])
		if strings.Contains(name, `\`) {
			if err := json.Unmarshal(text[at:end], &name); err != nil {
				return nil, err
			}
		}
		if slices.ContainsFunc(members[:min(len(members), fewMembers)], func(m member) bool { return m.name == name }) || names[name] {
			return nil, fmt.Errorf("it has %s twice", name)
		}
		if len(members) >= fewMembers {
			if names == nil {
				names = map[string]bool{}
			}
			names[name] = true
		}
		at = end + 1 // the colon
		end = skip(text, at)
		members = append(members, member{name, text[at:end], end})
		at = end
	}
	if len(members) == 0 {
		return nil, errors.New("it is an empty object")
	}
	return members, nil
}

// compact is an error where JSON that is valid has a space between its tokens.
func compact(text []byte) error {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = skip(text, i) - 1
		case ' ', '\t', '\r', '\n':
			return errors.New("it is not compact: there is a space between its members")
		}
	}
	return nil
}

// skip returns the end of the value that begins at a place of compact, valid JSON.
func skip(text []byte, at int) int {
	depth := 0
	for i := at; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(text)
}

// Check compares the hash of a line that ParseLine has read with its text and the hash before it.
func (l *Line) Check(text []byte, before Hash) error {
	tail := fmt.Sprintf(`,"hash":"%v"}`, l.Hash)
	body, ok := bytes.CutSuffix(text, []byte(tail))
	if !ok {
		return errors.New("its end is not its hash")
	}
	if got := linked(before, l.Format != "", append(bytes.Clone(body), '}')); got != l.Hash {
		return fmt.Errorf("its hash is %v, its text and the line before give %v", l.Hash, got)
	}
	return nil
}

// Follow is an error where a line cannot stand behind the one before it in the file, nil for the first
// line: by its kind, its step, or its hash.
func (l *Line) Follow(before *Line, text []byte) error {
	if (before == nil) != (l.Format != "") {
		return errors.New("it is not the one that belongs there: the first, and no other, names the format")
	}
	var hash Hash
	if before != nil {
		hash = before.Hash
		switch {
		case !l.Closes() && l.Step != before.Step+1:
			return fmt.Errorf("its step is %d, behind %d", l.Step, before.Step)
		case l.Closes() && (l.Step != before.Step || before.Closes()):
			return fmt.Errorf("it ends step %d, the line before is of step %d", l.Step, before.Step)
		case before.Closes():
			return errors.New("it stands behind a line that ends the chain")
		}
	}
	if err := l.Check(text, hash); err != nil {
		return fmt.Errorf("step %d: %w", l.Step, err)
	}
	return nil
}

// ReadLine reads the next line of a chain without its newline; torn tells that there was none
// behind it. The text is the caller's until the next call. After the last line the error is
// io.EOF. What is longer than any line can be is an error, with as much of it in memory.
func ReadLine(in *bufio.Reader) (text []byte, torn bool, err error) { return readLine(in, maxLine) }

func readLine(in *bufio.Reader, longest int) (text []byte, torn bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case err == nil:
			return text[:len(text)-1], false, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(text) > longest {
				return nil, false, fmt.Errorf("it has a line of more than %d bytes", longest)
			}
		case errors.Is(err, io.EOF) && len(text) > 0:
			return text, true, nil
		default:
			return nil, false, err
		}
	}
}
