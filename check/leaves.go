package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"olmo/data/tokens"
	"olmo/proof"
)

// leavesSuffix ends the names of the leaves that are stored beside token files.
const leavesSuffix = ".npy.leaves"

// leavesFile checks leaves, and so the token file that they are of.
func (c *checker) leavesFile(path string) {
	file := strings.TrimSuffix(path, ".leaves")
	if exists(file) {
		c.tokensOf(file)
		return
	}
	c.problem(Missing, file, "%s is missing, of which %s has the leaves", filepath.Base(file), filepath.Base(path))
	if l := c.openLeaves(file); l != nil {
		l.Close()
	}
}

// openLeaves opens the leaves beside a token file; nil where there are none, or they are damaged.
func (c *checker) openLeaves(path string) *tokens.Leaves {
	file := tokens.LeavesPath(path)
	if st, err := os.Stat(file); err == nil {
		c.count(file, st.Size())
	}
	l, err := tokens.OpenLeaves(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.damage(file, err)
		}
		return nil
	}
	return l
}

// leaves compares a token file and its places with the leaves that are stored beside them, where
// these say that they are of the files as they are. It tells whether the files are so.
func (c *checker) leaves(path string, dtype tokens.DType, documents int) bool {
	l := c.openLeaves(path)
	if l == nil {
		return false
	}
	defer l.Close()
	file := tokens.LeavesPath(path)
	current, err := l.Current()
	switch {
	case err != nil:
		c.damage(file, err)
		return false
	case !current:
		c.unused = append(c.unused, c.rel(file))
		return false
	case l.DType != dtype && l.Tokens.Size > 0:
		c.problem(Tokens, file, "it is of tokens of type %s, those of %s are %s", l.DType, filepath.Base(path), dtype)
		return false
	}
	// What a list confirms is right, and then the leaves are not.
	differ := func(part string, was tokens.StoredFile) bool {
		sum, err := c.hashFile(part)
		switch {
		case err != nil:
			c.damage(part, err)
		case sum == was.SHA256.String():
			return false
		case c.compared(part):
			c.problem(Changed, file, "it is of a %s with SHA-256 %v, which has %s", filepath.Base(part), was.SHA256, sum)
		default:
			id := c.otherDocument(l, path, dtype)
			c.problem(Changed, part, "%s has SHA-256 %s; %s, which is of the same time, says %v", c.rel(part), sum, filepath.Base(file), was.SHA256).Document = id
		}
		return true
	}
	if places := tokens.PlacesPath(path); differ(places, l.Places) || differ(path, l.Tokens) {
		return false
	}
	if l.Documents != int64(documents) {
		c.problem(Changed, file, "it is of %d documents, %s has %d", l.Documents, filepath.Base(tokens.PlacesPath(path)), documents)
		return false
	}
	if id := c.otherDocument(l, path, dtype); id != "" {
		c.problem(Changed, file, "its hash of document %q is not that of the tokens in %s", id, filepath.Base(path)).Document = id
		return false
	}
	return true
}

// errDiffers ends a comparison.
var errDiffers = errors.New("a document differs")

// otherDocument is the first document whose tokens have another hash than leaves say.
func (c *checker) otherDocument(l *tokens.Leaves, path string, dtype tokens.DType) (id string) {
	err := tokens.EachLeaf(c.ctx, []string{path}, dtype, tokens.LeafOptions{}, func(leaf *tokens.Leaf, _ proof.Hash) error {
		sum, err := l.Next()
		if err != nil || sum != leaf.Tokens {
			if id = leaf.ID; id == "" {
				id = fmt.Sprintf("tokens %d to %d", leaf.Start, leaf.End)
			}
			return errDiffers
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDiffers) {
		c.damage(path, err)
	}
	return id
}
