package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"olmo/eval"
	"olmo/eval/score"
	"olmo/eval/score/sandbox"
)

// programFlags say whether and how programs are run that a model wrote.
type programFlags struct {
	allow           bool
	python, sandbox string
}

func (p *programFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&p.allow, "allow-code", false, "run the programs that a model wrote")
	p.addPlace(f)
}

// addPlace adds those that say where programs run.
func (p *programFlags) addPlace(f *pflag.FlagSet) {
	f.StringVar(&p.python, "python", "", "the interpreter of programs (default the one behind python3)")
	f.StringVar(&p.sandbox, "sandbox", "", "none: programs run without namespaces, for inside a container already")
}

// check refuses flags that make no sense; user is what runs programs, "" where nothing does.
func (p *programFlags) check(user string) error {
	switch {
	case p.sandbox != "" && p.sandbox != "none":
		return usageErrorf("--sandbox %s: want none, or leave it out for namespaces", p.sandbox)
	case user != "" && !p.allow:
		return usageErrorf("%s runs programs that a model wrote\nhint: --allow-code says that it may", user)
	case user == "" && (p.python != "" || p.sandbox != ""):
		return usageErrorf("--python and --sandbox are for programs, and there are none to run")
	}
	return nil
}

// open finds the interpreter, and sees that programs can be run.
func (p *programFlags) open(ctx context.Context) (*sandbox.Sandbox, error) {
	return sandbox.New(ctx, sandbox.Options{Python: p.python, None: p.sandbox == "none"})
}

// runner is what runs the programs of the tasks, nil where there are none. That it can is seen before
// a model is asked for any.
func (p *programFlags) runner(ctx context.Context, jobs []*eval.Job, show *progress) (func(context.Context, string, []*eval.Document, [][]string) ([][]bool, error), error) {
	user := ""
	for _, j := range jobs {
		if j.Task.Programs != "" {
			user = j.Name
		}
	}
	if err := p.check(user); err != nil || user == "" {
		return nil, err
	}
	box, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, scorer string, docs []*eval.Document, responses [][]string) ([][]bool, error) {
		found, err := score.Lookup(scorer)
		if err != nil {
			return nil, err
		}
		rows, total := make([]score.Row, len(docs)), 0
		for i, d := range docs {
			rows[i] = score.Row{Doc: d.Row, Responses: responses[i], Targets: d.Targets}
			total += len(responses[i])
		}
		passed, err := found[0].Programs(ctx, rows, score.ProgramOptions{Sandbox: box, Ended: showPrograms(show, total)})
		var at *score.RowError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("document %d: %w", docs[at.Row].Index, at.Err)
		}
		return passed, err
	}, nil
}

// showPrograms shows how many programs have run.
func showPrograms(show *progress, total int) func(row, response int, o sandbox.Outcome) {
	done := 0
	show.begin("running programs")
	return func(int, int, sandbox.Outcome) {
		done++
		show.update(step{done: float64(done), total: float64(total), unit: "programs"})
	}
}
