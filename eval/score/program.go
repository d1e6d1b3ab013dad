package score

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"olmo/eval/score/sandbox"
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

// programs judges answers that are programs, by running each with the tests of its row: as many at
// the same time as there are threads.
func programs(task func(r *Row) (programTask, error)) func(context.Context, []Row, ProgramOptions) ([][]bool, error) {
	return func(ctx context.Context, rows []Row, o ProgramOptions) ([][]bool, error) {
		type job struct {
			row, response int
			program       sandbox.Program
		}
		var jobs []job
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
				jobs = append(jobs, job{n, i, sandbox.Program{Source: t.before + programOf(response) + "\n", Tests: t.tests}})
			}
		}
		var next atomic.Int64
		var workers sync.WaitGroup
		var told sync.Mutex // for passed and failed, too
		var failed error
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for range min(parallel.Threads(), len(jobs)) {
			workers.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(jobs)) && ctx.Err() == nil; i = next.Add(1) - 1 {
					j := &jobs[i]
					out, err := o.Sandbox.Run(ctx, j.program)
					told.Lock()
					if err != nil {
						if failed == nil || errors.Is(failed, context.Canceled) {
							failed = err
						}
						cancel()
					} else {
						passed[j.row][j.response] = out.Passed
						if o.Ended != nil {
							o.Ended(j.row, j.response, out)
						}
					}
					told.Unlock()
				}
			})
		}
		workers.Wait()
		if failed == nil {
			failed = ctx.Err()
		}
		return passed, failed
	}
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
