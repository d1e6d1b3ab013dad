package cpu_test

import (
	"testing"

	"olmo/device"
	"olmo/device/cpu"
	"olmo/device/devicetest"
)

func TestDevice(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) device.Device {
		d, err := cpu.New()
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}
