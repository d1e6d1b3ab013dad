package score

import (
	"encoding/json"
	"errors"
	"fmt"
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
			check, ok := instructions[id]
			if !ok {
				return nil, fmt.Errorf("no instruction is called %q", id)
			}
			follows := make([]bool, len(variants))
			for k, v := range variants {
				// Each of the others is tried only where those before it fail, as one is enough.
				if python.Strip(v) == "" || k > 0 && slices.Contains(follows, true) {
					continue
				}
				if follows[k], err = check(v, instructionOptions(options[i])); err != nil {
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

// instructionOptions are the arguments of an instruction. Those that are null, zero or empty are
// not there for lm-eval, which then draws lots; so there a verdict would mean nothing.
type instructionOptions map[string]json.RawMessage

func (o instructionOptions) read(name string, v any) error {
	switch raw := string(o[name]); raw {
	case "", "null", `""`, "[]", "0", "0.0", "false":
		return fmt.Errorf("its kwargs have no %s", name)
	}
	if err := pyjson.Value(o[name], v); err != nil {
		return fmt.Errorf("%s is %s: %w", name, short(o[name]), err)
	}
	return nil
}

func (o instructionOptions) text(name string) (s string, err error) {
	err = o.read(name, &s)
	return s, err
}

// count is a number from 1 on.
func (o instructionOptions) count(name string) (int, error) {
	var f float64 // tables of numbers with gaps are often written as 3.0
	if err := o.read(name, &f); err != nil {
		return 0, err
	}
	if f < 0 {
		return 0, fmt.Errorf("%s is %v", name, f)
	}
	return int(f), nil
}

// holds compares a number with the one that the options ask for.
func (o instructionOptions) holds(n int, relation, number string) (bool, error) {
	want, err := o.count(number)
	if err != nil {
		return false, err
	}
	r, err := o.text(relation)
	switch {
	case err != nil:
		return false, err
	case r == "less than":
		return n < want, nil
	case r == "at least":
		return n >= want, nil
	}
	return false, fmt.Errorf("%s is %q, want less than or at least", relation, r)
}
