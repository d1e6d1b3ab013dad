package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/config"
	"olmo/eval"
	_ "olmo/eval/olmes" // its tasks and suites
	"olmo/eval/taskfile"
	"olmo/eval/tasks"
)

// taskFlags are the flags that say which tasks there are, and what of them a call changes.
type taskFlags struct {
	include     []string
	shots       int
	generation  []string
	system      string
	chat        bool
	predictOnly bool
	seed        uint64
}

func (o *taskFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.include, "include", nil, "a `folder` of tasks as files in lm-eval's form, searched recursively; may be repeated")
	f.IntVar(&o.shots, "num-fewshot", -1, "examples before each question, in place of the tasks' own number (tasks in lm-eval's form)")
	f.StringSliceVar(&o.generation, "gen-kwargs", nil, "key=value,… in place of the tasks' generation_kwargs (tasks in lm-eval's form)")
	f.StringVar(&o.system, "system", "", "a text before each prompt; with --chat the system's turn")
	f.BoolVar(&o.chat, "chat", false, "put prompts as turns of a conversation, each example two of them, in the form of the model's chat template or of a server")
	f.BoolVar(&o.predictOnly, "predict-only", false, "keep the answers and judge none")
	f.Uint64Var(&o.seed, "seed", 0, "of the examples that are drawn, and of sampled answers (default 1234)")
}

// includeFlag is the one of the verbs that need no more.
func (o *taskFlags) includeFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&o.include, "include", nil, "a `folder` of tasks as files in lm-eval's form, searched recursively; may be repeated")
	o.shots = -1
}

func (o *taskFlags) options() taskfile.Options {
	t := taskfile.Options{Generation: o.generation, System: o.system, Chat: o.chat, PredictOnly: o.predictOnly, Seed: o.seed}
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

// file is the text of a task's file.
func (o *taskFlags) file(name string) ([]byte, error) {
	files, err := o.catalogue()
	if err != nil {
		return nil, err
	}
	short, ours := strings.CutPrefix(name, own)
	for _, c := range []*taskfile.Catalogue{files, tasks.Catalogue()} {
		if c == nil || ours && c == files {
			continue
		}
		if _, text, err := c.File(short); text != nil || err != nil {
			return text, err
		}
	}
	return nil, usageErrorf("%s is no file\nhint: 'olmo eval show gsm8k --file' shows one", name)
}

// own marks a name that is the program's, whatever files there are.
const own = "olmo:"

// chosen are the tasks that a call names, with the groups and suites that they stand for.
type chosen struct {
	tasks  []*eval.Task
	groups []*eval.Group
	suites []*eval.Suite
	// named are the tasks that the call names one by one; of those of suites and patterns one is
	// left out when its data are missing.
	named map[*eval.Task]bool
	// adjusted are the tasks whose definition knows what the call says of shots and texts.
	adjusted map[*eval.Task]bool
}

func (c *chosen) add(t *eval.Task) {
	if !slices.Contains(c.tasks, t) {
		c.tasks = append(c.tasks, t)
	}
}

// addSuite takes a suite with the suites and the tasks below it.
func (c *chosen) addSuite(s *eval.Suite, of func(name string) (*eval.Task, error)) error {
	all, tasks := s.Below()
	for _, s := range all {
		if !slices.Contains(c.suites, s) {
			c.suites = append(c.suites, s)
		}
	}
	for _, name := range tasks {
		t, err := of(name)
		if err != nil {
			return err
		}
		if t != nil {
			c.add(t)
		}
	}
	return nil
}

// addFiles takes what names stand for in a catalogue.
func (c *chosen) addFiles(files *taskfile.Catalogue, names []string, o taskfile.Options) error {
	found, groups, err := files.Select(names, o)
	if err != nil {
		return err
	}
	c.groups = append(c.groups, groups...)
	for _, t := range found {
		c.named[t], c.adjusted[t] = true, true
		c.add(t)
	}
	return nil
}

// programTasks are the names that the program knows: tasks, suites, and groups of its own files.
func programTasks() (names []string) {
	for _, t := range eval.Tasks() {
		names = append(names, t.Name)
	}
	for _, s := range eval.Suites() {
		names = append(names, s.Name)
	}
	for group := range tasks.Catalogue().Groups() {
		names = append(names, group)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// find looks for tasks and suites by name or pattern, in the files first and then in the
// program; say is told what the user may not expect.
func (o *taskFlags) find(names []string, say func(string)) (*chosen, error) {
	if err := o.options().Check(); err != nil {
		return nil, usageErrorf("--gen-kwargs: %w", err)
	}
	files, err := o.catalogue()
	if err != nil {
		return nil, err
	}
	out := &chosen{named: map[*eval.Task]bool{}, adjusted: map[*eval.Task]bool{}}
	program := map[string]*eval.Task{}
	for _, t := range eval.Tasks() {
		program[t.Name] = t
	}
	known := programTasks()
	// of is the program's task of a name, nil for none; one that is a file is made anew with what
	// the call says of it.
	made := map[string]bool{}
	of := func(name string) (*eval.Task, error) {
		if program[name] == nil || made[name] || !tasks.Catalogue().Has(name) {
			return program[name], nil
		}
		again, _, err := tasks.Catalogue().Select([]string{name}, o.options())
		if err == nil && len(again) == 1 && again[0].Name == name { // and not of a group
			program[name], made[name] = again[0], true
			out.adjusted[again[0]] = true
		}
		return program[name], err
	}
	take := func(name string) (found bool, err error) {
		t, err := of(name)
		if t != nil && err == nil {
			out.add(t)
			return true, nil
		}
		s, ok := eval.LookupSuite(name)
		switch {
		case err != nil:
			return false, err
		case ok:
			return true, out.addSuite(s, of)
		case tasks.Catalogue().Has(name): // a group
			return true, out.addFiles(tasks.Catalogue(), []string{name}, o.options())
		}
		return false, nil
	}
	var ofFiles []string
	for _, name := range names {
		short, ours := strings.CutPrefix(name, own)
		if files == nil || ours || !files.Has(name) {
			if ok, err := take(short); err != nil {
				return nil, err
			} else if ok {
				if t := program[short]; t != nil {
					out.named[t] = true
				}
				continue
			}
		}
		switch {
		case files != nil && !ours && files.Has(name):
			if slices.Contains(known, name) {
				say(fmt.Sprintf("%s is the task of a file; %s%s is the program's", name, own, name))
			}
			ofFiles = append(ofFiles, name)
		case strings.ContainsAny(name, "*?["):
			found := false
			for _, n := range known {
				if ok, err := path.Match(short, n); err != nil {
					return nil, usageErrorf("--tasks %s: %w", name, err)
				} else if ok {
					if found, err = take(n); err != nil {
						return nil, err
					}
				}
			}
			if files != nil && !ours {
				for _, n := range files.Names() {
					if ok, _ := path.Match(name, n); ok {
						ofFiles = append(ofFiles, n)
						found = true
					}
				}
			}
			if !found {
				return nil, usageErrorf("no task's name matches %s\nhint: 'olmo eval list' lists the tasks", name)
			}
		default:
			if files != nil {
				known = append(known, files.Names()...)
			}
			if near, ok := config.Nearest(short, known); ok {
				return nil, usageErrorf("no task is called %q\nhint: did you mean %s?", name, near)
			}
			return nil, usageErrorf("no task is called %q\nhint: 'olmo eval list' lists the tasks", name)
		}
	}
	if len(ofFiles) > 0 {
		if err := out.addFiles(files, ofFiles, o.options()); err != nil {
			return nil, err
		}
	}
	for _, t := range out.tasks {
		if out.adjusted[t] && o.shots >= 0 && t.Shots != o.shots {
			say(fmt.Sprintf("%s keeps the num_fewshot: %d of its file, as in lm-eval; --num-fewshot is for files that do not say 0", t.Name, t.Shots))
		}
	}
	return out, o.fixed(out)
}

// fixed refuses flags for tasks whose prompts are what they are.
func (o *taskFlags) fixed(found *chosen) error {
	for _, t := range found.tasks {
		if found.adjusted[t] {
			continue
		}
		name := ""
		switch {
		case o.shots >= 0:
			name = "num-fewshot"
		case len(o.generation) > 0:
			name = "gen-kwargs"
		case o.system != "" && !o.chat:
			name = "system"
		default:
			continue
		}
		return usageErrorf("--%s: the prompts of %s are fixed; the flag is for tasks in lm-eval's form", name, t.Name)
	}
	return nil
}
