package check

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/internal/pyjson"
	"olmo/runlog"
	"olmo/store"
)

// log checks a metrics.jsonl: an object for each step, in order.
func (c *checker) log(path string) {
	f, err := store.Open(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		c.count(path, st.Size())
	}
	in := bufio.NewReaderSize(f, 1<<16)
	last, bad, infinite, first := -1, 0, 0, -1
	for n := int64(1); ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			c.damage(path, err)
			return
		}
		end := err != nil
		if len(bytes.TrimSpace(line)) > 0 {
			r, odd, err := logLine(line)
			step, ok := r.Step()
			if odd {
				if infinite++; first < 0 {
					first = step
				}
			}
			switch {
			case err != nil && end:
				c.note(path, "its last line is torn: the run was killed, or is writing it")
			case err != nil:
				if bad++; bad <= mostListed {
					c.problem(Log, path, "line %d: %v", n, err).Line = n
				}
			case !ok:
				if bad++; bad <= mostListed {
					c.problem(Log, path, "line %d has no step", n).Line = n
				}
			case step < last:
				if bad++; bad <= mostListed {
					p := c.problem(Log, path, "line %d is of step %d, the one before of step %d", n, step, last)
					p.Line, p.Step = n, &step
				}
			default:
				last = step
			}
		}
		if end {
			break
		}
	}
	c.more(path, bad, "lines")
	if infinite > 0 {
		c.note(path, "%d lines have numbers that are not finite, the first is of step %d", infinite, first)
	}
	if last < 0 && bad == 0 {
		c.note(path, "holds no step")
	}
	if bad == 0 {
		c.form(path)
	}
}

// logLine reads a line of a log; odd tells that it has a number that is not finite.
func logLine(line []byte) (r runlog.Record, odd bool, err error) {
	r, err = runlog.Parse(line)
	for _, v := range r {
		odd = odd || v == nil
	}
	return r, odd, err
}

// evaluation checks what `olmo eval --out` leaves: results.json, and the requests of each task.
func (c *checker) evaluation(path string) {
	file := filepath.Join(path, "results.json")
	text, err := store.ReadFile(file)
	if err != nil {
		c.damage(file, err)
		return
	}
	c.count(file, int64(len(text)))
	results, err := parseResults(text)
	if err != nil {
		c.jsonDamage(file, text, err)
		return
	}
	if len(results.Results) == 0 {
		c.problem(Log, file, "results.json holds no result")
	}
	for task, figures := range results.Results {
		for name, v := range figures {
			if v == nil {
				c.note(file, "%s of %s is no number", name, task)
			}
		}
	}
	c.form(file)
	for _, task := range slices.Sorted(maps.Keys(results.Requests)) {
		c.requests(filepath.Join(path, "requests-"+strings.ReplaceAll(task, ":", "_")+".jsonl"), task, results.Requests[task])
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	for _, e := range entries {
		if name := e.Name(); name != "results.json" && !hidden(name) {
			c.one(filepath.Join(path, name))
		}
	}
}

// requests compares a task's requests with the digest that results.json has of them.
func (c *checker) requests(path, task, want string) {
	sum, err := c.hashFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.problem(Missing, path, "%s is missing: results.json has the task %s", filepath.Base(path), task)
	case err != nil:
		c.damage(path, err)
	case sum != want:
		c.problem(Changed, path, "%s has SHA-256 %s, results.json says %s", filepath.Base(path), sum, want)
	default:
		c.sound[absolute(path)] = true
		if st, err := os.Stat(path); err == nil {
			c.count(path, st.Size())
		}
	}
}

// results is the part of results.json that is read here.
type results struct {
	Results map[string]map[string]any `json:"results"`
	// Requests are the SHA-256 of the tasks' files; lm-eval's own results have none.
	Requests map[string]string `json:"requests"`
}

func parseResults(text []byte) (*results, error) {
	r := new(results)
	return r, pyjson.Unmarshal(text, r)
}

func (r *results) tasks() []string {
	var names []string
	for task := range r.Results {
		names = append(names, task)
	}
	slices.Sort(names)
	return names
}

func describeEvaluation(path string) (*Description, error) {
	text, err := store.ReadFile(filepath.Join(path, "results.json"))
	if err != nil {
		return nil, err
	}
	r, err := parseResults(text)
	if err != nil {
		return nil, fmt.Errorf("%s: results.json: %w", path, err)
	}
	d := &Description{Path: path, Kind: "evaluation"}
	d.add("tasks", strings.Join(r.tasks(), ", "))
	return d, nil
}

func describeLog(path string) (*Description, error) {
	records, err := runlog.Read(path)
	if err != nil {
		return nil, err
	}
	d := &Description{Path: path, Kind: "log of a run"}
	d.add("steps", len(records))
	if len(records) > 0 {
		last := records[len(records)-1]
		step, _ := last.Step()
		d.add("last step", step)
		for _, key := range []string{"train/CrossEntropyLoss", "train_loss"} {
			if loss, ok := last[key]; ok {
				d.add("last loss", loss)
				break
			}
		}
	}
	return d, nil
}
