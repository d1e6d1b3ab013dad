package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	for _, pid := range children(pid) {
		all = append(append(all, pid), descendants(pid)...)
	}
	return all
}

// children are the processes that the threads of a process have started, or inherited; one that
// has ended has none.
func children(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if len(lists) == 0 && !kernelLists() {
		return childrenByParent(pid)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// kernelLists says that the kernel lists the children of a process (CONFIG_PROC_CHILDREN).
var kernelLists = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
})

// childrenByParent asks all processes who their parent is.
func childrenByParent(pid int) (all []int) {
	for _, child := range processes() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
		// The name before it stands in brackets, and may hold any of these.
		_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
		if words := strings.Fields(rest); len(words) > 1 && words[1] == strconv.Itoa(pid) {
			all = append(all, child)
		}
	}
	return all
}

// processes are all that there are.
func processes() (all []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// marked are the processes whose environment has a variable with a value: those that got it from a
// program, wherever they have gone to from there.
func marked(variable string) (all []int) {
	for _, pid := range processes() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if bytes.Contains(text, []byte(variable+"\x00")) {
			all = append(all, pid)
		}
	}
	return all
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
