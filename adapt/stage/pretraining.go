package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"

	"olmo/adapt"
	"olmo/data/tokens"
	"olmo/proof"
	"olmo/train"
)

// pretraining is a file or folder of token files, whose documents get a share of the tokens of a run.
type pretraining struct {
	Name  string
	Share float64
}

// pretraining reads pretraining_data: names and shares in turn.
func (c *SFTConfig) pretraining(file string) (parts []pretraining, err error) {
	if len(c.PretrainingData)%2 != 0 {
		return nil, errors.New("pretraining_data has a name without a share\nhint: [tokens/, \"0.1\"] has documents of token files make a tenth of the tokens")
	}
	sum := 0.0
	for i := 0; i < len(c.PretrainingData); i += 2 {
		c.PretrainingData[i] = beside(file, c.PretrainingData[i])
		share, err := strconv.ParseFloat(c.PretrainingData[i+1], 64)
		if err != nil || !(share > 0 && share < 1) {
			return nil, fmt.Errorf("pretraining_data: the share of %s is %q, want a number between 0 and 1", c.PretrainingData[i], c.PretrainingData[i+1])
		}
		parts = append(parts, pretraining{c.PretrainingData[i], share})
		sum += share
	}
	if sum > 0.99 {
		return nil, fmt.Errorf("pretraining_data: the shares are %v together, which leaves nothing for conversations", sum)
	}
	return parts, nil
}

// withPretraining has the maker's rows followed by documents of the parts: in an order drawn by the seed, each
// once before any comes again, until they have their shares of all tokens. What is longer than a row is
// cut into rows. All tokens train.
func (m rowMaker) withPretraining(ctx context.Context, parts []pretraining, seed uint64, longest int) (rowMaker, error) {
	type source struct {
		Share     float64
		Documents []proof.Hash
	}
	var sources []source
	var libraries []*library
	rest := 1.0
	for _, p := range parts {
		l, err := openLibrary(ctx, p.Name)
		if err != nil {
			return m, fmt.Errorf("pretraining_data: %w", err)
		}
		libraries, sources = append(libraries, l), append(sources, source{p.Share, l.roots})
		rest -= p.Share
	}
	m.also = sources
	m.more = func(w *rowWriter) error {
		conversations := float64(w.at)
		for i, p := range parts {
			count, got, err := libraries[i].add(w, seed, longest, int(math.Round(conversations/rest*p.Share)))
			if err != nil {
				return fmt.Errorf("pretraining_data: %w", err)
			}
			w.r.Notes = append(w.r.Notes, fmt.Sprintf("%s: %d rows of documents among the conversations, %d tokens, all of which train", p.Name, count, got))
		}
		return nil
	}
	return m, nil
}

// library is the documents of token files.
type library struct {
	names     []string
	kinds     []tokens.DType
	roots     []proof.Hash // of the trees over their documents
	documents []document
}

// document is a place in a token file.
type document struct {
	file     int
	from, to int
}

// openLibrary lists the documents of a token file, or of those in a folder.
func openLibrary(ctx context.Context, name string) (*library, error) {
	names, err := tokens.TokenFiles(name)
	if err != nil {
		return nil, err
	}
	l := &library{names: names}
	for i, name := range names {
		kind, err := train.TokenType("", []string{name})
		if err == nil && kind == "" {
			err = fmt.Errorf("%s: %w", tokens.PlacesPath(name), fs.ErrNotExist)
		}
		if err != nil {
			return nil, fmt.Errorf("%w\nhint: 'olmo data tokens' writes token files, each with the places of its documents beside it", err)
		}
		root, _, _, err := tokens.DocumentsRoot(ctx, []string{name}, kind, tokens.LeafOptions{Stored: true})
		if err != nil {
			return nil, err
		}
		l.kinds, l.roots = append(l.kinds, kind), append(l.roots, root)
		err = tokens.ReadPlaces(tokens.PlacesPath(name), func(p tokens.Place) error {
			if p.End > p.Start+1 { // a token alone has nothing to predict
				l.documents = append(l.documents, document{i, int(p.Start), int(p.End)})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(l.documents) == 0 {
		return nil, fmt.Errorf("%s has no documents", name)
	}
	return l, nil
}

// add puts documents into w until they have the tokens that are wanted, and returns their rows and tokens.
func (l *library) add(w *rowWriter, seed uint64, longest, want int) (rows, got int, err error) {
	opened := make([]*tokens.File, len(l.names))
	defer func() {
		for _, f := range opened {
			if f != nil {
				err = errors.Join(err, f.Close())
			}
		}
	}()
	for epoch := uint64(0); got < want; epoch++ {
		for _, at := range tokens.Order(len(l.documents), seed, epoch) {
			d := l.documents[at]
			if opened[d.file] == nil {
				if opened[d.file], err = tokens.Open(l.names[d.file], l.kinds[d.file]); err != nil {
					return 0, 0, err
				}
			}
			for from := d.from; from+1 < d.to && got < want; from += longest {
				ids := make([]int32, min(longest, d.to-from, max(want-got, 2)))
				if err := opened[d.file].Read(ids, from); err != nil {
					return 0, 0, err
				}
				if top := slices.Max(ids); int(top) >= w.vocabulary {
					return 0, 0, fmt.Errorf("%s holds id %d, and the embedding of the model has %d rows\nhint: make the tokens with the model's tokenizer: olmo data tokens --tokenizer.name_or_path MODEL/tokenizer.json", l.names[d.file], top, w.vocabulary)
				}
				if err := w.put(&adapt.Example{IDs: ids, Labels: ids}); err != nil {
					return 0, 0, err
				}
				rows, got = rows+1, got+len(ids)
			}
			if got >= want {
				break
			}
		}
	}
	return rows, got, nil
}
