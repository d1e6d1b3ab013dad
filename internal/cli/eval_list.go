package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"olmo/eval"
	evaldata "olmo/eval/data"
)

func newEvalListCommand() *cobra.Command {
	var data []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [WORD]",
		Short: "List the tasks, with the figure that each is quoted with and where its data are",
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
			return listTasks(c.OutOrStdout(), strings.Join(args, ""), asJSON, evalData(data)...)
		},
	}
	listFlag(c.Flags(), &data, "data", "the folders of the tasks' data sets")
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of objects")
	return c
}

// listedTask is an object of `olmo eval list --json`.
type listedTask struct {
	Name    string    `json:"name"`
	Kind    eval.Kind `json:"kind"`
	Metric  string    `json:"metric"`
	Data    string    `json:"data"` // the data set; empty for none
	Licence string    `json:"licence"`
	Shots   int       `json:"shots"`
	Place   string    `json:"place"` // the file where the data are, or "inside"; empty when they are missing
	Missing string    `json:"missing,omitempty"`
	Source  string    `json:"source,omitempty"`
}

// listTasks prints the tasks with a word in their names.
func listTasks(out io.Writer, word string, asJSON bool, places ...string) error {
	tasks := []listedTask{}
	for _, t := range eval.Tasks() {
		if !strings.Contains(t.Name, word) {
			continue
		}
		l := listedTask{Name: t.Name, Kind: t.Kind, Metric: t.Quoted, Data: t.About.Data, Licence: t.About.Licence, Shots: t.Shots, Source: t.About.Source}
		if l.Data != "" {
			if set, err := evaldata.Find(places, l.Data); err == nil {
				l.Place = set.Place
			} else {
				l.Missing = l.Data + ".jsonl belongs into a folder of --data"
			}
		}
		tasks = append(tasks, l)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(tasks)
	}
	if len(tasks) == 0 {
		return fmt.Errorf("no task has %q in its name\nhint: 'olmo eval list' lists all", word)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "task\tkind\tquoted with\tdata\n")
	for _, t := range tasks {
		place := t.Place
		switch {
		case t.Data == "":
			place = "--documents"
		case place == "":
			place = "missing: " + t.Data + ".jsonl"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Kind, t.Metric, place)
	}
	return w.Flush()
}
