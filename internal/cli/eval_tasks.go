package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/config"
	"olmo/eval"
	"olmo/eval/taskfile"
)

// taskFlags are the flags that say which tasks there are, and what of them a call changes.
type taskFlags struct {
	include     []string
	shots       int
	generation  []string
	system      string
	predictOnly bool
	seed        uint64
}

func (o *taskFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.include, "include", nil, "a `folder` of tasks as files in lm-eval's form, searched recursively; may be repeated")
	f.IntVar(&o.shots, "num-fewshot", -1, "examples before each question, in place of the tasks' own number (tasks of files)")
	f.StringSliceVar(&o.generation, "gen-kwargs", nil, "key=value,… in place of the tasks' generation_kwargs (tasks of files)")
	f.StringVar(&o.system, "system", "", "a text before each prompt (tasks of files)")
	f.BoolVar(&o.predictOnly, "predict-only", false, "keep the answers and judge none (tasks of files)")
	f.Uint64Var(&o.seed, "seed", 0, "of the examples that are drawn, and of sampled answers (tasks of files; default 1234)")
}

// includeFlag is the one of the verbs that need no more.
func (o *taskFlags) includeFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.include, "include", nil, "a `folder` of tasks as files in lm-eval's form, searched recursively; may be repeated")
	o.shots = -1
}

func (o *taskFlags) options() taskfile.Options {
	t := taskfile.Options{Generation: o.generation, System: o.system, PredictOnly: o.predictOnly, Seed: o.seed}
	if o.shots >= 0 {
		t.Shots = &o.shots
	}
	return t
}

// catalogue reads the folders; nil without any.
func (o *taskFlags) catalogue() (*taskfile.Catalogue, error) {
	if len(o.include) == 0 {
		return nil, nil
	}
	return taskfile.Open(o.include...)
}

// own marks a name that is the program's, whatever files there are.
const own = "olmo:"

// find looks for tasks by name or pattern, in the files first and then in the program; say is
// told what the user may not expect.
func (o *taskFlags) find(names []string, say func(string)) (tasks []*eval.Task, groups []*eval.Group, err error) {
	files, err := o.catalogue()
	if err != nil {
		return nil, nil, err
	}
	all := eval.Tasks()
	program := map[string]*eval.Task{}
	var known []string
	for _, t := range all {
		program[t.Name] = t
		known = append(known, t.Name)
	}
	if files != nil {
		known = append(known, files.Names()...)
	}
	var ofFiles []string
	add := func(t *eval.Task) {
		if !slices.Contains(tasks, t) {
			tasks = append(tasks, t)
		}
	}
	for _, name := range names {
		short, ours := strings.CutPrefix(name, own)
		inFiles := files != nil && !ours && files.Has(name)
		switch t := program[short]; {
		case inFiles:
			if t != nil {
				say(fmt.Sprintf("%s is the task of a file; %s%s is the program's", name, own, name))
			}
			ofFiles = append(ofFiles, name)
		case t != nil:
			add(t)
		case strings.ContainsAny(name, "*?["):
			found := false
			for _, t := range all {
				if ok, err := path.Match(short, t.Name); err != nil {
					return nil, nil, usageErrorf("--tasks %s: %w", name, err)
				} else if ok {
					add(t)
					found = true
				}
			}
			for _, n := range known[len(all):] {
				if ok, _ := path.Match(name, n); ok && !ours {
					ofFiles = append(ofFiles, n)
					found = true
				}
			}
			if !found {
				return nil, nil, usageErrorf("no task's name matches %s\nhint: 'olmo eval list' lists the tasks", name)
			}
		default:
			if near, ok := config.Nearest(short, known); ok {
				return nil, nil, usageErrorf("no task is called %q\nhint: did you mean %s?", name, near)
			}
			return nil, nil, usageErrorf("no task is called %q\nhint: 'olmo eval list' lists the tasks", name)
		}
	}
	if len(ofFiles) > 0 {
		t, g, err := files.Select(ofFiles, o.options())
		if err != nil {
			return nil, nil, err
		}
		tasks, groups = append(tasks, t...), g
	}
	return tasks, groups, nil
}
