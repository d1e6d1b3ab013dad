package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// exceeded says which limit a process exceeds together with those that descend from it; "": none.
func exceeded(pid int) string {
	pids := append([]int{pid}, descendants(pid)...)
	if len(pids) > Processes {
		return "processes"
	}
	// Resident memory that processes share counts for each. Only where that is too much the sum of
	// their shares, which is dear to ask for, decides.
	if resident(pids) > MemoryBytes && shares(pids) > MemoryBytes {
		return "memory"
	}
	return ""
}

// descendants are the processes that descend from a process.
func descendants(pid int) (all []int) {
	next, _ := children(pid) // one that has ended has none
	for _, pid := range next {
		all = append(append(all, pid), descendants(pid)...)
	}
	return all
}

// children are the processes that the threads of a process have started, or inherited.
func children(pid int) (all []int, err error) {
	tasks := filepath.Join("/proc", strconv.Itoa(pid), "task")
	threads, err := os.ReadDir(tasks)
	if err != nil {
		return nil, err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(filepath.Join(tasks, thread.Name(), "children"))
		if err != nil {
			return nil, err
		}
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all, nil
}

// resident sums the resident memory of processes, in bytes.
func resident(pids []int) (sum int64) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue // it has ended
		}
		var size, pages int64
		if _, err := fmt.Sscan(string(text), &size, &pages); err == nil {
			sum += pages * int64(os.Getpagesize())
		}
	}
	return sum
}

// shares sums the memory of processes, in bytes, what several share once.
func shares(pids []int) (sum int64) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			var kib int64
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
				sum += kib << 10
			}
		}
	}
	return sum
}
