// Package git holds the ids under which a hub knows what it has: those that Git gives files,
// folders and commits, and the pointers that stand for large files in their place.
package git

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"time"

	"olmo/proof"
)

// ID is the id of an object, a SHA-1.
type ID [sha1.Size]byte

// String writes 40 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes 40 hexadecimal digits.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads 40 hexadecimal digits, of which the letters are small.
func (id *ID) UnmarshalText(text []byte) error {
	if !IsID(string(text)) {
		return errors.New("an id of Git has 40 hexadecimal digits, 0 to 9 and a to f")
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// IsID tells whether a text is an id as String writes it.
func IsID(text string) bool {
	return len(text) == hex.EncodedLen(sha1.Size) && strings.Trim(text, "0123456789abcdef") == ""
}

// NewBlob returns a hash that gives the id of a file of so many bytes when they have been
// written to it.
func NewBlob(size int64) hash.Hash { return newObject("blob", size) }

// Blob is the id of a file with this content.
func Blob(content []byte) ID { return object("blob", content) }

func newObject(kind string, size int64) hash.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, size)
	return h
}

func object(kind string, content []byte) ID {
	h := newObject(kind, int64(len(content)))
	h.Write(content)
	return ID(h.Sum(nil))
}

// Pointer is what Git LFS keeps in the place of a large file.
//
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
func Pointer(sha256 proof.Hash, size int64) []byte {
	return fmt.Appendf(nil, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", sha256, size)
}

// Entry is a file of a tree.
type Entry struct {
	Path string
	ID   ID
}

// Folders are the ids of all folders with these files, which stand in byte order of their paths;
// the whole has the name "".
func Folders(files []Entry) map[string]ID {
	folders := map[string]ID{}
	folder(files, "", folders)
	return folders
}

// folder puts the ids of the folder prefix, which is "" or ends in a slash, and of those below
// it into folders. files are those below it.
func folder(files []Entry, prefix string, folders map[string]ID) ID {
	type child struct {
		mode, name string
		id         ID
	}
	var children []child
	for i := 0; i < len(files); {
		name, _, below := strings.Cut(files[i].Path[len(prefix):], "/")
		if !below {
			children = append(children, child{"100644", name, files[i].ID})
			i++
			continue
		}
		inner := prefix + name + "/"
		n := i
		for n < len(files) && strings.HasPrefix(files[n].Path, inner) {
			n++
		}
		children = append(children, child{"40000", name, folder(files[i:n], inner, folders)})
		i = n
	}
	// Git sorts folders as if a slash stood behind their names.
	key := func(c child) string {
		if c.mode == "40000" {
			return c.name + "/"
		}
		return c.name
	}
	slices.SortFunc(children, func(a, b child) int { return strings.Compare(key(a), key(b)) })
	var content []byte
	for _, c := range children {
		content = fmt.Appendf(content, "%s %s\x00%s", c.mode, c.name, c.id[:])
	}
	id := object("tree", content)
	folders[strings.TrimSuffix(prefix, "/")] = id
	return id
}

// Commit is what a commit says.
type Commit struct {
	Tree    ID
	Parent  *ID // nil for the first of a branch
	Date    time.Time
	Message string
}

// author stands in every commit: a hub knows no users.
const author = "olmo hub <olmo@localhost>"

// ID is the id of the commit.
func (c *Commit) ID() ID {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", c.Tree)
	if c.Parent != nil {
		fmt.Fprintf(&b, "parent %s\n", *c.Parent)
	}
	for _, role := range []string{"author", "committer"} {
		fmt.Fprintf(&b, "%s %s %d +0000\n", role, author, c.Date.Unix())
	}
	fmt.Fprintf(&b, "\n%s\n", c.Message)
	return object("commit", []byte(b.String()))
}
