package store_test

import (
	"fmt"
	"os"
	"path/filepath"

	"olmo/data/store"
)

// A path of this machine or an address such as s3://bucket/key: the calls are
// the same.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "notes", "a.txt")
	w, err := store.Create(name)
	if err != nil {
		panic(err)
	}
	fmt.Fprint(w, "hello")
	fmt.Println(store.Exists(name))
	if err := w.Commit(); err != nil {
		panic(err)
	}
	b, err := store.ReadFile(name)
	fmt.Println(string(b), err)
	// Output:
	// false
	// hello <nil>
}
