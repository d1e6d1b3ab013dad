// Package cgroup finds the control groups of this process, whose limits count where the machine's do not.
package cgroup

import (
	"io/fs"
	"iter"
	"path"
	"strings"
)

// Folders yields the folders below root, the machine's "/", of the groups that limit what controller
// ("cpu", "memory") gives this process, those above it included, with the version of control groups, 1 or
// 2, that says how their files are named. Some of them may not exist: a container sees its own group as the
// root, under whatever path it has outside.
func Folders(root fs.FS, controller string) iter.Seq2[int, string] {
	return func(yield func(version int, folder string) bool) {
		groups, _ := fs.ReadFile(root, "proc/self/cgroup")
		for line := range strings.Lines(string(groups)) {
			// hierarchy:controllers:path; version 2 has number 0 and no controllers.
			f := strings.SplitN(strings.TrimSpace(line), ":", 3)
			if len(f) != 3 {
				continue
			}
			var version int
			mount := "sys/fs/cgroup"
			switch {
			case f[0] == "0" && f[1] == "":
				version = 2
			case strings.Contains(","+f[1]+",", ","+controller+","):
				version, mount = 1, path.Join(mount, controller)
			default:
				continue
			}
			for dir := path.Clean("/" + f[2]); ; dir = path.Dir(dir) {
				if !yield(version, path.Join(mount, dir)) {
					return
				}
				if dir == "/" {
					break
				}
			}
		}
	}
}
