package cpu

import (
	"fmt"
	"runtime"
)

// arenaMin is the size, in elements, from which storage lies outside Go's heap.
const arenaMin = 1 << 18

// allocate returns n zeros that live as long as the device or until they are released.
// Large storage lies outside Go's heap: the collector waits until the heap has doubled, and so
// would leave as much again for garbage. It lies in large pages where the system has them, since
// a processor remembers the addresses of few pages at a time.
func (d *Device) allocate(n int) (data []float32, release func(), err error) {
	if n < arenaMin {
		return make([]float32, n), func() {}, nil
	}
	data, unmap, err := mapMemory(n)
	if err != nil {
		return nil, nil, fmt.Errorf("taking %.4g GB of memory: %w\nhint: smaller batches need less", float64(n)*4/1e9, err)
	}
	c := runtime.AddCleanup(d, func(unmap func()) { unmap() }, unmap)
	d.maps++
	at := d.maps
	release = func() {
		c.Stop()
		unmap()
		delete(d.mapped, at)
	}
	d.mapped[at] = release
	return data, release, nil
}
