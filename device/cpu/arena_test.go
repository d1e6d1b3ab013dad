package cpu

import "testing"

// TestPlace: weights lie side by side in an area, which goes back with the last of them; a large one has its own.
func TestPlace(t *testing.T) {
	d, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var release []func()
	place := func(n, areas int) []float32 {
		t.Helper()
		data, free, err := d.place(n)
		if err != nil {
			t.Fatal(err)
		}
		if release = append(release, free); len(data) < n || len(d.mapped) != areas {
			t.Fatalf("%d elements of %d, in %d areas, want %d", len(data), n, len(d.mapped), areas)
		}
		return data
	}
	a, b := place(100, 1), place(areaSize/2, 1)
	place(areaSize/2, 2)
	place(areaSize, 3)
	a[99], b[0] = 1, 2
	if a = a[:cap(a)]; len(a) != 112 || a[99] != 1 || a[111] != 0 {
		t.Errorf("the first weight has %d elements and ends with %v", len(a), a[99:])
	}
	for i, areas := range []int{3, 2, 1, 0} {
		if release[i](); len(d.mapped) != areas {
			t.Errorf("%d areas after %d were released, want %d", len(d.mapped), i+1, areas)
		}
	}
	place(100, 1)
	d.Close()
	if len(d.mapped) != 0 {
		t.Errorf("a closed device has %d areas", len(d.mapped))
	}
}
