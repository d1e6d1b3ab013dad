package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// canIsolate: the filter of system calls is written for two processors.
const canIsolate = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// plan says where programs run. Olmo starts itself anew as the stage (stage_linux.go), which
// carries it out and becomes the interpreter.
type plan struct {
	None bool
	// Binds are the files and folders of the root, each under its own name.
	Binds []string
	// Scratch is the folder of the root that can be written to.
	Scratch string
	Env     []string
	// User and Group are the ids that the program has in its namespace; 0: the only ones that there
	// are in it, olmo's own outside.
	User, Group int
	// CountsApart says that the kernel counts the processes of a namespace for themselves; before
	// Linux 5.14 it counts all of the user.
	CountsApart bool
}

// extraFiles are the descriptors from 3 on that the stage gets: what is to be run, the way of the
// verdict, and its own way to tell what stands in its way.
const extraFiles = 3

// order is what the stage is told.
type order struct {
	plan
	Folder string // the current one
	Args   []string
}

// newPlan plans for an interpreter.
func newPlan(python *interpreter, none bool) (plan, error) {
	p := plan{None: none, Env: []string{
		"LANG=C.UTF-8",
		// Half a surrogate can be printed, as into a text in memory.
		"PYTHONIOENCODING=utf-8:backslashreplace",
		// Sets have the same order in each run.
		"PYTHONHASHSEED=0",
		// Thread pools take address space for each processor.
		"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1",
	}}
	libraries, folders := closure(python)
	if len(folders) > 0 {
		p.Env = append(p.Env, "LD_LIBRARY_PATH="+strings.Join(folders, ":"))
	}
	// Without /proc the loader cannot find out where the interpreter is.
	p.Env = append(p.Env, "LD_ORIGIN_PATH="+filepath.Dir(python.Executable))
	if none {
		return p, nil
	}
	p.Binds = outermost(slices.Concat(python.Path, libraries, []string{python.Executable, "/dev/null", "/dev/zero", "/dev/urandom"}))
	p.Scratch = "/tmp"
	if slices.ContainsFunc(p.Binds, func(path string) bool { return strings.HasPrefix(path, "/tmp/") }) {
		p.Scratch = "/scratch" // an interpreter below /tmp would be hidden
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return p, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err == nil {
		p.CountsApart = major > 5 || major == 5 && minor >= 14
	}
	if os.Geteuid() == 0 {
		if user, group := other("/proc/self/uid_map"), other("/proc/self/gid_map"); user > 0 && group > 0 {
			p.User, p.Group = user, group
		}
	}
	return p, nil
}

// outermost sorts paths, and leaves out those inside of others.
func outermost(paths []string) (out []string) {
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		if !slices.ContainsFunc(out, func(folder string) bool { return strings.HasPrefix(path, folder+"/") }) {
			out = append(out, path)
		}
	}
	return out
}

// other is an id other than 0 that there is in this namespace, if it may be nobody's; 0: none.
func other(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	const nobody = 65534
	last := 0
	for line := range strings.Lines(string(text)) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return 0
		}
		if inside <= nobody && nobody-inside < count {
			return nobody
		}
		last = max(last, inside+count-1)
	}
	return last
}

// folder makes the current folder of a program without namespaces; others have one in their root.
func (p *plan) folder() (string, error) {
	if !p.None {
		return "", nil
	}
	return os.MkdirTemp("", "olmo-program-*")
}

// stageName is the first word of olmo's command line when it is the stage.
const stageName = "olmo-sandbox-stage"

// command is the stage's command.
func (p *plan) command(executable string, args []string, folder string) (*exec.Cmd, error) {
	o := order{plan: *p, Folder: folder, Args: append([]string{executable}, args...)}
	if !p.None {
		o.Folder = p.Scratch
	}
	o.Env = append(slices.Clone(p.Env), "HOME="+o.Folder, "TMPDIR="+o.Folder)
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	c := exec.Command("/proc/self/exe")
	c.Args = []string{stageName, string(text)}
	c.Env = []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if p.None {
		return c, nil
	}
	c.SysProcAttr.Cloneflags = namespaces
	c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
	c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	if p.User > 0 {
		c.SysProcAttr.UidMappings = append(c.SysProcAttr.UidMappings, syscall.SysProcIDMap{ContainerID: p.User, HostID: p.User, Size: 1})
		c.SysProcAttr.GidMappings = append(c.SysProcAttr.GidMappings, syscall.SysProcIDMap{ContainerID: p.Group, HostID: p.Group, Size: 1})
		c.SysProcAttr.GidMappingsEnableSetgroups = true
	}
	return c, nil
}

const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// refused says what to do where the system does not let programs have namespaces.
func (p *plan) refused(err error) error {
	if p.None {
		return fmt.Errorf("starting the interpreter: %w", err)
	}
	return fmt.Errorf("this system refuses namespaces, in which programs run: %w\n%s", err, noneHint)
}

// problem reads what the stage told; "": the interpreter has begun.
func (p *plan) problem(told string) string {
	rest, ok := strings.CutPrefix(told, ready)
	if !ok && rest == "" {
		return "olmo ended before the interpreter began"
	}
	return rest
}

// kill ends a program: the first process of a namespace takes all others with it. Without one,
// those end that descend from it, its group, and whoever has its home.
func (p *plan) kill(process *os.Process, folder string) {
	if p.None {
		pids := append(descendants(process.Pid), marked("HOME="+folder)...)
		_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = process.Kill()
}

// limit sets the limits of an interpreter that the kernel holds. The stage could not set them: Go
// needs more memory than a program may have.
func (p *plan) limit(pid int) error {
	limits := []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_NOFILE, 256},
		{unix.RLIMIT_FSIZE, FolderBytes},
		{unix.RLIMIT_AS, MemoryBytes},
		{unix.RLIMIT_NPROC, Processes},
	}
	for _, l := range limits {
		if l.resource == unix.RLIMIT_NPROC && (p.None || !p.CountsApart) {
			continue
		}
		err := unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("the limits of a program: %w", err)
		}
	}
	return nil
}
