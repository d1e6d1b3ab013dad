//go:build unix && !linux

package sandbox

import (
	"os"
	"os/exec"
	"syscall"
)

func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// kill ends a program and its group.
func (p *plan) kill(process *os.Process, _ string) {
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
	_ = process.Kill()
}

// killService kills a service and its group. It reports whether it may have left any.
func killService(process *os.Process, gone bool, _ string) bool {
	if gone {
		return false
	}
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
	_ = process.Kill()
	return true
}
