package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"olmo/lm"
	"olmo/lm/rows"
	"olmo/store"
)

// rowFlags are those of `olmo generate` for the rows of a file.
type rowFlags struct {
	input, output string
	most          int
	strict        bool
}

func (r *rowFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.input, "input", "", "JSONL `file` of rows with a prompt or messages each")
	f.StringVar(&r.output, "output", "", "of --input: the `file` for the rows with their answers")
	f.IntVar(&r.most, "parallel", 32, "of --input: so many rows are answered at once; no answer depends on it")
	f.BoolVar(&r.strict, "strict", false, "of --input: end at the first row that cannot be answered")
}

// check refuses flags that make no sense together.
func (r *rowFlags) check(c *cobra.Command, given int) error {
	f := c.Flags()
	if r.input == "" {
		for _, name := range []string{"output", "parallel", "strict"} {
			if f.Changed(name) {
				return usageErrorf("--%s has no effect without --input", name)
			}
		}
		return nil
	}
	switch {
	case given > 0:
		return usageErrorf("--input has the prompts, and a text, --prompt or --ids stands beside it")
	case r.output == "":
		return usageErrorf("--input wants --output, the file for the rows with their answers")
	case r.most < 1:
		return usageErrorf("--parallel is %d, it must be 1 or more", r.most)
	}
	for _, name := range []string{"samples", "beams", "json"} {
		if f.Changed(name) {
			return usageErrorf("--%s does not go with --input", name)
		}
	}
	return store.Clash([]string{r.input}, []string{r.output, r.output + rows.RejectsExtension}, nil)
}

// run answers the rows of the file.
func (r *rowFlags) run(c *cobra.Command, m *lm.Model, o rows.Options) (err error) {
	if o.Format, err = m.ChatFormatOf(o.Adapter); err != nil {
		return err
	}
	o.Most, o.Strict = r.most, r.strict
	p := newProgress(c.ErrOrStderr())
	p.begin("rows")
	o.Told = func(done, of int) { p.update(step{done: float64(done), total: float64(of), unit: "rows"}) }
	s, err := rows.Answer(c.Context(), m, r.input, r.output, o)
	p.end()
	if err != nil {
		return err
	}
	if s.Rejected > 0 {
		count := "1 row could not be answered, and is"
		if s.Rejected > 1 {
			count = fmt.Sprintf("%d rows could not be answered, and are", s.Rejected)
		}
		warnings(c)(fmt.Sprintf("%s in %s; the first: %v", count, s.Rejects, s.First))
	}
	return nil
}
