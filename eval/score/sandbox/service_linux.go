package sandbox

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
)

func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// killService kills the processes of a service: its group, what descends from it, and whoever has its
// mark. It reports whether there were any.
func killService(process *os.Process, gone bool, mark string) bool {
	pids := marked(mark)
	if !gone {
		pids = append(pids, descendants(process.Pid)...)
		_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
		_ = process.Kill()
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid == os.Getpid() })
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return len(pids) > 0
}
