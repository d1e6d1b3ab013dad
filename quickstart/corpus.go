package quickstart

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"olmo/data"
	"olmo/page"
	"olmo/store"
)

// The folders of a corpus below quickstart's data folder. Nothing but the
// documents of TrainFolder may reach the tokenizer or the model.
const (
	TrainFolder   = "documents"
	TuningFolder  = "tuning/documents"  // for searching settings
	HeldOutFolder = "heldout/documents" // for the figures of the report
)

// CorpusOptions say what text to take.
type CorpusOptions struct {
	// Docs are the user's own files and folders, in any form that data/convert reads.
	// Without any, the corpus is the prose of the Go installation.
	Docs []string
	// LeaveOut names folders below Docs that are none of the user's text.
	LeaveOut []string
	// GOROOT is the Go installation to read; empty to look for one.
	GOROOT string
	// MinBytes of the user's own text are needed, for MinReason; 0 for any.
	MinBytes  int64
	MinReason string
	// Progress, if not nil, is told how many of the files are read. It may be
	// called from several goroutines.
	Progress func(done, total int)
}

// SplitInfo is one of the three parts of a corpus.
type SplitInfo struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"` // of text, as UTF-8
	// SHA256 is the digest of the texts one after the other, in the order of
	// the files, with nothing between them.
	SHA256 string   `json:"sha256"`
	Files  []string `json:"files"` // slashed, below the data folder
}

// CorpusInfo says what BuildCorpus wrote.
type CorpusInfo struct {
	Name    string    `json:"name"`    // such as "go1.26.8 doc comments"
	Licence string    `json:"licence"` // SPDX identifier, empty when unknown
	Notices []string  `json:"notices"` // what the user should know, in sentences
	Train   SplitInfo `json:"train"`
	Tuning  SplitInfo `json:"tuning"`
	HeldOut SplitInfo `json:"held_out"`
	// OtherDomain is a text file of another kind to judge the model on, empty
	// when this machine has none.
	OtherDomain string `json:"other_domain"`
	// Language is the text's: ISO 639-1, zxx for none (code), mul for several and und
	// where it is not clear. It is measured on the user's own text, and Languages has the
	// shares that were found there.
	Language  string          `json:"language"`
	Languages []LanguageShare `json:"languages,omitempty"`
	// Prompts are what the model is asked to continue: of the user's own text the
	// beginnings of held-out documents.
	Prompts []string `json:"prompts"`
}

// document is a text with the name by which it is put into a split.
type document struct {
	id       string
	group    string // documents of one group are never in different splits
	text     string
	metadata any
}

// source is a corpus before it is split.
type source struct {
	name, tag, licence string // tag is the rows' "source"
	version            string
	documents          []document
	notices            []string
	otherDomain        string
	language           string   // empty to measure it
	prompts            []string // nil to take them from the held-out text
}

// minGroups is what three splits need.
const minGroups = 3

// BuildCorpus writes the corpus as Dolma documents below dir, in the three
// folders that the constants name. The same input gives the same files. An
// input that cannot be read or gives too few documents is an error.
func BuildCorpus(ctx context.Context, dir string, opts CorpusOptions) (CorpusInfo, error) {
	var folders []string
	for _, folder := range []string{TrainFolder, TuningFolder, HeldOutFolder} {
		folders = append(folders, filepath.Join(dir, filepath.FromSlash(folder)))
	}
	if err := store.Clash(opts.Docs, nil, folders); err != nil {
		return CorpusInfo{}, fmt.Errorf("reading --docs: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return CorpusInfo{}, err
	}
	src, err := readSource(ctx, dir, opts)
	if err != nil {
		return CorpusInfo{}, err
	}
	groups := src.groups()
	if err := src.enough(groups, opts); err != nil {
		return CorpusInfo{}, err
	}
	info := CorpusInfo{Name: src.name, Licence: src.licence, Notices: src.notices, OtherDomain: src.otherDomain, Language: src.language, Prompts: src.prompts}
	if info.Language == "" {
		if info.Language, info.Languages, err = languagesOf(src.documents); err != nil {
			return CorpusInfo{}, err
		}
	}
	var parts [splits][]document
	splitOf := splitGroups(src.tag, groups)
	for _, d := range src.documents {
		parts[splitOf[d.group]] = append(parts[splitOf[d.group]], d)
	}
	for i, part := range []struct {
		folder string
		info   *SplitInfo
		files  int
	}{
		{TrainFolder, &info.Train, 8}, // several, so that curation can work on them at once
		{TuningFolder, &info.Tuning, 1},
		{HeldOutFolder, &info.HeldOut, 1},
	} {
		if *part.info, err = writeSplit(ctx, dir, part.folder, src, parts[i], part.files); err != nil {
			return CorpusInfo{}, err
		}
	}
	if info.Prompts == nil {
		info.Prompts = promptsOf(parts[heldOut])
	}
	return info, nil
}

// enough says what is too little for a corpus: each split needs a part of it, and training
// what opts say.
func (src *source) enough(groups []string, opts CorpusOptions) error {
	whole := int64(0)
	for _, d := range src.documents {
		whole += int64(len(d.text))
	}
	var err error
	switch {
	case len(opts.Docs) > 0 && whole < opts.MinBytes:
		err = fmt.Errorf("the text has %s bytes, and %s is the least: %s", page.Grouped(whole), page.Grouped(opts.MinBytes), opts.MinReason)
	case len(groups) < minGroups:
		err = fmt.Errorf("the text has %s bytes, too few to be cut into %d parts: one to train on, one to choose settings with, and one to judge the model by", page.Grouped(whole), minGroups)
	default:
		return nil
	}
	if len(src.notices) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSuffix(strings.Join(src.notices, " "), "."))
	}
	return fmt.Errorf("%w\nhint: give --docs more text, of any number of files; a model that one may look at comes from some 200,000 bytes on", err)
}

func readSource(ctx context.Context, dir string, opts CorpusOptions) (*source, error) {
	if len(opts.Docs) > 0 {
		return readOwnDocuments(ctx, dir, opts)
	}
	root := opts.GOROOT
	if root == "" {
		root = findGOROOT(ctx)
	}
	if root == "" {
		return readEmbedded()
	}
	return readGoInstallation(ctx, root, opts)
}

// split is the part of the corpus that a group falls into.
type split int

const (
	training split = iota
	tuning
	heldOut
	splits
)

// groupDigest is what puts a group into its split: the SHA-256 of the source's
// tag, a slash and the group, such as "go/net/http".
func groupDigest(tag, group string) [sha256.Size]byte {
	return sha256.Sum256([]byte(tag + "/" + group))
}

// splitGroups decides by the first eight bytes of each group's digest, as a
// big-endian number modulo 20: 0 is held out, 1 for tuning, anything else to
// train on. Where few groups would give one of the two nothing, or more than a
// sixth of them, chance is too coarse: then the twentieth of the groups with
// the smallest digests is held out, and the next twentieth is for tuning.
func splitGroups(tag string, groups []string) map[string]split {
	parts := make(map[string]split, len(groups))
	var count [splits]int
	for _, g := range groups {
		digest := groupDigest(tag, g)
		part := training
		switch binary.BigEndian.Uint64(digest[:8]) % 20 {
		case 0:
			part = heldOut
		case 1:
			part = tuning
		}
		parts[g] = part
		count[part]++
	}
	fair := func(n int) bool { return n > 0 && 6*n <= len(groups) }
	if fair(count[heldOut]) && fair(count[tuning]) {
		return parts
	}
	sorted := slices.SortedFunc(slices.Values(groups), func(a, b string) int {
		da, db := groupDigest(tag, a), groupDigest(tag, b)
		return bytes.Compare(da[:], db[:])
	})
	share := (len(groups) + 19) / 20
	for i, g := range sorted {
		switch {
		case i < share:
			parts[g] = heldOut
		case i < 2*share:
			parts[g] = tuning
		default:
			parts[g] = training
		}
	}
	return parts
}

// groups lists the groups of the source's documents, each once.
func (src *source) groups() []string {
	seen := map[string]bool{}
	var groups []string
	for _, d := range src.documents {
		if !seen[d.group] {
			seen[d.group] = true
			groups = append(groups, d.group)
		}
	}
	return groups
}

// writeSplit writes documents as at most the given number of files of about
// the same size below dir/folder, and removes what an earlier run left there.
func writeSplit(ctx context.Context, dir, folder string, src *source, documents []document, files int) (SplitInfo, error) {
	info := SplitInfo{Documents: len(documents)}
	for _, d := range documents {
		info.Bytes += int64(len(d.text))
	}
	at := filepath.Join(dir, filepath.FromSlash(folder))
	old, err := filepath.Glob(filepath.Join(at, "*-[0-9][0-9].jsonl.zst"))
	if err != nil {
		return info, err
	}
	all := sha256.New()
	done, written := 0, int64(0)
	for i := range files {
		if done == len(documents) {
			break
		}
		name := fmt.Sprintf("%s-%02d.jsonl.zst", src.tag, i)
		w, err := data.CreateWriter(filepath.Join(at, name))
		if err != nil {
			return info, err
		}
		defer w.Abort()
		until := info.Bytes * int64(i+1) / int64(files)
		for done < len(documents) && (written < until || i == files-1) {
			if err := ctx.Err(); err != nil {
				return info, err
			}
			d := documents[done]
			line, err := marshalDocument(src, d)
			if err != nil {
				return info, err
			}
			if _, err := w.Write(line); err != nil {
				return info, err
			}
			all.Write([]byte(d.text))
			written += int64(len(d.text))
			done++
		}
		if err := w.Close(); err != nil {
			return info, err
		}
		info.Files = append(info.Files, folder+"/"+name)
	}
	// What an earlier run left, of names such as these, goes when the new files are there.
	for _, path := range old {
		if slices.Contains(info.Files, folder+"/"+filepath.Base(path)) {
			continue
		}
		if err := store.Remove(path); err != nil {
			return info, fmt.Errorf("clearing %s: %w", folder, err)
		}
	}
	info.SHA256 = hex.EncodeToString(all.Sum(nil))
	return info, nil
}

// marshalDocument writes d as one line of a documents file.
func marshalDocument(src *source, d document) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(struct {
		ID       string `json:"id"`
		Text     string `json:"text"`
		Source   string `json:"source"`
		Version  string `json:"version,omitempty"`
		Metadata any    `json:"metadata,omitempty"`
	}{d.id, d.text, src.tag, src.version, d.metadata})
	if err != nil {
		return nil, fmt.Errorf("document %s: %w", d.id, err)
	}
	return b.Bytes(), nil
}

// errNoText is what a corpus without any text ends with.
var errNoText = errors.New("no text found")
