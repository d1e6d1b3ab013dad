package train

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// TestMeter: the counters of all packages are added up in joules, also when one starts again at
// its range; a counter that cannot be read adds nothing.
func TestMeter(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, microjoules int64) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strconv.FormatInt(microjoules, 10)+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	m := &meter{zones: []string{write("a", 1_000_000), write("b", 5_000_000)}, last: []int64{1_000_000, 5_000_000}, ranges: []int64{10_000_000, 10_000_000}}
	if !m.measured() {
		t.Error("what counters show is not called measured")
	}
	for _, c := range []struct {
		a, b int64
		want float64
	}{{1_000_000, 5_000_000, 0}, {3_500_000, 6_000_000, 3.5}, {3_500_000, 6_000_000, 3.5}, {500_000, 9_000_000, 3.5 + 7 + 3}} {
		write("a", c.a)
		write("b", c.b)
		if got := m.read(1); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("at %d and %d microjoules: %g joules, want %g", c.a, c.b, got, c.want)
		}
	}
	write("a", 1_500_000)
	if err := os.Remove(m.zones[1]); err != nil {
		t.Fatal(err)
	}
	if got := m.read(1); math.Abs(got-14.5) > 1e-9 {
		t.Errorf("with one counter gone: %g joules, want 14.5", got)
	}
	for text, want := range map[string]bool{"12\n": true, "x": false, "": false} {
		path := filepath.Join(dir, "n")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if n, ok := readCounter(path); ok != want || ok && n != 12 {
			t.Errorf("%q is %d, %t", text, n, ok)
		}
	}
}

// TestEstimatedEnergy: where nothing is measured a busy core counts eight watts, and no more
// cores than there are.
func TestEstimatedEnergy(t *testing.T) {
	for threads, cores := range map[int]int{1: 1, 1 << 20: runtime.NumCPU()} {
		m := &meter{since: time.Now().Add(-10 * time.Second)}
		first := m.read(threads)
		if want := 10 * 8 * float64(cores); m.measured() || math.Abs(first-want) > 0.05*want {
			t.Errorf("%d threads take %g joules in ten seconds, want %g", threads, first, want)
		}
		if again := m.read(threads); again < first || again > first*1.05 {
			t.Errorf("at once after %g joules they are %g", first, again)
		}
	}
}
