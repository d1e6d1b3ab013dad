// Package tasks holds the program's own tasks that are files in lm-eval's form: a file each, which
// a user copies to begin one.
package tasks

import (
	"embed"
	"sync"

	"olmo/eval"
	"olmo/eval/taskfile"
)

//go:embed *.yaml
var files embed.FS

func init() {
	eval.Register(func() {
		all, _ := Catalogue().Tasks(taskfile.Options{}) // a test sees that none is refused
		for _, t := range all {
			eval.Define(*t)
		}
	})
}

// Catalogue is that of the files.
var Catalogue = sync.OnceValue(func() *taskfile.Catalogue {
	c, err := taskfile.OpenFS(files)
	if err != nil {
		panic("tasks: " + err.Error())
	}
	return c
})
