package cpu_test

import (
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/device/devicetest"
	"olmo/graph"
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

func TestDevice(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) device.Device {
		d, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
