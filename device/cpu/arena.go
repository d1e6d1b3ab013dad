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
	return d.take(n, true)
}

// reserve is allocate of what will be used little by little: it lies in small pages, so that only what has
// been used takes memory.
func (d *Device) reserve(n int) (data []float32, release func(), err error) {
	return d.take(n, false)
}

func (d *Device) take(n int, large bool) (data []float32, release func(), err error) {
	if n < arenaMin {
		return make([]float32, n), func() {}, nil
	}
	data, unmap, err := mapMemory(n, large)
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

// area is storage that several weights share.
type area struct {
	rest  []float32
	users int
	free  func()
}

// areaSize is the size of an area in elements, a multiple of a large page.
const areaSize = 4 << 20

// place is allocate for weights that are read from end to end for every token: the matrices of a small model are
// each no large page, and where an ordinary one ends, processors stop to read ahead.
func (d *Device) place(n int) (data []float32, release func(), err error) {
	n = (n + 15) &^ 15 // whole cache lines
	if n > areaSize/2 {
		return d.allocate((n + areaSize/8 - 1) / (areaSize / 8) * (areaSize / 8)) // whole large pages
	}
	a := d.area
	if a == nil || len(a.rest) < n {
		a = &area{}
		if a.rest, a.free, err = d.allocate(areaSize); err != nil {
			return nil, nil, err
		}
		d.area = a
	}
	data, a.rest = a.rest[:n:n], a.rest[n:]
	a.users++
	return data, func() {
		if a.users--; a.users == 0 {
			if d.area == a {
				d.area = nil
			}
			a.free()
		}
	}, nil
}
