// Package device says what runs a graph: a Device compiles it once into a Program
// and runs that often. Parameters, gradients, optimiser state and caches live on
// the device under their names, shared by all programs of that device.
package device

import (
	"errors"

	"olmo/graph"
	"olmo/numeric"
	"olmo/tensor"
)

// Device holds values by name and compiles graphs.
type Device interface {
	// Compile plans memory for a graph. Values that live between runs are made,
	// zero, when no earlier program of the device had them; one that has another
	// size is an error.
	Compile(g *graph.Graph, o Options) (Program, error)
	// Write copies data to the value of that name.
	Write(name string, data []float32) error
	// Store gives the device a parameter, a matrix, as a file has it, before the programs that use it
	// are compiled; row gives each row, for the time of the call. The device may keep these numbers in
	// place of the float32 that package tensor makes of them: every result has the same bits. An
	// error of a row names it.
	Store(name string, shape []int, row func(r int) (tensor.DType, []byte)) error
	// Read copies the value of that name.
	Read(name string) ([]float32, error)
	// Lend returns the value of that name to be looked at until a program changes it: the
	// device's own storage, where that can be read, else a copy. It may be called while a program runs.
	Lend(name string) ([]float32, error)
	// SumSquares returns the sum of squares of the value of that name, as
	// docs/numerics.md defines it for the gradient norm.
	SumSquares(name string) (float64, error)
	// Changes counts what may have changed parameters: every Write, and every run of a program
	// that updates them. What was made of them is stale once the count is another.
	Changes() int
	// Memory reports what the device holds.
	Memory() Memory
	// Drop gives back the values whose names begin so. Programs that use them do not run again.
	Drop(prefix string)
}

// Options are the sizes and the precision that a program is compiled for.
type Options struct {
	Rows      int // the most tokens of one run
	Selected  int // the most selected rows
	Precision numeric.Precision
	// Frozen says that the program runs often between two changes of the parameters, so that
	// it pays to keep them in a form of the device's own, made anew at the first run after
	// Device.Changes.
	Frozen bool
	// Pages is the dtype in which pages keep keys and values: F32 or Invalid as they are computed, F16, or Q8_0 for
	// heads of a multiple of 32. Others than F32 are for precisions that do not round.
	Pages tensor.DType
}

// ErrStopped is that of a run that its batch has stopped.
var ErrStopped = errors.New("the run was stopped")

// Program is a compiled graph.
type Program interface {
	// Run runs the graph on a batch. The error is ErrStopped where that asks for it.
	Run(b *graph.Batch) error
	// Output returns a kept value of the last run, row by row. It is valid until the
	// next run.
	Output(name string) []float32
}

// Memory is a report in bytes.
type Memory struct {
	Params, Grads, State int64 // values that live between runs
	Scratch              int64 // temporary values; programs share one area
	Buffers              int64 // that kernels keep from call to call
}

// Total returns the sum.
func (m Memory) Total() int64 { return m.Params + m.Grads + m.State + m.Scratch + m.Buffers }
