package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"olmo/eval"
	"olmo/eval/compare"
	"olmo/eval/record"
)

func newEvalCurveCommand() *cobra.Command {
	var o evalOptions
	var steps, html, csv string
	c := &cobra.Command{
		Use:   "curve RUN --tasks NAME,… --out DIR",
		Short: "Score all checkpoints of a run, and say which tasks can judge it",
		Long: `Curve scores the checkpoints of a run, or of any folder that holds them side by side (step500,
step1000-tokens4B, checkpoint-500), each in a folder of its own below --out; the same
command goes on where it was stopped, and takes further checkpoints in.

The table has each task's own figure by step, then its gain (the mean of the last
checkpoints less the first one), its noise (the spread of those last ones: up to 5, half of
few) and their ratio. A task whose gain is not twice its noise cannot judge the run.`,
		Example: `  olmo eval curve olmo-quickstart/run --tasks arc_easy --limit 20 --out curve
  olmo eval curve olmo-quickstart/run --tasks copa --steps 1: --out curve --html curve.html --csv curve.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErrorf("one RUN, not %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if o.out == "" {
				return usageErrorf("--out is needed, the folder for the results of each checkpoint")
			}
			checkpoints, err := curveCheckpoints(args[0], steps)
			if err != nil {
				return err
			}
			curve, err := o.curve(c, checkpoints)
			if err != nil {
				return err
			}
			if err := writeFiles(map[string]func(io.Writer) error{html: curve.WriteHTML, csv: curve.WriteCSV}); err != nil {
				return err
			}
			if o.asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(curve)
			}
			return curveTable(c.OutOrStdout(), curve)
		},
	}
	o.add(c)
	f := c.Flags()
	f.Lookup("model").Hidden = true // the checkpoints are the models
	f.StringVar(&o.out, "out", "", "the folder for the results of each checkpoint, in folders of their names")
	f.StringVar(&steps, "steps", "", "the steps to score: FROM:TO:EVERY, each of which may be left out")
	f.StringVar(&html, "html", "", "the page to write")
	f.StringVar(&csv, "csv", "", "the CSV file to write, a line a figure and step")
	f.BoolVar(&o.asJSON, "json", false, "print JSON instead of a table")
	return c
}

// curveCheckpoints are the checkpoints whose steps are asked for.
func curveCheckpoints(folder, steps string) ([]eval.Checkpoint, error) {
	var bounds [3]int
	parts := strings.Split(steps, ":")
	if len(parts) > 3 || steps != "" && len(parts) == 1 {
		return nil, usageErrorf("--steps %s: want FROM:TO:EVERY, such as 0:5000:1000 or 2000:", steps)
	}
	for i, part := range parts {
		if part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || i == 2 && n == 0 {
			return nil, usageErrorf("--steps %s: %q is no number of steps", steps, part)
		}
		bounds[i] = n
	}
	all, err := eval.Checkpoints(folder)
	if err != nil {
		return nil, err
	}
	to := len(parts) > 1 && parts[1] != ""
	out := slices.DeleteFunc(slices.Clone(all), func(c eval.Checkpoint) bool {
		return c.Step < bounds[0] || to && c.Step > bounds[1] || bounds[2] > 0 && (c.Step-bounds[0])%bounds[2] != 0
	})
	if len(out) == 0 {
		return nil, fmt.Errorf("--steps %s picks none of the %d checkpoints of %s, which are of steps %d to %d", steps, len(all), folder, all[0].Step, all[len(all)-1].Step)
	}
	return out, nil
}

// curve scores the checkpoints.
func (o *evalOptions) curve(c *cobra.Command, checkpoints []eval.Checkpoint) (*compare.Curve, error) {
	if o.path != "" {
		return nil, usageErrorf("--model is for 'olmo eval': the checkpoints are the models here")
	}
	p := newProgress(c.ErrOrStderr())
	o.path = checkpoints[0].Path
	e, err := o.prepare(c, p)
	if err != nil {
		return nil, err
	}
	out := o.out
	var runs []*record.Run
	var steps []int
	for i, k := range checkpoints {
		o.path, o.out = k.Path, filepath.Join(out, filepath.Base(k.Path))
		p.print(fmt.Sprintf("olmo eval curve: step %d (%d of %d)", k.Step, i+1, len(checkpoints)))
		if _, _, err := e.run(c, p); err != nil {
			return nil, fmt.Errorf("step %d: %w", k.Step, err)
		}
		run, err := record.Open(o.out)
		if err != nil {
			return nil, err
		}
		runs, steps = append(runs, run), append(steps, k.Step)
	}
	curve, err := compare.NewCurve(runs, steps)
	if err != nil {
		return nil, err
	}
	// The folders may have other tasks, of other calls.
	curve.Rows = slices.DeleteFunc(curve.Rows, func(r compare.CurveRow) bool {
		return !slices.ContainsFunc(e.jobs, func(j *eval.Job) bool { return j.Name == r.Task })
	})
	for _, text := range curve.LeftOut {
		p.print("olmo eval curve: left out: " + text)
	}
	return curve, nil
}

// curveTable prints a line a step, and what the tasks are worth.
func curveTable(out io.Writer, c *compare.Curve) error {
	quoted := slices.DeleteFunc(slices.Clone(c.Rows), func(r compare.CurveRow) bool { return !r.Quoted })
	w := newTable(out)
	fmt.Fprint(w, "step")
	for _, r := range quoted {
		fmt.Fprintf(w, "\t%s %s", r.Task, r.Figure())
	}
	fmt.Fprintln(w)
	line := func(name string, cell func(r *compare.CurveRow) string) {
		fmt.Fprint(w, name)
		for i := range quoted {
			fmt.Fprintf(w, "\t%s", cell(&quoted[i]))
		}
		fmt.Fprintln(w)
	}
	for i, step := range c.Steps {
		line(strconv.Itoa(step), func(r *compare.CurveRow) string {
			if r.Cells[i] == nil {
				return "–"
			}
			return fmt.Sprintf("%.4g", r.Cells[i].Value)
		})
	}
	number := func(x *float64) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf("%.3g", *x)
	}
	line("gain", func(r *compare.CurveRow) string { return number(r.Gain) })
	line("noise", func(r *compare.CurveRow) string { return number(r.Noise) })
	line("signal to noise", func(r *compare.CurveRow) string { return number(r.Signal) })
	line("", (*compare.CurveRow).Verdict)
	return w.Flush()
}
