package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/eval"
	evaldata "olmo/eval/data"
	"olmo/eval/taskfile"
	programfiles "olmo/eval/tasks"
)

func newEvalListCommand() *cobra.Command {
	var from taskFlags
	var data []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [WORD]",
		Short: "List the tasks and suites, with the figure that each is quoted with and where its data are",
		Example: `  olmo eval list
  olmo eval list arc
  olmo eval list mmlu --data datasets --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageErrorf("one WORD at most, not %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return listTasks(c.OutOrStdout(), &from, strings.Join(args, ""), asJSON, evalData(data)...)
		},
	}
	from.includeFlag(c)
	listFlag(c.Flags(), &data, "data", "the folders of the tasks' data sets")
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of objects")
	return c
}

// listedTask is an object of `olmo eval list --json`.
type listedTask struct {
	Name    string    `json:"name"`
	Kind    eval.Kind `json:"kind"`
	Metric  string    `json:"metric"` // of a suite: its average
	Data    string    `json:"data"`   // the data set; empty for none
	Licence string    `json:"licence"`
	Shots   int       `json:"shots"`
	Place   string    `json:"place"` // the file where the data are, or "inside"; empty when they are missing
	Missing string    `json:"missing,omitempty"`
	Source  string    `json:"source,omitempty"`
	Rows    int       `json:"rows,omitempty"`  // of the data set, where they are known
	Parts   []string  `json:"parts,omitempty"` // of a suite or group
}

// isSuite is the kind of a suite.
const isSuite eval.Kind = "suite"

// isGroup is the kind of groups and tags of files.
const isGroup eval.Kind = "group"

// listedGroups describes the groups of files with a word in their names.
func listedGroups(files *taskfile.Catalogue, word string) (out []listedTask) {
	groups := files.Groups()
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if members := groups[name]; strings.Contains(name, word) {
			place := fmt.Sprintf("%d members", len(members))
			if len(members) == 1 {
				place = "1 member"
			}
			out = append(out, listedTask{Name: name, Kind: isGroup, Parts: members, Place: place})
		}
	}
	return out
}

// dataPlace says where a task's data are, or that they are missing; both are empty for a task of
// documents. rows are those of the data set, where they are known.
func dataPlace(t *eval.Task, places []string) (place, missing string, rows int) {
	if t.Sets == nil {
		return "", "", 0
	}
	sets, err := t.Sets(&eval.Inputs{Data: places})
	if err != nil {
		missing, _, _ = strings.Cut(err.Error(), "\n")
		return "", missing, 0
	}
	about, _ := evaldata.Lookup(sets[0].Name)
	return sets[0].Place, "", about.Rows
}

// listedSuite describes a suite; has are the tasks with data.
func listedSuite(s *eval.Suite, has map[string]bool) listedTask {
	l := listedTask{Name: s.Name, Kind: isSuite, Metric: string(s.Average), Source: s.Source, Parts: s.Parts}
	_, tasks := s.Below()
	var lacking []string
	for _, t := range tasks {
		if !has[t] {
			lacking = append(lacking, t)
		}
	}
	if len(lacking) > 0 {
		l.Missing = fmt.Sprintf("%d of %d tasks lack data", len(lacking), len(tasks))
	} else {
		l.Place = fmt.Sprintf("%d tasks", len(tasks))
	}
	return l
}

// listTasks prints the tasks and suites with a word in their names.
func listTasks(out io.Writer, from *taskFlags, word string, asJSON bool, places ...string) error {
	tasks := []listedTask{}
	all := eval.Tasks()
	files, err := from.catalogue()
	if err != nil {
		return err
	}
	var refused map[string]error
	if files != nil {
		var more []*eval.Task
		more, refused = files.Tasks(from.options())
		all = append(all, more...)
	}
	licences := map[string]string{} // of the data sets that are known
	for _, a := range evaldata.Catalogue() {
		licences[a.Name] = a.Licence
	}
	has := map[string]bool{} // the tasks whose data there are
	for _, t := range all {
		l := listedTask{Name: t.Name, Kind: t.Kind, Metric: t.Quoted, Data: t.About.Data, Licence: cmp.Or(t.About.Licence, licences[t.About.Data]), Shots: t.Shots, Source: t.About.Source}
		l.Place, l.Missing, l.Rows = dataPlace(t, places)
		has[t.Name] = l.Missing == ""
		if strings.Contains(t.Name, word) {
			tasks = append(tasks, l)
		}
	}
	for _, s := range eval.Suites() {
		if strings.Contains(s.Name, word) {
			tasks = append(tasks, listedSuite(s, has))
		}
	}
	tasks = append(tasks, listedGroups(programfiles.Catalogue(), word)...)
	if files != nil {
		tasks = append(tasks, listedGroups(files, word)...)
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		if strings.Contains(name, word) {
			tasks = append(tasks, listedTask{Name: name, Missing: refused[name].Error()})
		}
	}
	if asJSON {
		return json.NewEncoder(out).Encode(tasks)
	}
	if len(tasks) == 0 {
		return fmt.Errorf("no task has %q in its name\nhint: 'olmo eval list' lists all", word)
	}
	w := newTable(out)
	fmt.Fprintf(w, "task\tkind\tquoted with\tdata\n")
	missing := false
	for _, t := range tasks {
		place := t.Place
		switch {
		case t.Kind == "":
			place = "refused: " + t.Missing
		case place == "" && t.Data != "" && t.Missing != "":
			place, missing = "missing: "+t.Data, true
		case place == "":
			place = cmp.Or(t.Missing, "--documents")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Kind, t.Metric, place)
	}
	if err := w.Flush(); err != nil || !missing {
		return err
	}
	_, err = fmt.Fprintln(out, "'olmo eval data list' says how to get the data sets that are missing")
	return err
}
