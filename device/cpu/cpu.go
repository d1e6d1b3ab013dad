// Package cpu is the device that runs graphs on the processor, through
// device/cpu/kernel.
package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"olmo/device"
	"olmo/device/cpu/kernel"
	"olmo/graph"
	"olmo/numeric"
	"olmo/tensor"
)

// Device is the CPU device. Its methods may not be called at the same time, but for Lend.
type Device struct {
	mu      sync.Mutex // of values
	values  map[string]*value
	scratch []float32      // shared by the programs, which run one at a time
	release func()         // gives the scratch area back
	changes int            // counts what may have changed parameters
	mapped  map[int]func() // what gives each area outside Go's heap back
	maps    int            // areas that were taken so far
	area    *area          // from which stored weights are taken
}

type value struct {
	space  graph.Space
	shape  []int
	data   []float32
	free   func()         // gives data, or what stored lies in, back; nil: nothing to do
	sparse *sparse        // in place of data
	stored *kernel.Stored // in place of data
	bytes  int            // of stored
	pages  *kernel.Pages  // in place of data: a cache of keys or of values
}

var _ device.Device = (*Device)(nil)

// New returns a CPU device, or the error of Check.
func New() (*Device, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	return &Device{values: map[string]*value{}, release: func() {}, mapped: map[int]func(){}}, nil
}

// Close gives the device's memory back at once, not when the collector finds that nobody
// needs it. Neither the device nor a program of it may be used afterwards.
func (d *Device) Close() {
	for _, release := range d.mapped {
		release()
	}
	d.values, d.scratch, d.release, d.area = nil, nil, func() {}, nil
}

// Store keeps a parameter as it is stored, if no program has it yet.
func (d *Device) Store(name string, shape []int, row func(r int) (tensor.DType, []byte)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.values[name]
	if v == nil {
		v = &value{space: graph.Param, shape: slices.Clone(shape)}
	} else if !slices.Equal(v.shape, shape) {
		return fmt.Errorf("storing %s: shape %v, the device has %v", name, shape, v.shape)
	}
	stored, size := kernel.NewStored(shape[0], shape[1], row)
	memory, free, err := d.place((size + 3) / 4)
	if err == nil {
		err = stored.Fill(kernel.Bytes(memory), row)
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	d.changes++
	if d.values[name] != nil { // and programs count on its storage
		if err := d.fill(v); err != nil {
			return err
		}
		stored.Widen(v.data)
		free()
		return nil
	}
	v.stored, v.free, v.bytes = stored, free, size
	d.values[name] = v
	return nil
}

// Write copies data to the value of that name.
func (d *Device) Write(name string, data []float32) error {
	v, err := d.lookup(name)
	if err == nil && v.pages == nil {
		err = d.fill(v)
	}
	if err != nil {
		return err
	}
	if v.size() != len(data) {
		return fmt.Errorf("writing %s: %d elements, the device has %d", name, len(data), v.size())
	}
	if v.pages != nil {
		v.pages.SetAll(data)
	} else {
		copy(v.data, data)
	}
	d.changes++
	runtime.KeepAlive(d)
	return nil
}

// Read copies the value of that name.
func (d *Device) Read(name string) ([]float32, error) {
	v, err := d.lookup(name)
	if err != nil {
		return nil, err
	}
	c, err := d.numbers(v)
	if err == nil && v.stored == nil && v.pages == nil {
		c = slices.Clone(c)
	}
	runtime.KeepAlive(d)
	return c, err
}

// Lend returns the storage of the value of that name, which lives as long as the device, or a copy
// of one that is kept in another form.
func (d *Device) Lend(name string) ([]float32, error) {
	v, err := d.lookup(name)
	if err != nil {
		return nil, err
	}
	return d.numbers(v)
}

// numbers returns the storage of a value, or a copy of one that is kept in another form.
func (d *Device) numbers(v *value) ([]float32, error) {
	switch {
	case v.stored != nil:
		out := make([]float32, v.size())
		v.stored.Widen(out)
		return out, nil
	case v.pages != nil:
		return v.pages.All(), nil
	}
	return v.data, d.fill(v)
}

// SumSquares returns the sum of squares of a value in float64.
func (d *Device) SumSquares(name string) (float64, error) {
	v, err := d.lookup(name)
	if err != nil {
		return 0, err
	}
	x, err := d.numbers(v)
	if err != nil {
		return 0, err
	}
	n := kernel.SumSquares(x)
	runtime.KeepAlive(d)
	return n, nil
}

func (d *Device) lookup(name string) (*value, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.values[name]
	if !ok {
		return nil, fmt.Errorf("the device has no value %s", name)
	}
	return v, nil
}

func (v *value) size() int {
	n := 1
	for _, s := range v.shape {
		n *= s
	}
	return n
}

// fill gives a value storage for all of its elements.
func (d *Device) fill(v *value) error {
	if v.data != nil {
		return nil
	}
	data, free, err := d.allocate(v.size())
	if err != nil {
		return err
	}
	if v.stored != nil {
		v.stored.Widen(data)
		v.free()
		v.stored = nil
	}
	v.data, v.free = data, free
	if s := v.sparse; s != nil {
		s.writeTo(v.data)
		s.release()
		v.sparse = nil
	}
	return nil
}

// Changes counts the Writes, and the runs that updated parameters.
func (d *Device) Changes() int { return d.changes }

// Drop gives back the values whose names begin so.
func (d *Device) Drop(prefix string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, v := range d.values {
		if strings.HasPrefix(name, prefix) {
			if v.free != nil {
				v.free()
			}
			delete(d.values, name)
		}
	}
}

// Memory reports what the device holds, in bytes.
func (d *Device) Memory() device.Memory {
	m := device.Memory{Scratch: int64(len(d.scratch)) * 4, Buffers: kernel.BufferBytes()}
	for _, v := range d.values {
		n := int64(len(v.data)) * 4
		switch {
		case v.stored != nil:
			n = int64(v.bytes)
		case v.pages != nil:
			n = v.pages.Bytes()
		}
		if v.sparse != nil {
			n = int64(len(v.sparse.data)+len(v.sparse.at)) * 4
		}
		switch v.space {
		case graph.Param:
			m.Params += n
		case graph.Grad:
			m.Grads += n
		default:
			m.State += n
		}
	}
	return m
}

// program is a compiled graph: steps over planned storage.
type program struct {
	dev     *Device
	g       *graph.Graph
	opt     device.Options
	plan    plan
	fixed   [][]float32            // of values that live between runs
	stored  map[graph.Value]*value // those that were kept as they are stored when the program was compiled
	steps   []func(r *run)
	batch   *graph.Batch
	outputs map[string][]float32
	targets bool // is about the targets of tokens
	seeded  bool // asks the batch for derivatives
	updates bool // has operations that change parameters
}

// run is what the steps of one run share.
type run struct {
	*graph.Batch
	rows, selected int
	positions      []int32
	ends           []int     // pieces of tokens
	adapters       [][]int32 // the rows of each adapter, from 1
	err            error     // the first one
}

// of returns the rows of an adapter.
func (r *run) of(adapter int) []int32 {
	if adapter > len(r.adapters) {
		return nil
	}
	return r.adapters[adapter-1]
}

// lengths are those of the batch's sequences.
func (r *run) lengths() []int {
	n := make([]int, len(r.Segments))
	for i, s := range r.Segments {
		n[i] = s.Rows
	}
	return n
}

// Compile plans memory and prepares the steps.
func (d *Device) Compile(g *graph.Graph, o device.Options) (device.Program, error) {
	p := &program{dev: d, g: g, opt: o, fixed: make([][]float32, len(g.Values)), stored: map[graph.Value]*value{}, outputs: map[string][]float32{}}
	if err := d.provide(p); err != nil {
		return nil, fmt.Errorf("compiling: %w", err)
	}
	ops := fuse(g, o)
	p.plan = planMemory(g, ops, o)
	if p.plan.size > len(d.scratch) {
		d.release()
		d.scratch, d.release = nil, func() {}
		var err error
		if d.scratch, d.release, err = d.allocate(p.plan.size); err != nil {
			return nil, fmt.Errorf("compiling: %w", err)
		}
	}
	together, later := groupMuon(ops)
	for _, op := range ops {
		p.updates = p.updates || slices.ContainsFunc(op.Writes(), func(v graph.Value) bool { return g.Info(v).Space == graph.Param })
		if later[op] {
			continue
		}
		if group := together[op]; group != nil {
			p.steps = append(p.steps, muon(p, group))
			continue
		}
		make, ok := implementations[op.Def]
		if !ok {
			return nil, fmt.Errorf("compiling: the CPU device has no %s", op.Def.Name)
		}
		p.targets = p.targets || headWeight(op) != graph.None
		p.seeded = p.seeded || op.Def == graph.Seed
		if s := make(p, op); s != nil {
			p.steps = append(p.steps, s)
		}
	}
	return p, nil
}

// provide finds or makes the values that live between runs.
func (d *Device) provide(p *program) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dense, plain, paged := denseGrads(p.g), plainParams(p.g), pagedStates(p.g)
	for v := range p.g.Values {
		i := &p.g.Values[v]
		switch i.Space {
		case graph.Activation:
			continue
		case graph.Const:
			p.fixed[v] = i.Data
			continue
		}
		have, ok := d.values[i.Name]
		if !ok {
			have = &value{space: i.Space, shape: i.Shape}
			if i.Space == graph.Grad && !dense[graph.Value(v)] {
				have.sparse = newSparse(i.Size(1)/i.Cols(), i.Cols())
			}
			d.values[i.Name] = have
			if op := paged[graph.Value(v)]; op != nil {
				if err := d.makePages(have, op, op.In[4] == graph.Value(v), p.opt); err != nil {
					return fmt.Errorf("%s: %w", i.Name, err)
				}
			}
		} else if !slices.Equal(have.shape, i.Shape) {
			return fmt.Errorf("%s has shape %v on the device, the graph wants %v", i.Name, have.shape, i.Shape)
		}
		if have.stored != nil && !plain[graph.Value(v)] {
			p.stored[graph.Value(v)] = have
			continue
		}
		if op := paged[graph.Value(v)]; op != nil {
			if _, page, _ := graph.PagesOf(op); have.pages == nil || !have.pages.Fits(page, p.opt.Precision, pageType(p.opt)) {
				return fmt.Errorf("%s is on the device in another form", i.Name)
			}
			continue
		}
		if have.sparse == nil || dense[graph.Value(v)] {
			if err := d.fill(have); err != nil {
				return fmt.Errorf("%s: %w", i.Name, err)
			}
		}
		p.fixed[v] = have.data
	}
	return nil
}

// makePages makes the pages of an operation's keys or values.
func (d *Device) makePages(v *value, op *graph.Op, values bool, o device.Options) (err error) {
	a, page, _ := graph.PagesOf(op)
	v.pages, err = kernel.NewPages(v.shape[0]/page, page, a.KV, a.D, values, o.Precision, pageType(o), func(n int) (data []float32, err error) {
		data, v.free, err = d.reserve(n)
		return data, err
	})
	return err
}

// pageType is that of the numbers in pages.
func pageType(o device.Options) tensor.DType {
	if o.Pages == tensor.Invalid {
		return tensor.F32
	}
	return o.Pages
}

// Run runs the graph on a batch.
func (p *program) Run(b *graph.Batch) error {
	r := &run{Batch: b, rows: len(b.IDs), selected: len(b.Select)}
	if r.rows > p.opt.Rows || r.selected > p.opt.Selected {
		return fmt.Errorf("a batch of %d tokens and %d selected rows; compiled for %d and %d", r.rows, r.selected, p.opt.Rows, p.opt.Selected)
	}
	r.positions, r.ends = b.Positions(), b.Ends(numeric.Cut)
	if len(r.positions) != r.rows {
		return fmt.Errorf("segments of %d rows for %d tokens", len(r.positions), r.rows)
	}
	if p.targets && len(b.Targets) != r.rows {
		return fmt.Errorf("%d targets for %d tokens", len(b.Targets), r.rows)
	}
	if b.LossScales != nil && len(b.LossScales) != r.rows {
		return fmt.Errorf("%d factors of losses for %d tokens", len(b.LossScales), r.rows)
	}
	if p.seeded && b.Seed == nil {
		return errors.New("the batch does not say how its loss is differentiated")
	}
	for _, s := range b.Segments {
		for len(r.adapters) < s.Adapter {
			r.adapters = append(r.adapters, b.RowsOf(len(r.adapters)+1))
		}
	}
	p.batch = b
	for _, s := range p.steps {
		if b.Stop != nil && b.Stop() {
			return device.ErrStopped
		}
		s(r)
	}
	if p.updates {
		p.dev.changes++
	}
	runtime.KeepAlive(p)
	return r.err
}

// Output returns a kept value of the last run, without gaps between its rows.
func (p *program) Output(name string) []float32 {
	v, ok := p.g.Lookup(name)
	if !ok {
		panic("cpu: the graph has no value " + name)
	}
	m := p.matrix(v, &run{rows: len(p.batch.IDs), selected: len(p.batch.Select)})
	// A copy, since storage may not outlive the program.
	out := slices.Grow(p.outputs[name][:0], m.Rows*m.Cols)[:m.Rows*m.Cols]
	kernel.Copy(kernel.Dense(out, m.Rows, m.Cols), m)
	p.outputs[name] = out
	runtime.KeepAlive(p)
	return out
}

// matrix returns the storage of v in a run.
func (p *program) matrix(v graph.Value, r *run) kernel.Matrix {
	i := p.g.Info(v)
	if held := p.stored[v]; held != nil {
		if held.stored != nil {
			return held.stored.Matrix()
		}
		return kernel.Dense(held.data, held.shape[0], held.shape[1])
	}
	if i.Space != graph.Activation {
		c := i.Cols()
		return kernel.Dense(p.fixed[v], len(p.fixed[v])/max(c, 1), c)
	}
	rows := 0
	switch i.Rows {
	case graph.Tokens:
		rows = r.rows
	case graph.Selected:
		rows = r.selected
	case graph.Fixed:
		rows = i.Size(1) / i.Cols()
	}
	if rows == 0 {
		return kernel.Matrix{Cols: i.Cols(), Stride: i.Cols()}
	}
	at := p.plan.at[v]
	return kernel.Matrix{Data: p.dev.scratch[at.offset:], Rows: rows, Cols: i.Cols(), Stride: at.stride}
}

// vector returns the storage of a value with one column, or of a vector that
// lives between runs.
func (p *program) vector(v graph.Value, r *run) []float32 {
	m := p.matrix(v, r)
	return m.Data[:m.Rows*m.Cols]
}
