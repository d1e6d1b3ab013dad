package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"olmo/data"
	"olmo/data/store"
	"olmo/data/tokens"
	"olmo/proof"
	"olmo/release"
	"olmo/tokenizer"
)

// texts are the files with the texts of the documents that the run trained on.
type texts struct {
	at    map[string]string // where each lies that the .csv.gz name, by that name; empty where it is not known
	names map[string]string // in data/documents, likewise
}

// files are where the texts lie, in byte order of their names in the release.
func (t *texts) files() []string {
	var srcs, all []string
	for src, at := range t.at {
		if at != "" {
			srcs = append(srcs, src)
		}
	}
	slices.SortFunc(srcs, func(a, b string) int { return strings.Compare(t.names[a]+"\x00"+a, t.names[b]+"\x00"+b) })
	for _, src := range srcs {
		if !slices.Contains(all, t.at[src]) {
			all = append(all, t.at[src])
		}
	}
	return all
}

// writeDocuments writes what the release says of documents: their files, their places in the token files,
// and the manifest, for which each text is encoded again.
func (b *builder) writeDocuments() error {
	if err := b.findTexts(); err != nil {
		return err
	}
	paths := b.texts.files()
	var all []shared
	for i, name := range tokens.TreeNames(paths) {
		all = append(all, shared{documentsFolder + "/" + name, paths[i]})
	}
	if err := b.shareWith("documents", all); err != nil {
		return err
	}
	for _, f := range b.tokens {
		if err := b.writePlaces(f, b.texts.names); err != nil {
			return err
		}
	}
	return b.writeManifest(named(b.cfg.TokenFiles()))
}

// findTexts looks for the files that the .csv.gz name.
func (b *builder) findTexts() error {
	t := &texts{at: map[string]string{}, names: map[string]string{}}
	b.texts = t
	var given []string
	if len(b.o.Documents) > 0 {
		var err error
		if given, err = (&data.Execution{}).ExpandDocuments(b.o.Documents); err != nil {
			return err
		}
	}
	var lost []string
	for _, f := range b.tokens {
		places := tokens.PlacesPath(f.path)
		if !store.Exists(places) {
			continue
		}
		err := tokens.ReadPlaces(places, func(p tokens.Place) error {
			if _, known := t.at[p.Src]; known || p.Src == "" {
				return b.ctx.Err()
			}
			var at string
			if len(given) == 0 {
				at = lookFor(p.Src, f.path)
			} else {
				var err error
				if at, err = among(given, p.Src); err != nil {
					return err
				}
			}
			if t.at[p.Src] = at; at == "" {
				lost = append(lost, p.Src)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(lost) > 0 {
		what := fmt.Sprintf("%s is not there", lost[0])
		if len(lost) > 1 {
			what = fmt.Sprintf("%s and %d more files are not there", lost[0], len(lost)-1)
		}
		if len(given) > 0 {
			return fmt.Errorf("--documents: %s, which the token files name\nhint: name all files of documents, or --without documents", what)
		}
		b.o.Warn(fmt.Sprintf("documents: %s, so that the release has no texts of theirs: --documents FILE… says where they are", what))
	}
	var found, srcs []string
	for src, at := range t.at {
		if at != "" {
			srcs, found = append(srcs, src), append(found, at)
		}
	}
	for i, name := range tokens.TreeNames(found) {
		t.names[srcs[i]] = name
	}
	return nil
}

// lookFor finds a file of documents that a .csv.gz names: as it is named, else below the folders above the
// token file, where it lay when all of them had other folders above them.
func lookFor(src, tokenFile string) string {
	if store.Remote(src) {
		if store.Exists(src) {
			return src
		}
		return ""
	}
	if isFile(src) {
		return src
	}
	if store.Remote(tokenFile) {
		return ""
	}
	full, err := filepath.Abs(tokenFile)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.Trim(filepath.ToSlash(src[len(filepath.VolumeName(src)):]), "/"), "/")
	for dir := filepath.Dir(full); ; dir = filepath.Dir(dir) {
		for i := range parts[:max(len(parts)-1, 1)] {
			at := filepath.Join(append([]string{dir}, parts[i:]...)...)
			if isFile(at) {
				return at
			}
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

func isFile(path string) bool {
	info, err := store.Stat(path)
	return err == nil && !info.Dir
}

// among finds the file that a .csv.gz names among given ones: the one whose last parts are the same.
func among(given []string, src string) (string, error) {
	best, n, second := "", 0, ""
	for _, file := range given {
		switch k := commonParts(file, src); {
		case k > n:
			best, n, second = file, k, ""
		case k == n && k > 0:
			second = file
		}
	}
	if second != "" {
		return "", fmt.Errorf("--documents: both %s and %s could be %s\nhint: name the right one alone", best, second, src)
	}
	return best, nil
}

// commonParts counts the parts that two paths have in common, from the end.
func commonParts(a, b string) (n int) {
	x, y := strings.Split(filepath.ToSlash(a), "/"), strings.Split(filepath.ToSlash(b), "/")
	for n < min(len(x), len(y)) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// manifestLine is a document in data/manifest.jsonl.gz.
type manifestLine struct {
	File   string     `json:"file"`
	Start  int64      `json:"start"`
	End    int64      `json:"end"`
	ID     string     `json:"id"`
	SHA256 proof.Hash `json:"sha256"`
	facts
}

// facts are what a document says of itself.
type facts struct {
	Text    string `json:"text_sha256,omitempty"`
	Source  string `json:"source,omitempty"`
	URL     string `json:"url,omitempty"`
	License string `json:"license,omitempty"`
	Created string `json:"created,omitempty"`
}

// writeManifest writes a line for each document of the token files that the run had in the end, and counts
// them.
func (b *builder) writeManifest(files []tokenFile) error {
	enc, err := b.encoder()
	if err != nil {
		return err
	}
	s := &b.survey
	*s = Survey{Licenses: map[string]int64{}}
	paths := make([]string, len(files))
	for i, f := range files {
		if paths[i] = f.path; store.Remote(f.path) {
			paths[i] = b.folder.path(tokensFolder + "/" + f.name)
		}
	}
	dtype := tokens.DType(b.cfg.Data.MemmapDType)
	var tree proof.Tree
	err = b.folder.put(manifestPath, func(w io.Writer) error {
		z := packing(w)
		e := json.NewEncoder(z)
		e.SetEscapeHTML(false)
		file, row := -1, 0
		var known []facts
		err := tokens.EachLeaf(b.ctx, paths, dtype, tokens.LeafOptions{Stored: true}, func(l *tokens.Leaf, sum proof.Hash) error {
			if file < 0 || l.File != files[file].name {
				file, row = slices.IndexFunc(files, func(f tokenFile) bool { return f.name == l.File }), 0
				if known, err = b.readTexts(files[file], paths[file], enc); err != nil {
					return err
				}
			}
			line := manifestLine{File: l.File, Start: l.Start, End: l.End, ID: l.ID, SHA256: l.Tokens}
			if row < len(known) {
				line.facts = known[row]
			}
			row++
			tree.AddLeaf(sum)
			b.data.Documents++
			b.data.Tokens += l.End - l.Start
			s.add(&line.facts)
			if !b.o.FullURLs {
				line.URL = bare(line.URL)
			}
			return e.Encode(line)
		})
		return errors.Join(err, z.Close())
	})
	if err != nil {
		return err
	}
	root := tree.Root()
	b.data.DocumentsRoot = &root
	if d := b.inForce.documents; d != nil && !d.Valid {
		b.data = release.Data{DType: b.data.DType} // the chain knows none
	}
	return nil
}

// encoder is the tokenizer that made the tokens; nil where the run names none, or texts are left out.
func (b *builder) encoder() (tokens.Encoder, error) {
	file := b.tokenizerFile()
	if b.folder.leftOut(documentsFolder + "/x") {
		return nil, nil
	}
	if file == "" {
		if len(b.texts.files()) > 0 {
			b.o.Warn("documents: the run names no tokenizer.json, so that texts are not compared with tokens")
		}
		return nil, nil
	}
	text, err := tokenizer.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

// row is where the text of a document lies.
type row struct {
	index      int // in the .csv.gz
	start, end int64
	loc        int64
}

// readTexts reads what the documents of a token file say of themselves, in the order of its rows, and is
// an error where one does not encode to its tokens.
func (b *builder) readTexts(f tokenFile, path string, enc tokens.Encoder) ([]facts, error) {
	places := tokens.PlacesPath(f.path)
	if !store.Exists(places) {
		return nil, nil
	}
	bySource := map[string][]row{}
	n := 0
	err := tokens.ReadPlaces(places, func(p tokens.Place) error {
		if at := b.texts.at[p.Src]; at != "" {
			bySource[at] = append(bySource[at], row{n, p.Start, p.End, p.Loc})
		}
		n++
		return nil
	})
	if err != nil || len(bySource) == 0 {
		return nil, err
	}
	ids, err := tokens.Open(path, tokens.DType(b.cfg.Data.MemmapDType))
	if err != nil {
		return nil, err
	}
	defer ids.Close()
	r := &textReader{ctx: b.ctx, ids: ids, enc: enc, facts: make([]facts, n), machine: b.machine(), told: b.o.Progress, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	for _, at := range b.texts.files() {
		if rows := bySource[at]; len(rows) > 0 {
			if err := r.file(at, rows); err != nil {
				return nil, err
			}
		}
	}
	b.survey.Judged += r.judged
	b.survey.Personal += r.personal
	b.survey.Folders += r.folders
	return r.facts, nil
}

// textReader reads the texts of a token file's documents.
type textReader struct {
	ctx   context.Context
	ids   *tokens.File
	enc   tokens.Encoder // nil compares nothing
	facts []facts
	slots chan struct{} // to work

	machine []string // folders of this machine
	told    func(part string, done, total int64, unit string)
	done    int64 // documents

	judged, personal, folders int64

	mu   sync.Mutex
	ends tokens.Ends
	err  error
	row  int // of err: the first one counts
}

// lot is some documents for one goroutine.
type lot struct {
	rows  []row
	lines [][]byte
	bytes int
}

// file reads the documents of one file that rows name.
func (r *textReader) file(path string, rows []row) error {
	slices.SortStableFunc(rows, func(a, b row) int { return int(a.loc - b.loc) })
	in, err := data.OpenReader(path)
	if err != nil {
		return err
	}
	defer in.Close()
	marks := openMarks(path)
	defer marks.close()
	var wait sync.WaitGroup
	l := &lot{}
	flush := func() {
		work := l
		r.done += int64(len(work.rows))
		r.told("texts", r.done, int64(len(r.facts)), "documents")
		l = &lot{}
		r.slots <- struct{}{}
		wait.Go(func() {
			r.judge(path, work)
			<-r.slots
		})
	}
	left := rows
	for len(left) > 0 && r.ctx.Err() == nil {
		line, e := in.NextLine()
		if e != nil {
			if err = e; errors.Is(e, io.EOF) {
				err = fmt.Errorf("%s ends before line %d, where document of tokens %d to %d should be: it is not the file that was encoded", path, left[0].loc, left[0].start, left[0].end)
			}
			break
		}
		marked, judged, e := marks.next()
		if e != nil {
			err = e
			break
		}
		for len(left) > 0 && left[0].loc <= line.Number {
			if left[0].loc < line.Number {
				err = fmt.Errorf("%s has no document at line %d, where that of tokens %d to %d should be", path, left[0].loc, left[0].start, left[0].end)
				break
			}
			if judged {
				r.judged++
			}
			if marked {
				r.personal++
			}
			if slices.ContainsFunc(r.machine, func(dir string) bool { return bytes.Contains(line.Bytes, []byte(dir)) }) {
				r.folders++
			}
			l.rows, l.lines = append(l.rows, left[0]), append(l.lines, bytes.Clone(line.Bytes))
			if l.bytes += len(line.Bytes); l.bytes > 1<<20 || len(l.rows) > 1<<10 {
				flush()
			}
			left = left[1:]
		}
		if err != nil {
			break
		}
	}
	flush()
	wait.Wait()
	return errors.Join(r.err, err, r.ctx.Err())
}

// judge reads documents, and compares them with their tokens.
func (r *textReader) judge(path string, l *lot) {
	for i, row := range l.rows {
		f, err := r.one(path, row, l.lines[i])
		r.facts[row.index] = f
		if err != nil {
			r.mu.Lock()
			if r.err == nil || row.index < r.row {
				r.err, r.row = err, row.index
			}
			r.mu.Unlock()
			return
		}
	}
}

func (r *textReader) one(path string, row row, line []byte) (facts, error) {
	var d data.Document
	if err := data.ParseDocument(line, &d); err != nil {
		return facts{}, fmt.Errorf("%s, line %d: %w", path, row.loc, err)
	}
	f := factsOf(&d)
	if r.enc == nil {
		return f, nil
	}
	ids := make([]int32, row.end-row.start)
	if err := r.ids.Read(ids, int(row.start)); err != nil {
		return f, err
	}
	r.mu.Lock()
	ends := r.ends
	r.mu.Unlock()
	ok, err := ends.Encodes(r.enc, d.Text, ids)
	if err != nil {
		return f, fmt.Errorf("%s, line %d: %w", path, row.loc, err)
	}
	r.mu.Lock()
	ok = ok && r.ends.Agree(ends)
	r.mu.Unlock()
	if !ok {
		return f, fmt.Errorf("%s, line %d: document %q does not encode to its tokens, %d to %d of %s\nhint: the file was changed since, or other documents than these were encoded; --without documents leaves the texts out", path, row.loc, d.ID, row.start, row.end, r.ids.Path())
	}
	return f, nil
}

// factsOf are what a document says of itself.
func factsOf(d *data.Document) facts {
	sum := proof.Sum([]byte(d.Text))
	f := facts{Text: sum.String(), Source: d.Source, Created: d.Created}
	type told struct {
		URL     any `json:"url"`
		License any `json:"license"`
	}
	for _, text := range [][]byte{d.Metadata, d.Raw} {
		var t told
		if json.Unmarshal(data.Object(text), &t) != nil {
			continue
		}
		if s, ok := t.URL.(string); ok && f.URL == "" {
			f.URL = s
		}
		if f.License == "" {
			f.License = licenseOf(t.License)
		}
	}
	return f
}

// licenseOf is the license that a document names, or several.
func licenseOf(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case []any:
		var all []string
		for _, one := range v {
			if s, ok := one.(string); ok && strings.TrimSpace(s) != "" {
				all = append(all, strings.TrimSpace(s))
			}
		}
		return strings.Join(all, ", ")
	}
	return ""
}

// bare is an address without user, query and fragment.
func bare(address string) string {
	if i := strings.IndexAny(address, "?#"); i >= 0 {
		address = address[:i]
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	}
	server, below, more := strings.Cut(rest, "/")
	server = server[strings.LastIndexByte(server, '@')+1:]
	if ok {
		server = scheme + "://" + server
	}
	if more {
		server += "/" + below
	}
	return server
}

// marks are the rows of attributes beside documents, which tell of personal data.
type marks struct {
	readers []*data.Reader
}

// personal are the kinds of personal data that taggers mark.
var personal = []string{"__EMAIL_ADDRESS", "__PHONE_NUMBER", "__IP_ADDRESS"}

// openMarks opens the attributes beside a file of documents that tell of personal data.
func openMarks(path string) *marks {
	m := &marks{}
	folder, _, err := data.AttributeFolder(path, "x")
	if err != nil || store.Remote(path) {
		return m
	}
	entries, err := os.ReadDir(filepath.Dir(folder))
	if err != nil {
		return m // there are none
	}
	for _, e := range entries {
		rows, err := data.AttributePath(path, e.Name())
		if err != nil || !tellsOfPeople(rows) {
			continue
		}
		if r, err := data.OpenReader(rows); err == nil {
			m.readers = append(m.readers, r)
		}
	}
	return m
}

// tellsOfPeople tells whether attributes are of a tagger of personal data, by the first rows that have
// any.
func tellsOfPeople(path string) bool {
	r, err := data.OpenReader(path)
	if err != nil {
		return false
	}
	defer r.Close()
	for range 1000 {
		line, err := r.NextLine()
		if err != nil {
			return false
		}
		if slices.ContainsFunc(personal, func(kind string) bool { return bytes.Contains(line.Bytes, []byte(kind)) }) {
			return true
		}
	}
	return false
}

// next reads the rows of the next document.
func (m *marks) next() (marked, judged bool, err error) {
	for _, r := range m.readers {
		line, err := r.NextLine()
		if errors.Is(err, io.EOF) {
			continue
		}
		var row data.AttributeRow
		if err == nil {
			err = data.ParseAttributes(line.Bytes, &row)
		}
		if err != nil {
			return false, false, err
		}
		judged = true
		for _, a := range row.Attributes {
			if len(a.Spans) > 0 && slices.ContainsFunc(personal, func(kind string) bool { return strings.HasSuffix(a.Name, kind) }) {
				marked = true
			}
		}
	}
	return marked, judged, nil
}

func (m *marks) close() {
	for _, r := range m.readers {
		r.Close()
	}
}
