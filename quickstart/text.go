package quickstart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"olmo/data/convert"
	"olmo/internal/pyjson"
	"olmo/proof"
	"olmo/store"
)

// textFile is a file of the user's text as it was when the corpus was made of it.
type textFile struct {
	Name   string    `json:"name"` // in the ids of documents
	Size   int64     `json:"size"`
	Time   time.Time `json:"time,omitzero"`
	SHA256 string    `json:"sha256"` // empty of one that could not be read
}

// textList has the files of the user's text, below the folder of data.
const textList = "own/files.json"

// rememberText writes what the user's text is, after it has become a corpus below dir.
func rememberText(dir string, own convert.Config) error {
	paths, names, err := own.Inputs()
	if err != nil {
		return err
	}
	files := make([]textFile, len(paths))
	for i, path := range paths {
		files[i] = lookAtText(path, names[i])
		files[i].SHA256, _ = textDigest(path)
	}
	return writeJSON(filepath.Join(dir, filepath.FromSlash(textList)), files)
}

func lookAtText(path, name string) textFile {
	f := textFile{Name: name}
	if st, err := os.Stat(path); err == nil {
		f.Size, f.Time = st.Size(), st.ModTime().UTC()
	}
	return f
}

func textDigest(path string) (string, error) {
	f, err := store.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, err := proof.SumReader(f)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// changedText says how the user's text differs from that of which the corpus below dir was
// made; "" where it does not, or where an earlier version kept no list of it. gone tells that
// nothing of it is there any more. The contents decide: those of a file with another time are
// read.
func changedText(dir string, own convert.Config) (how string, gone bool, err error) {
	var was []textFile
	if err := pyjson.ReadFile(filepath.Join(dir, filepath.FromSlash(textList)), &was); errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	} else if err != nil {
		return "", false, err
	}
	before := map[string]textFile{}
	for _, f := range was {
		before[f.Name] = f
	}
	paths, names, err := own.Inputs()
	if err != nil {
		return "", true, nil
	}
	var changes []string
	for i, path := range paths {
		now, old := lookAtText(path, names[i]), before[names[i]]
		_, known := before[names[i]]
		delete(before, names[i])
		switch {
		case !known:
			changes = append(changes, names[i]+" is new")
		case now.Size == old.Size && now.Time.Equal(old.Time):
		default:
			if now.SHA256, _ = textDigest(path); now.SHA256 != old.SHA256 {
				changes = append(changes, names[i]+" has changed")
			}
		}
	}
	for _, f := range was {
		if _, gone := before[f.Name]; gone {
			changes = append(changes, f.Name+" is gone")
		}
	}
	const shown = 3
	if n := len(changes); n > shown {
		changes = append(changes[:shown], fmt.Sprintf("and %d more", n-shown))
	}
	return strings.Join(changes, ", "), false, nil
}

// sameText compares the user's text with that of which the folder was made. Where it is given
// again and is another, a run would not be of it.
func (q *quick) sameText(docs []string) error {
	changes, gone, err := changedText(q.path("data"), conversion(q.path("data"), docs, []string{q.Out}))
	switch {
	case gone:
		q.Print(fmt.Sprintf("the text of %s is no longer there: this goes on with what was read of it", docsFlag(docs)))
		return nil
	case err != nil || changes == "":
		return err
	case len(q.Docs) > 0:
		return fmt.Errorf("the text of %s has changed since %s was made of it: %s\nhint: another folder, with --out, for a model of the text as it is now; without --docs the run goes on here, with the text that was read", docsFlag(q.Docs), q.Out, changes)
	}
	q.Print(fmt.Sprintf("the text of %s has changed since (%s): this goes on with what was read of it", docsFlag(docs), changes))
	return nil
}
