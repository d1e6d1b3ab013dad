package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// status is the descriptor on which the stage tells what stands in the way, or that nothing does;
// it closes when the interpreter begins. Below it are the interpreter's.
const status = 5

// ready is what the stage tells before it becomes the interpreter: one that is killed tells nothing.
const ready = "ready"

// init turns the program into the stage, where it is started as one: before main, and in every
// test.
func init() {
	if len(os.Args) != 2 || os.Args[0] != stageName {
		return
	}
	err := func() error {
		var o order
		if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
			return err
		}
		return o.become()
	}()
	_, _ = os.NewFile(status, "status").WriteString(err.Error())
	os.Exit(1)
}

// become turns this process into the interpreter. Goroutines of init run on the process's first
// thread, whose capabilities, filter and no_new_privs exec keeps.
func (o *order) become() error {
	if err := sealDescriptors(); err != nil {
		return err
	}
	// Should memory run out all the same, programs go first.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	unix.Umask(0o022)
	if !o.None {
		if err := o.buildRoot(); err != nil {
			return err
		}
		if err := unix.Sethostname([]byte("sandbox")); err != nil {
			return fmt.Errorf("sethostname: %w", err)
		}
		if err := o.dropPrivileges(); err != nil {
			return err
		}
	}
	if err := unix.Chdir(o.Folder); err != nil {
		return fmt.Errorf("chdir %s: %w", o.Folder, err)
	}
	// A change of user takes it back.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("prctl: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if !o.None {
		if err := filterCalls(); err != nil {
			return err
		}
	}
	if _, err := unix.Write(status, []byte(ready)); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", o.Args[0], syscall.Exec(o.Args[0], o.Args, o.Env))
}

// sealDescriptors closes what olmo inherited without knowing, once the interpreter begins.
func sealDescriptors() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= status {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// buildRoot makes the root of the program, and leaves the machine's.
func (o *order) buildRoot() error {
	mount := func(source, target, kind string, flags uintptr, data string) error {
		if err := unix.Mount(source, target, kind, flags, data); err != nil {
			return fmt.Errorf("mount %s: %w", target, err)
		}
		return nil
	}
	// Nothing that is mounted here is seen outside.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return err
	}
	// Any folder serves to build in that nothing is taken from.
	const root = "/proc"
	if err := mount("root", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,mode=0755"); err != nil {
		return err
	}
	for _, source := range o.Binds {
		target := filepath.Join(root, source)
		if err := o.mountPoint(source, target); err != nil {
			return err
		}
		if err := mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return err
		}
		// Devices are written to on a mount that is read-only, too.
		if err := remountReadOnly(target); err != nil {
			return err
		}
	}
	folder := filepath.Join(root, o.Scratch)
	if err := os.Mkdir(folder, 0o777); err != nil {
		return err
	}
	if err := mount("scratch", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("size=%d,nr_inodes=16384,mode=1777", FolderBytes)); err != nil {
		return err
	}
	if err := remountReadOnly(root); err != nil {
		return err
	}
	if err := unix.Chdir(root); err != nil {
		return err
	}
	// The old root comes to lie on the new one, from where it is taken (pivot_root(2)).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("umount: %w", err)
	}
	return unix.Chdir("/")
}

// mountPoint makes the file or folder on which a source is mounted.
func (o *order) mountPoint(source, target string) error {
	st, err := os.Stat(source)
	if err != nil {
		return err
	}
	if st.IsDir() {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	return f.Close()
}

// remountReadOnly takes writing from a mount. What else was forbidden there stays forbidden: a
// namespace may not allow it.
func remountReadOnly(target string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return fmt.Errorf("statfs %s: %w", target, err)
	}
	flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID)
	for _, f := range [][2]int64{
		{unix.ST_NODEV, unix.MS_NODEV},
		{unix.ST_NOEXEC, unix.MS_NOEXEC},
		{unix.ST_NOATIME, unix.MS_NOATIME},
		{unix.ST_NODIRATIME, unix.MS_NODIRATIME},
		{unix.ST_RELATIME, unix.MS_RELATIME},
	} {
		if int64(st.Flags)&f[0] != 0 {
			flags |= uintptr(f[1])
		}
	}
	if err := unix.Mount("", target, "", flags, ""); err != nil {
		return fmt.Errorf("mount %s read-only: %w", target, err)
	}
	return nil
}

// dropPrivileges gives up all capabilities, for good, and becomes another user where it can.
func (o *order) dropPrivileges() error {
	// Root is nobody special.
	const bits = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 // SECBIT_NOROOT, _NO_SETUID_FIXUP, each locked; _KEEP_CAPS locked
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, bits, 0, 0, 0); err != nil {
		return fmt.Errorf("securebits: %w", err)
	}
	for c := uintptr(0); ; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break // the last one was the last
		} else if err != nil {
			return fmt.Errorf("capabilities: %w", err)
		}
	}
	if o.User > 0 {
		if err := errors.Join(unix.Setgroups(nil), unix.Setresgid(o.Group, o.Group, o.Group), unix.Setresuid(o.User, o.User, o.User)); err != nil {
			return fmt.Errorf("becoming another user: %w", err)
		}
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}
