package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/chat"
	"olmo/eval/score"
	"olmo/store"
)

func newEvalScoreCommand() *cobra.Command {
	var names []string
	var input, output, summary string
	var ks []int
	var programs programFlags
	var model judgeFlags
	var thinkEnd string
	var asJSON bool
	c := &cobra.Command{
		Use:   "score --scorer NAME,… --input X.jsonl --output Y.jsonl",
		Short: "Judge answers that exist already, without a model",
		Long: `Score reads answers, a line each, and writes the lines with their scores. A line is
  {"doc": …, "responses": […]}        what a model wrote to the document (or "response")
  {"doc": …, "loglikelihoods": […]}   how probable it found the document's choices
or one of a finished run: requests-TASK.jsonl of 'olmo eval', samples_TASK.jsonl of lm-eval,
predictions.jsonl of OLMES (with its requests.jsonl beside it, which has the documents).
Other keys stay. The document is a row of the scorer's data set (docs/evaluation.md names the
fields that each scorer needs).

The first response is judged; with --k the figures of several: pass@K, the probability that one
of K is right, and maj@K, whether the answer that most of the first K give is right, each of the
questions that have K responses (pass@K_n of them).

Programs (humaneval, mbpp, mbppplus) are run, all responses of a line, as many at a time as there
are threads, and only with --allow-code: on Linux in namespaces of their own, without a network
and without your files, each with 10 s, 1 GB of memory, 32 processes and 1 MB of output. A line
gets "passed" and "why", a verdict and a word for each response; docs/evaluation.md says what
is promised. Where a system refuses namespaces, --sandbox none leaves them out.

With the scorer judge a model judges: the server of --judge is asked with the template of
--judge-prompt (fields: the document's, response, target), and --judge-verdict is the pattern of
the verdict in what it says, its first group. The share of the verdicts of --judge-right is the
figure judge, or the mean of verdicts that are numbers. Lines get their judgement, and are
judged again by another pattern without --judge. The key is read from OPENAI_API_KEY.

The scorers are
` + scorerTable() + `
An option follows a scorer's name after a colon: exact_match:ignore_case:remove_whitespace
(also ignore_punctuation, ignore_numbers).`,
		Example: `  echo '{"doc":{"answer":"#### 4"},"responses":["2 + 2 = 4","#### 4"]}' > x.jsonl
  olmo eval score --scorer gsm8k --input x.jsonl --output y.jsonl --k 1,2
  olmo eval score --scorer exact_match:ignore_case --input scores/requests-my_task.jsonl --output y.jsonl --summary s.json
  olmo eval score --scorer humaneval --allow-code --k 1,10 --input answers.jsonl --output judged.jsonl
  olmo eval score --scorer judge --judge http://localhost:8000/v1 --judge-prompt grade.txt --judge-verdict '(A|B|C)' --judge-right A --input answers.jsonl --output judged.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(names) == 0 || input == "" || output == "" {
				return usageErrorf("--scorer, --input and --output are needed")
			}
			scorers, err := score.Lookup(strings.Join(names, ","))
			if err != nil {
				return &usageError{err}
			}
			if err := checkAttempts(scorers, ks, c.Flags().Changed("k")); err != nil {
				return err
			}
			user, runs := "", 0
			for _, s := range scorers {
				if s.Programs != nil {
					user = "the scorer " + s.Name
					runs++
				}
			}
			if err := programs.check(user); err != nil {
				return err
			}
			if err := model.check(c, slices.ContainsFunc(scorers, func(s *score.Scorer) bool { return s.Model })); err != nil {
				return err
			}
			if output == summary {
				return usageErrorf("--output and --summary are one file")
			}
			outputs := []string{output}
			if summary != "" {
				outputs = append(outputs, summary)
			}
			inputs := []string{input}
			if model.prompt != "" {
				inputs = append(inputs, model.prompt)
			}
			if err := store.Clash(inputs, outputs, nil); err != nil {
				return err
			}
			answers, err := score.ReadAnswers(input)
			if err != nil {
				return err
			}
			p := newProgress(c.ErrOrStderr())
			if n := answers.LeaveOut(chat.Thinking{End: thinkEnd}); n > 0 {
				p.print(fmt.Sprintf("olmo eval score: warning: %d responses end before their thinking does, and are judged as empty answers", n))
			}
			j := &score.Judge{Scorers: scorers, K: ks, Warn: func(text string) { p.print("olmo eval score: warning: " + text) }}
			if runs > 0 {
				if j.Programs.Sandbox, err = programs.open(c.Context()); err != nil {
					return err
				}
			}
			var s *score.Summary
			err = model.ask(c, j, answers, output, p, func() error {
				if runs > 0 {
					total := 0
					for i := range answers.Rows {
						total += runs * len(answers.Rows[i].Responses)
					}
					j.Programs.Ended = showPrograms(p, total)
				}
				var err error
				s, err = j.Do(c.Context(), answers, output)
				return err
			})
			p.close(err)
			if err != nil {
				return err
			}
			text, err := json.MarshalIndent(s, "", "  ")
			if err != nil {
				return err
			}
			if summary != "" {
				if err := store.WriteFile(summary, append(text, '\n')); err != nil {
					return err
				}
			}
			if asJSON {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
				return err
			}
			return printSummary(c.OutOrStdout(), s)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&names, "scorer", nil, "the scorers, separated by commas")
	f.StringVar(&input, "input", "", "the answers, a JSON object a line")
	f.StringVar(&output, "output", "", "the file for the lines with their scores")
	f.StringVar(&summary, "summary", "", "a file for the means, as JSON")
	f.StringVar(&thinkEnd, "think-end", "", thinkEndUsage)
	f.IntSliceVar(&ks, "k", nil, "numbers of responses for pass@k and maj@k, separated by commas")
	programs.add(f)
	model.add(f)
	f.BoolVar(&asJSON, "json", false, "print the means as JSON")
	return c
}

// checkAttempts refuses numbers of responses that make no sense.
func checkAttempts(scorers []*score.Scorer, ks []int, asked bool) error {
	if asked && len(ks) == 0 {
		return usageErrorf("--k needs a number")
	}
	for i, k := range ks {
		if k < 1 || slices.Contains(ks[:i], k) {
			return usageErrorf("--k %d: want different numbers of 1 or more", k)
		}
	}
	can := slices.ContainsFunc(scorers, func(s *score.Scorer) bool { return len(s.Verdicts) > 0 || s.Programs != nil })
	if len(ks) > 0 && !can {
		return usageErrorf("--k: %s says of no response that it is right or wrong", scorers[0].Name)
	}
	return nil
}

// scorerTable lists the scorers with their sources.
func scorerTable() string {
	var b strings.Builder
	for _, name := range score.Names() {
		s, err := score.Lookup(name)
		if err == nil {
			fmt.Fprintf(&b, "  %-16s %s\n", name, s[0].Source)
		}
	}
	return b.String()
}

// printSummary prints a figure a line, with its standard error and the number of rows.
func printSummary(out io.Writer, s *score.Summary) error {
	w := newTable(out)
	for _, name := range slices.Sorted(maps.Keys(s.Scores)) {
		if strings.HasSuffix(name, "_stderr") || strings.HasSuffix(name, "_n") {
			continue
		}
		n := float64(s.N)
		if x, ok := s.Scores[name+"_n"]; ok {
			n = x
		}
		spread := ""
		if x, ok := s.Scores[name+"_stderr"]; ok {
			spread = fmt.Sprintf("± %.4f", x)
		}
		fmt.Fprintf(w, "%s\t%.4f\t%s\tof %v\n", name, s.Scores[name], spread, n)
	}
	return w.Flush()
}
