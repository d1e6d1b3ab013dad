package train

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// wattsACore is what a busy core of a server processor draws, roughly, its share of the
// package and the memory included: an estimate for machines that do not tell.
const wattsACore = 8

// meter measures energy: through RAPL where the system shows it (Linux on Intel and AMD,
// for the processor packages), else by an estimate.
type meter struct {
	zones  []string // files of energy counters
	last   []int64  // microjoules
	ranges []int64  // where the counters start again
	joules float64
	since  time.Time
}

func newMeter() *meter {
	m := &meter{since: time.Now()}
	// Zones of a package are called intel-rapl:N; those inside it have one more number.
	paths, _ := filepath.Glob("/sys/class/powercap/intel-rapl:[0-9]*")
	for _, dir := range paths {
		if strings.Count(filepath.Base(dir), ":") != 1 {
			continue
		}
		now, ok1 := readCounter(filepath.Join(dir, "energy_uj"))
		span, ok2 := readCounter(filepath.Join(dir, "max_energy_range_uj"))
		if ok1 && ok2 {
			m.zones, m.last, m.ranges = append(m.zones, filepath.Join(dir, "energy_uj")), append(m.last, now), append(m.ranges, span)
		}
	}
	return m
}

func readCounter(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// measured tells whether the figures are measured, not estimated.
func (m *meter) measured() bool { return len(m.zones) > 0 }

// read returns the energy since the meter was made, in joules.
func (m *meter) read(threads int) float64 {
	if !m.measured() {
		now := time.Now()
		m.joules += now.Sub(m.since).Seconds() * wattsACore * float64(min(threads, runtime.NumCPU()))
		m.since = now
		return m.joules
	}
	for i, path := range m.zones {
		now, ok := readCounter(path)
		if !ok {
			continue
		}
		d := now - m.last[i]
		if d < 0 {
			d += m.ranges[i]
		}
		m.joules += float64(d) / 1e6
		m.last[i] = now
	}
	return m.joules
}
