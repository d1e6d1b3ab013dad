package memory

import (
	"errors"
	"math"
	"testing"
	"testing/fstest"
)

func TestLimits(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	const meminfo = "MemTotal:  4000 kB\nMemFree: 100 kB\nMemAvailable:    3000 kB\n"
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		want  uint64
		known bool
	}{
		{"no Linux", fstest.MapFS{}, 0, false},
		{"no groups", fstest.MapFS{"proc/meminfo": file(meminfo)}, 3000 << 10, true},
		{"version 2", fstest.MapFS{
			"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/user/app\n"),
			"sys/fs/cgroup/user/app/memory.max": file("1000000\n"), "sys/fs/cgroup/user/app/memory.current": file("900000\n"),
			"sys/fs/cgroup/user/app/memory.stat": file("anon 7\ninactive_file 300000\n"),
		}, 400000, true},
		{"the group above is smaller", fstest.MapFS{
			"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/user/app\n"),
			"sys/fs/cgroup/user/app/memory.max": file("max\n"), "sys/fs/cgroup/user/app/memory.current": file("900000\n"),
			"sys/fs/cgroup/user/memory.max": file("1000000"), "sys/fs/cgroup/user/memory.current": file("999999"),
		}, 1, true},
		{"over its limit", fstest.MapFS{
			"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("10"), "sys/fs/cgroup/memory.current": file("11"),
		}, 0, true},
		{"a container's own root", fstest.MapFS{
			"proc/meminfo": file(meminfo), "proc/self/cgroup": file("0::/docker/0123\n"),
			"sys/fs/cgroup/memory.max": file("500"), "sys/fs/cgroup/memory.current": file("100"),
		}, 400, true},
		{"version 1", fstest.MapFS{
			"proc/meminfo": file(meminfo), "proc/self/cgroup": file("12:cpu,cpuacct:/x\n4:memory:/x\n0::/x\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("2000"), "sys/fs/cgroup/memory/x/memory.usage_in_bytes": file("1500"),
			"sys/fs/cgroup/memory/x/memory.stat":         file("total_inactive_file 200\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712"), "sys/fs/cgroup/memory/memory.usage_in_bytes": file("1500"),
		}, 700, true},
		{"nonsense", fstest.MapFS{"proc/meminfo": file("MemAvailable: many kB\n"), "proc/self/cgroup": file("::\n\n0::\n")}, 0, false},
	} {
		got, known := inFiles(c.files)
		if known && (got != c.want) || known != c.known {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, got, known, c.want, c.known)
		}
	}
}

func TestRoom(t *testing.T) {
	if err := Room("nothing", 0); err != nil {
		t.Error(err)
	}
	if err := Room("everything", math.MaxUint64); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v, want ErrTooLarge", err)
	}
}

func TestText(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 bytes", 999: "999 bytes", 1000: "1 KB", 47372: "47.4 KB", 999_499: "999 KB", 999_500: "1 MB", 1 << 20: "1.05 MB", 1 << 30: "1.07 GB",
		1_640_000_000: "1.64 GB", 3e12: "3 TB", math.MaxUint64: "1.84e+07 TB",
	} {
		if got := Text(n); got != want {
			t.Errorf("Text(%d) = %q, want %q", n, got, want)
		}
	}
}
