package adapt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"

	"olmo/data/store"
	evaldata "olmo/eval/data"
	"olmo/proof"
)

// Mixture is what a model is adapted with: parts of data sets.
type Mixture struct {
	Parts []Part
	// Places are folders in which data sets lie under their names on the Hugging Face hub: clones
	// of repositories, or the hub's cache.
	Places []string
	// Seed draws the rows of a part that are not all of them, or not in whole rounds.
	Seed uint32
}

// notFound is an error about data that is not there.
type notFound string

func (e notFound) Error() string { return string(e) }

// Is tells that it is fs.ErrNotExist, too.
func (e notFound) Is(target error) bool { return target == fs.ErrNotExist }

// source is where a part's rows are: a file, or a split of the data set that a folder is or has.
func (m *Mixture) source(p Part) (file string, set *evaldata.Set, err error) {
	info, err := store.Stat(p.Name)
	if err == nil && !info.Dir {
		if p.Split != trainSplit {
			return "", nil, fmt.Errorf("dataset_mixer_list: %s is a file, which has no split %s\nhint: name the file of the split", p.Name, p.Split)
		}
		return p.Name, nil, nil
	}
	if err != nil && (store.Remote(p.Name) || !errors.Is(err, fs.ErrNotExist)) {
		return "", nil, fmt.Errorf("dataset_mixer_list: %w", err)
	}
	places, name := m.Places, p.Name
	if err == nil {
		full, err := filepath.Abs(p.Name)
		if err != nil {
			return "", nil, err
		}
		places, name = []string{p.Name}, filepath.Base(full)
	}
	set, err = evaldata.FindSplit(places, name, "", p.Split)
	if errors.Is(err, evaldata.ErrMissing) || err == nil && set.Place == evaldata.Inside {
		return "", nil, notFound(fmt.Sprintf("dataset_mixer_list: %s is no file, and no data set with a split %s was found under that name\nhint: 'olmo hub get %s --repo-type dataset --out FOLDER' fetches one from the hub; name FOLDER then", p.Name, p.Split, p.Name))
	}
	return "", set, err
}

// Digest is the SHA-256 of a part's files, one behind the other, in hexadecimal digits.
func (m *Mixture) Digest(p Part) (string, error) {
	file, set, err := m.source(p)
	switch {
	case err != nil:
		return "", err
	case set != nil:
		return set.SHA256()
	}
	f, err := store.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, err := proof.SumReader(f)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	return h.String(), nil
}

// rows are those of a part's data set.
func (m *Mixture) rows(p Part) (iter.Seq2[rawRow, error], error) {
	file, set, err := m.source(p)
	switch {
	case err != nil:
		return nil, err
	case set == nil:
		return fileRows(file), nil
	}
	return func(yield func(rawRow, error) bool) {
		for row, err := range set.Rows() {
			if !yield(rawRow{text: row.JSON, bad: row.Bad}, err) || err != nil {
				return
			}
		}
	}, nil
}

// Taken are the rows that a mixture takes of one part, in their order; a row that is taken
// several times is there as often.
type Taken[T any] struct {
	Part Part
	Of   int // rows that the data set has
	Rows []T
	Bad  int // rows that were wanted and left out
}

// Read runs work on the rows that a mixture takes, on all threads. An error of work is told with
// the file and line of its row; bad, if it is set, is asked about it and by returning nil leaves the row out.
func Read[T any](ctx context.Context, m *Mixture, work func(row []byte) (T, error), bad func(err error) error) ([]Taken[T], error) {
	var all []Taken[T]
	for _, p := range m.Parts {
		t, err := readPart(ctx, m, p, work, bad)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func readPart[T any](ctx context.Context, m *Mixture, p Part, work func(row []byte) (T, error), bad func(err error) error) (t Taken[T], err error) {
	t.Part = p
	rows, err := m.rows(p)
	if err != nil {
		return t, err
	}
	for _, err := range rows {
		if err != nil {
			return t, err
		}
		t.Of++
	}
	picked := Pick(t.Of, p.Of(t.Of), m.Seed)
	if len(picked) == 0 {
		return t, fmt.Errorf("dataset_mixer_list: nothing is taken of %s, which has %d rows", p.Name, t.Of)
	}
	wanted := make([]bool, t.Of)
	for _, i := range picked {
		wanted[i] = true
	}
	n := 0
	chosen := func(yield func(rawRow, error) bool) {
		for row, err := range rows {
			if n++; err == nil && n <= len(wanted) && !wanted[n-1] {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
	var made []*T
	err = each(ctx, chosen, work, func(x T, err error) error {
		if err == nil {
			made = append(made, &x)
			return nil
		}
		made = append(made, nil)
		if t.Bad++; bad == nil {
			return err
		}
		return bad(err)
	})
	if err != nil {
		return t, err
	}
	if n != t.Of {
		return t, fmt.Errorf("%s changed while it was read: it had %d rows, then %d", p.Name, t.Of, n)
	}
	at := make([]int, t.Of) // where in made
	next := 0
	for i, w := range wanted {
		if at[i] = next; w {
			next++
		}
	}
	for _, i := range picked {
		if x := made[at[i]]; x != nil {
			t.Rows = append(t.Rows, *x)
		}
	}
	return t, nil
}
