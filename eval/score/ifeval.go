package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"olmo/eval/python"
	"olmo/internal/pyjson"
)

// IFEval (Zhou et al. 2023) as lm-eval 0.4.13 judges it (tasks/ifeval): which of a prompt's
// instructions a response follows, each by a program of its own. Strict is the response as it is;
// loose also tries it without asterisks, first line and last line. Languages are told apart by the
// model in this program, where lm-eval asks langdetect, which draws lots.
var _ = define(Scorer{
	Name: "ifeval", Source: "lm-eval 0.4.13, tasks/ifeval/utils.py, process_results",
	Gives:    []string{"prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc"},
	Verdicts: []string{"prompt_level_strict_acc", "prompt_level_loose_acc"},
	Each: func(r *Row) (Values, error) {
		var ids []string
		var options []map[string]json.RawMessage
		if err := errors.Join(r.field("instruction_id_list", &ids), r.field("kwargs", &options)); err != nil {
			return nil, err
		}
		if len(options) < len(ids) {
			return nil, fmt.Errorf("the document has %d instructions and the kwargs of %d", len(ids), len(options))
		}
		response, err := r.Response()
		if err != nil {
			return nil, err
		}
		variants := looseVariants(response)
		strict, loose := []bool{}, []bool{}
		for i, id := range ids {
			instruction, ok := instructions[id]
			if !ok {
				return nil, fmt.Errorf("no instruction is called %q", id)
			}
			o := &instructionOptions{members: options[i], falsy: true}
			follow := instruction(o)
			if o.err != nil {
				return nil, fmt.Errorf("the instruction %s: %w", id, o.err)
			}
			follows := make([]bool, len(variants))
			for k, v := range variants {
				// Each of the others is tried only where those before it fail, as one is enough.
				if python.Strip(v) == "" || k > 0 && slices.Contains(follows, true) {
					continue
				}
				if follows[k], err = follow(v); err != nil {
					return nil, fmt.Errorf("the instruction %s: %w", id, err)
				}
			}
			strict, loose = append(strict, follows[0]), append(loose, slices.Contains(follows, true))
		}
		return Values{
			"prompt_level_strict_acc": !slices.Contains(strict, false), "inst_level_strict_acc": strict,
			"prompt_level_loose_acc": !slices.Contains(loose, false), "inst_level_loose_acc": loose,
		}, nil
	},
})

// looseVariants are the response, and what remains of it without asterisks, without its first or
// last line, or without both.
func looseVariants(response string) []string {
	lines := strings.Split(response, "\n")
	last := len(lines) - 1
	join := func(part []string) string { return python.Strip(strings.Join(part, "\n")) }
	all := []string{response, join(lines[1:]), join(lines[:last]), join(lines[min(1, last):last])}
	for _, v := range all[:4:4] {
		all = append(all, strings.ReplaceAll(v, "*", ""))
	}
	return all
}

// instructionOptions are the arguments of an instruction. They are read before any response is, and the
// first mistake is kept.
type instructionOptions struct {
	members map[string]json.RawMessage
	// falsy says that what Python takes for false is not there either: lm-eval leaves it out, and then
	// draws lots; so there a verdict would mean nothing.
	falsy bool
	known []string // names that were asked for
	err   error
}

func (o *instructionOptions) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// read reads an option; empty says that what is false for Python is as good as nothing.
func (o *instructionOptions) read(name string, empty bool, v any) {
	o.known = append(o.known, name)
	switch raw := string(o.members[name]); raw {
	case "", "null":
		o.fail(fmt.Errorf("its kwargs have no %s", name))
		return
	case `""`, "[]", "0", "0.0", "false":
		if empty || o.falsy {
			o.fail(fmt.Errorf("its kwargs have no %s", name))
			return
		}
	}
	if err := pyjson.Value(o.members[name], v); err != nil {
		o.fail(fmt.Errorf("%s is %s: %w", name, short(o.members[name]), err))
	}
}

// text is an option that is a text.
func (o *instructionOptions) text(name string) (s string) {
	o.read(name, false, &s)
	return s
}

// word is a text that is not empty.
func (o *instructionOptions) word(name string) (s string) {
	o.read(name, true, &s)
	return s
}

// words are several.
func (o *instructionOptions) words(name string) (all []string) {
	o.read(name, true, &all)
	return all
}

// count is a number from 0 on, or where that is nothing from 1 on.
func (o *instructionOptions) count(name string) int { return o.number(name, false) }

// positive is a number from 1 on.
func (o *instructionOptions) positive(name string) int { return o.number(name, true) }

func (o *instructionOptions) number(name string, empty bool) int {
	var f float64 // tables of numbers with gaps are often written as 3.0
	o.read(name, empty, &f)
	if f < 0 || f > 1e9 {
		o.fail(fmt.Errorf("%s is %v", name, f))
		return 0
	}
	return int(f)
}

// relation compares a number with the one that the options ask for.
func (o *instructionOptions) relation(relation, number string) func(n int) bool {
	want, r := o.count(number), o.text(relation)
	switch {
	case o.err != nil:
	case r == "less than":
		return func(n int) bool { return n < want }
	case r == "at least":
		return func(n int) bool { return n >= want }
	default:
		o.fail(fmt.Errorf("%s is %q, want less than or at least", relation, r))
	}
	return nil
}

// firstWord is a text, or the first one of a list.
func (o *instructionOptions) firstWord(name string) string {
	if raw := bytes.TrimSpace(o.members[name]); len(raw) == 0 || raw[0] != '[' {
		return o.word(name)
	}
	all := o.words(name)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// unknown is an error where there are options that the instruction does not have.
func (o *instructionOptions) unknown() error {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if string(o.members[name]) != "null" && !slices.Contains(o.known, name) {
			return fmt.Errorf("it has no %s", name)
		}
	}
	return nil
}

// pattern compiles a pattern of Python's that options are part of.
func (o *instructionOptions) pattern(text, flags string) *python.Regexp {
	re, err := python.Compile(text, flags)
	if err != nil {
		o.fail(err)
	}
	return re
}
