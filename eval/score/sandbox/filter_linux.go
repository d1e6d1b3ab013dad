//go:build amd64 || arm64

package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hidden are system calls that a program does not have, as if the kernel were without them: what
// takes memory that no limit counts, makes namespaces and mounts, looks into processes, or is too
// large a door of the kernel's.
var hidden = []uint32{
	unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET, unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_CLONE3, // clone3's flags lie where a filter cannot look
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_MOUNT_SETATTR,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	unix.SYS_PERSONALITY, unix.SYS_SYSLOG, unix.SYS_QUOTACTL, unix.SYS_KEXEC_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
}

// families are those of sockets that a namespace of networks encloses. Those of a virtual machine
// (vsock), for one, it does not.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}

// Offsets in struct seccomp_data; arguments are 64 bits, the lower half first on both processors.
const (
	dataCall     = 0
	dataArch     = 4
	dataArgument = 16
)

// filterCalls installs the filter on this thread; no_new_privs is set (seccomp(2)).
func filterCalls() error {
	arch := uint32(unix.AUDIT_ARCH_X86_64)
	if runtime.GOARCH == "arm64" {
		arch = unix.AUDIT_ARCH_AARCH64
	}
	deny := func(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }
	var f []unix.SockFilter
	load := func(offset uint32) {
		f = append(f, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
	}
	give := func(action uint32) { f = append(f, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}) }
	// jump goes on with the next instruction where the test holds, else after skip more.
	jump := func(test uint16, k uint32, skip uint8) {
		f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jf: skip})
	}
	load(dataArch)
	f = append(f, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | unix.BPF_JEQ, K: arch, Jt: 1})
	give(unix.SECCOMP_RET_KILL_PROCESS) // calls of another processor's numbers
	load(dataCall)
	if runtime.GOARCH == "amd64" {
		jump(unix.BPF_JGE, 0x40000000, 1) // and of x32's
		give(deny(unix.ENOSYS))
	}
	for _, call := range hidden {
		jump(unix.BPF_JEQ, call, 1)
		give(deny(unix.ENOSYS))
	}
	jump(unix.BPF_JEQ, unix.SYS_CLONE, 4)
	load(dataArgument)
	jump(unix.BPF_JSET, namespaces|unix.CLONE_NEWCGROUP, 1)
	give(deny(unix.EPERM))
	give(unix.SECCOMP_RET_ALLOW)
	jump(unix.BPF_JEQ, unix.SYS_SOCKET, uint8(2*len(families)+2))
	load(dataArgument)
	for _, family := range families {
		jump(unix.BPF_JEQ, family, 1)
		give(unix.SECCOMP_RET_ALLOW)
	}
	give(deny(unix.EAFNOSUPPORT))
	give(unix.SECCOMP_RET_ALLOW)
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}
