package score

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/eval/score/sandbox"
	"olmo/internal/memory"
	"olmo/internal/parallel"
)

// ProgramOptions say how programs are run.
type ProgramOptions struct {
	Sandbox *sandbox.Sandbox
	// Ended, if given, is told of each program how it ended, of one after the other.
	Ended func(row, response int, o sandbox.Outcome)
}

// RowError is what is wrong with a row of several.
type RowError struct {
	Row int // from 0
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row+1, e.Err) }
func (e *RowError) Unwrap() error { return e.Err }

// programTask is what programs of a row are run with: a text before the answer, and the tests.
type programTask struct{ before, tests string }

// programJob is a response that is run.
type programJob struct {
	row, response int
	program       sandbox.Program
}

// programs judges answers that are programs, by running each with the tests of its row.
func programs(task func(r *Row) (programTask, error)) func(context.Context, []Row, ProgramOptions) ([][]bool, error) {
	return func(ctx context.Context, rows []Row, o ProgramOptions) ([][]bool, error) {
		var jobs []programJob
		passed := make([][]bool, len(rows))
		for n := range rows {
			r := &rows[n]
			t, err := task(r)
			if err == nil && len(r.Responses) == 0 {
				_, err = r.Response()
			}
			if err != nil {
				return nil, &RowError{n, err}
			}
			passed[n] = make([]bool, len(r.Responses))
			for i, response := range r.Responses {
				jobs = append(jobs, programJob{n, i, sandbox.Program{Source: t.before + programOf(response) + "\n", Tests: t.tests}})
			}
		}
		return passed, o.run(ctx, jobs, func(j *programJob, out sandbox.Outcome) { passed[j.row][j.response] = out.Passed })
	}
}

// run runs programs, as many at the same time as there are threads, and memory for what each may
// take; ended is told of one after the other.
func (o *ProgramOptions) run(ctx context.Context, jobs []programJob, ended func(*programJob, sandbox.Outcome)) error {
	workers := min(parallel.Threads(), len(jobs))
	if free, known := memory.Available(); known {
		workers = min(workers, max(1, int(free/sandbox.MemoryBytes)))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var next atomic.Int64
	var all sync.WaitGroup
	var mu sync.Mutex // of failed, and of what ended
	var failed error
	work := func(j *programJob) {
		out, err := o.Sandbox.Run(ctx, j.program)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil && failed == nil:
			failed = err
			cancel()
		case err == nil:
			ended(j, out)
			if o.Ended != nil {
				o.Ended(j.row, j.response, out)
			}
		}
	}
	for range workers {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(jobs)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				work(&jobs[i])
			}
		})
	}
	all.Wait()
	if failed == nil {
		failed = ctx.Err()
	}
	return failed
}

// programOf is the program in a response: the first block between fences, or all of it. A fence
// alone, with text before it, is the end of a block that the prompt has opened.
func programOf(response string) string {
	lines := strings.SplitAfter(response, "\n")
	var fences []int
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "```") {
			fences = append(fences, i)
		}
	}
	if len(fences) == 0 {
		return response
	}
	named := func(i int) bool { return strings.Trim(lines[i], "` \t\r\n") != "" }
	first, end := fences[0], len(lines)
	for _, i := range fences[1:] {
		if !named(i) {
			end = i
			break
		}
	}
	before := strings.Join(lines[:first], "")
	if !named(first) && strings.TrimSpace(before) != "" && (len(fences) == 1 || named(fences[1])) {
		return before
	}
	indent, _, _ := strings.Cut(lines[first], "`")
	var block strings.Builder
	for _, line := range lines[first+1 : end] {
		block.WriteString(strings.TrimPrefix(line, indent))
	}
	return block.String()
}
