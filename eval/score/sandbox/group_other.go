//go:build !unix

package sandbox

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// kill ends a program.
func (p *plan) kill(process *os.Process, _ string) { _ = process.Kill() }

// killService kills a service.
func killService(process *os.Process, gone bool, _ string) bool {
	if gone {
		return false
	}
	_ = process.Kill()
	return true
}
