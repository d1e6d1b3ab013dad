package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"olmo/data/tokens"
)

func newDataInspectCommand() *cobra.Command {
	var files []string
	var id, dtype, tok string
	var position int64
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect",
		Short: "From a document to its place in the token files, and back",
		Long: `With --id, list where a document lies in the token files and show how it begins.
With --position, say which document the token at that position of one token
file belongs to. Without either, sum up the files.

The .csv.gz beside each token file tells the places; with --tokenizer the tokens
are shown as text.`,
		Example: `  olmo data inspect --tokens tokens --id 'public-0024'
  olmo data inspect --tokens tokens/part-0-00000.npy --position 123456 --tokenizer tokenizer.json
  olmo data inspect --tokens tokens`,
		Args: noArgs,
	}
	listFlag(c.Flags(), &files, "tokens", "token files (.npy) or folders of them")
	c.Flags().StringVar(&id, "id", "", "document to look for")
	c.Flags().Int64Var(&position, "position", -1, "token of the one file given")
	c.Flags().StringVar(&dtype, "dtype", "uint16", "type of the ids")
	c.Flags().StringVar(&tok, "tokenizer", "", "tokenizer.json to show tokens as text")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(files) == 0 {
			return usageErrorf("no token files are given\nhint: --tokens FOLDER")
		}
		if id != "" && position >= 0 {
			return usageErrorf("give either --id or --position")
		}
		d, err := tokens.ParseDType(dtype)
		if err != nil {
			return err
		}
		found, err := tokens.TokenFiles(files...)
		if err != nil {
			return err
		}
		in := inspector{out: c.OutOrStdout(), dtype: d, json: asJSON}
		if tok != "" {
			if in.tok, err = loadDataTokenizer(tok, false); err != nil {
				return err
			}
		}
		switch {
		case id != "":
			return in.document(found, id)
		case position >= 0:
			if len(found) != 1 {
				return usageErrorf("--position needs one token file, %d are given", len(found))
			}
			return in.position(found[0], position)
		}
		return in.sum(found)
	}
	return c
}

type inspector struct {
	out   io.Writer
	dtype tokens.DType
	tok   *dataTokenizer
	json  bool
}

// placed is one answer.
type placed struct {
	File  string  `json:"file"`
	Start int64   `json:"start"`
	End   int64   `json:"end"`
	ID    string  `json:"id"`
	Src   string  `json:"src"`
	Loc   int64   `json:"loc"`
	Begin []int32 `json:"ids"`
	Text  string  `json:"text,omitempty"`
}

// shownTokens is how many tokens of a document are shown.
const shownTokens = 64

// show prints a document's place and its tokens from one on.
func (in *inspector) show(file string, p tokens.Place, from int64) error {
	f, err := tokens.Open(file, in.dtype)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.CheckWidth(); err != nil {
		return err
	}
	a := placed{File: file, Start: p.Start, End: p.End, ID: p.ID, Src: p.Src, Loc: p.Loc, Begin: make([]int32, min(p.End-from, shownTokens))}
	if err := f.Read(a.Begin, int(from)); err != nil {
		return err
	}
	if in.tok != nil {
		a.Text = in.tok.Decode(a.Begin, false)
	}
	if in.json {
		return json.NewEncoder(in.out).Encode(a)
	}
	fmt.Fprintf(in.out, "%s tokens %d to %d: document %q, line %d of %s\n", file, p.Start, p.End, p.ID, p.Loc, p.Src)
	fmt.Fprintf(in.out, "  ids from %d: %v\n", from, a.Begin)
	if in.tok != nil {
		fmt.Fprintf(in.out, "  text: %q\n", a.Text)
	}
	return nil
}

func (in *inspector) document(files []string, id string) error {
	n := 0
	err := tokens.FindDocument(files, id, func(file string, p tokens.Place) error {
		n++
		return in.show(file, p, p.Start)
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("document %q is in none of the %d token files", id, len(files))
	}
	return err
}

func (in *inspector) position(file string, i int64) error {
	p, found, err := tokens.PlaceOf(file, i)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s has no token %d that belongs to a document", file, i)
	}
	return in.show(file, p, i)
}

func (in *inspector) sum(files []string) error {
	for _, path := range files {
		f, err := tokens.Open(path, in.dtype)
		if err != nil {
			return err
		}
		n := int64(f.Len())
		err = f.CheckWidth()
		f.Close()
		if err != nil {
			return err
		}
		var documents, end int64
		err = tokens.ReadPlaces(tokens.PlacesPath(path), func(p tokens.Place) error {
			documents++
			end = p.End
			return nil
		})
		if err == nil && end != n {
			err = errors.New("the places do not cover the tokens\nhint: --dtype may be wrong, or the files belong to different runs")
		}
		if err != nil {
			return fmt.Errorf("%s: %d tokens, places up to %d: %w", path, n, end, err)
		}
		if in.json {
			if err := json.NewEncoder(in.out).Encode(map[string]any{"file": path, "tokens": n, "documents": documents}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(in.out, "%s: %d tokens of %d documents\n", path, n, documents)
	}
	return nil
}
