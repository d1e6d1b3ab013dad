package cpu_test

import (
	"slices"
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/device/devicetest"
	"olmo/graph"
	"olmo/tensor"
)

// TestClose: a device that is closed holds nothing, and another goes on.
func TestClose(t *testing.T) {
	g := graph.New()
	g.Param("w", 1024, 512) // large enough to lie outside Go's heap
	var devices [2]*cpu.Device
	for i := range devices {
		d, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Compile(g, device.Options{Rows: 1}); err != nil {
			t.Fatal(err)
		}
		devices[i] = d
	}
	if got := devices[0].Memory().Params; got != 4*1024*512 {
		t.Errorf("the parameter takes %d bytes", got)
	}
	devices[0].Close()
	devices[0].Close()
	if got := devices[0].Memory().Params; got != 0 {
		t.Errorf("a closed device holds %d bytes", got)
	}
	if err := devices[1].Write("w", make([]float32, 1024*512)); err != nil {
		t.Error(err)
	}
}

// TestStore: a parameter stays as it is stored where all operations take it so, reads as what it says, and is
// float32 for a program that wants that, and once it is written.
func TestStore(t *testing.T) {
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	rows := tensor.Tensor{DType: tensor.BF16, Shape: []int{8, 4}, Data: make([]byte, 64)}
	for i := range 32 {
		rows.Data[2*i+1] = byte(0x3f + i%2) // 0.5 and 2
	}
	want, err := rows.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	row := func(r int) (tensor.DType, []byte) { return rows.DType, rows.Data[8*r:][:8] }
	if err := d.Store("w", rows.Shape, row); err != nil {
		t.Fatal(err)
	}
	same := func(what string, params int64) {
		t.Helper()
		if got, err := d.Read("w"); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: reads %v (%v), want %v", what, got, err, want)
		}
		if got := d.Memory().Params; got != params {
			t.Errorf("%s: %d bytes, want %d", what, got, params)
		}
	}
	stored := d.Memory().Params
	if stored <= 0 {
		t.Errorf("the parameter takes %d bytes", stored)
	}
	lookup := graph.New()
	lookup.Keep(lookup.Gather(lookup.Param("w", 8, 4)), "y")
	p, err := d.Compile(lookup, device.Options{Rows: 2})
	if err != nil {
		t.Fatal(err)
	}
	same("compiled", stored)
	run := func(what string) {
		t.Helper()
		if err := p.Run(graph.Sequence([]int32{7, 1}, 1)); err != nil {
			t.Fatal(err)
		}
		if got := p.Output("y"); !slices.Equal(got, append(slices.Clone(want[28:32]), want[4:8]...)) {
			t.Errorf("%s: looks up %v", what, got)
		}
	}
	run("stored")
	want[30] = 7
	if err := d.Write("w", want); err != nil {
		t.Fatal(err)
	}
	same("written", 4*32)
	run("written")
}

func TestDevice(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) device.Device {
		d, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
