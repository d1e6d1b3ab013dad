//go:build unix

package store

import "syscall"

// dontWait opens a pipe without waiting for what writes into it.
const dontWait = syscall.O_NONBLOCK
