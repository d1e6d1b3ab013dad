package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"olmo/hub/git"
	"olmo/proof"
)

// repo is a repository: commits, and the branches and tags that name some of them.
type repo struct {
	kind, id       string
	branches, tags []ref
	commits        map[git.ID]*commit // those that a branch or tag names
	dir            string             // its folder among the uploads; "" for a release, which takes none
}

func (r *repo) String() string {
	if r.kind == datasets {
		return datasets + "/" + r.id
	}
	return r.id
}

// ref is a branch or tag. Branches of a release stand in its order, others in that of names.
type ref struct {
	name   string
	commit git.ID
}

// find returns the place of a name among branches or tags, -1 where it is none.
func find(refs []ref, name string) int {
	return slices.IndexFunc(refs, func(r ref) bool { return r.name == name })
}

// at is the commit that a branch, a tag or an id names, nil where it names none.
func (r *repo) at(revision string) *commit {
	for _, refs := range [][]ref{r.branches, r.tags} {
		if i := find(refs, revision); i >= 0 {
			return r.commits[refs[i].commit]
		}
	}
	var id git.ID
	if id.UnmarshalText([]byte(revision)) != nil {
		return nil
	}
	return r.commits[id]
}

// commit is the state of a repository's files. It does not change.
type commit struct {
	git.Commit
	id      git.ID
	files   []file            // in byte order of paths
	folders map[string]git.ID // the whole is ""
}

// newCommit fills in what follows from the files, which it puts in order.
func newCommit(files []file, parent *git.ID, date time.Time, message string) *commit {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	entries := make([]git.Entry, len(files))
	for i := range files {
		entries[i] = git.Entry{Path: files[i].Path, ID: files[i].ID}
	}
	c := &commit{files: files, folders: git.Folders(entries)}
	c.Commit = git.Commit{Tree: c.folders[""], Parent: parent, Date: date, Message: message}
	c.id = c.Commit.ID()
	return c
}

// title is the first line of the commit's message.
func (c *commit) title() string {
	title, _, _ := strings.Cut(c.Message, "\n")
	return title
}

// file returns the file of a path, nil where there is none.
func (c *commit) file(path string) *file {
	i, ok := slices.BinarySearchFunc(c.files, path, func(f file, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return nil
	}
	return &c.files[i]
}

// span is where the files below a folder stand.
func (c *commit) span(folder string) (from, to int) {
	if folder == "" {
		return 0, len(c.files)
	}
	search := func(path string) int {
		return sort.Search(len(c.files), func(i int) bool { return c.files[i].Path >= path })
	}
	return search(folder + "/"), search(folder + "0") // which is what comes behind a slash
}

// file is a file of a commit, and where its content lies.
type file struct {
	Path   string     `json:"path"`
	Size   int64      `json:"size"`
	SHA256 proof.Hash `json:"sha256"`
	ID     git.ID     `json:"id"` // of the content, or of the pointer in its place
	LFS    bool       `json:"lfs,omitempty"`

	root *os.Root
	name string // in root
}

// etag is the hash by which a client knows the content.
func (f *file) etag() string {
	if f.LFS {
		return f.SHA256.String()
	}
	return f.ID.String()
}

// pointer is what stands for a large file in the commit's tree.
func (f *file) pointer() []byte { return git.Pointer(f.SHA256, f.Size) }

// open opens the content.
func (f *file) open() (*os.File, error) {
	if _, err := regular(f.root, f.name); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	content, err := f.root.Open(f.name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	if st, err := content.Stat(); err != nil || st.Size() != f.Size {
		content.Close()
		return nil, fmt.Errorf("%s: %w", f.Path, errors.Join(errGone, err))
	}
	return content, nil
}

var errGone = errors.New("it is no longer what it was when the hub was started")

// regular is a file below root to which no link leads: a link may have come with the folder, and
// name a file that is not meant for everyone. To open a pipe or a device may take for ever.
func regular(root *os.Root, name string) (st fs.FileInfo, err error) {
	for at := name; at != "."; at = path.Dir(at) {
		in, err := root.Lstat(at)
		switch {
		case err != nil:
			return nil, err
		case at == name && !in.Mode().IsRegular(), at != name && !in.IsDir():
			return nil, fmt.Errorf("%s is a link or a device, or no folder", at)
		case at == name:
			st = in
		}
	}
	return st, nil
}

// large are the endings of files that are kept as large ones whatever their size: weights,
// arrays and what is packed, as in the .gitattributes that a new repository gets from Hugging
// Face.
var large = strings.Fields(".7z .arrow .bin .bz2 .ckpt .ftz .gguf .gz .h5 .joblib .leaves .mlmodel .model .msgpack .npy .npz .onnx .ot .parquet .pb .pickle .pkl .pt .pth .rar .safetensors .tar .tflite .tgz .wasm .xz .zip .zst")

// maxRegular is the size up to which a text is a regular file, which clients send inside of a
// commit and know by the id that Git gives it.
const maxRegular = 1 << 20

// isLarge tells whether a file is kept as a large one, known by its SHA-256.
func isLarge(name string, size int64) bool {
	return size > maxRegular || slices.Contains(large, strings.ToLower(path.Ext(name)))
}
