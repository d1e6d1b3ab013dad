package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/publicsuffix"

	"olmo/data"
)

// tally counts documents.
type tally struct {
	Documents, Tokens int64
	Bytes             int64  // of texts, as UTF-8
	First, Last       string // days, empty where no document has one
}

func (t *tally) add(m *manifestLine, size int64) {
	t.Documents++
	t.Tokens += m.End - m.Start
	t.Bytes += size
	if day := dayOf(m.Created); day != "" {
		if t.First == "" || day < t.First {
			t.First = day
		}
		t.Last = max(t.Last, day)
	}
}

// named is a tally under a name, which is empty for the documents that say none.
type named struct {
	Name string
	tally
}

// corpus is what the documents that a model was trained on come to.
type corpus struct {
	known bool // there is a manifest; without one nothing else is known
	texts bool // the text of every document was there; else no bytes are known
	tally
	Dated    int64 // documents with a day
	Sources  []named
	Licenses []named
	// Languages are those that the documents name; Domains, with the hosts of crawled sources,
	// are all that there are. All four lists: the largest first.
	Languages []named
	Domains   []named
}

// manifestLine is a line of the data manifest, a document of the token files.
type manifestLine struct {
	Start      int64  `json:"start"`
	End        int64  `json:"end"`
	TextSHA256 string `json:"text_sha256"`
	Source     string `json:"source"`
	URL        string `json:"url"`
	License    string `json:"license"`
	Created    string `json:"created"`
}

// sized is what is kept of a document's text.
type sized struct {
	bytes    int64
	language int32 // its number among the languages
}

// textKey is the beginning of a text's SHA-256: enough to tell the texts of any corpus apart, and half the memory.
type textKey [16]byte

// readData counts the documents of the manifest, with the sizes of their texts.
func (f *facts) readData(dir string) (corpus, error) {
	path := f.in.Manifest
	if path == "" {
		if path = filepath.Join(dir, filepath.FromSlash(manifestFile)); !f.has(manifestFile) {
			return corpus{}, nil
		}
	}
	files := f.in.Documents
	if files == nil {
		for _, x := range f.below(documentsFolder) {
			files = append(files, filepath.Join(dir, filepath.FromSlash(x.Path)))
		}
	}
	texts, languages, err := readTexts(files)
	if err != nil {
		return corpus{}, err
	}
	r, err := data.OpenReader(path)
	if err != nil {
		return corpus{}, err
	}
	defer r.Close()
	c := corpus{known: true, texts: true}
	sources, licenses, spoken, domains := map[string]*tally{}, map[string]*tally{}, map[string]*tally{}, map[string]*tally{}
	for {
		line, err := r.NextLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return corpus{}, err
		}
		var m manifestLine
		if err := json.Unmarshal(line.Bytes, &m); err != nil {
			return corpus{}, fmt.Errorf("%s, line %d: %w", path, line.Number, err)
		}
		t, ok := texts[keyOf(m.TextSHA256)]
		if !ok || m.TextSHA256 == "" {
			c.texts = false
		}
		if c.add(&m, t.bytes); dayOf(m.Created) != "" {
			c.Dated++
		}
		count(sources, m.Source, &m, t.bytes)
		count(licenses, m.License, &m, t.bytes)
		if ok {
			count(spoken, languages[t.language], &m, t.bytes)
		}
		if f.about.kind(m.Source) == "crawled" {
			if domain := domainOf(m.URL); domain != "" {
				count(domains, domain, &m, t.bytes)
			}
		}
	}
	if c.Documents == 0 {
		c.texts = false
	}
	c.Sources, c.Licenses, c.Languages, c.Domains = c.ordered(sources), c.ordered(licenses), c.ordered(spoken), c.ordered(domains)
	return c, nil
}

func count(in map[string]*tally, name string, m *manifestLine, size int64) {
	t := in[name]
	if t == nil {
		t = &tally{}
		in[name] = t
	}
	t.add(m, size)
}

// size is by what parts of the corpus are compared: their bytes, or tokens where bytes are not known.
func (c *corpus) size(t *tally) int64 {
	if c.texts {
		return t.Bytes
	}
	return t.Tokens
}

// ordered lists tallies, the largest first.
func (c *corpus) ordered(in map[string]*tally) []named {
	var out []named
	for name, t := range in {
		out = append(out, named{name, *t})
	}
	slices.SortFunc(out, func(a, b named) int {
		return cmp.Or(cmp.Compare(c.size(&b.tally), c.size(&a.tally)), strings.Compare(a.Name, b.Name))
	})
	return out
}

// share of the whole that a part is, by size, 0 to 1.
func (c *corpus) share(t *tally) float64 {
	whole := c.size(&c.tally)
	if whole == 0 {
		return 0
	}
	return float64(c.size(t)) / float64(whole)
}

func keyOf(digest string) (k textKey) {
	b, err := hex.DecodeString(digest)
	if err != nil || len(b) != sha256.Size {
		return k
	}
	return textKey(b[:len(k)])
}

// readTexts reads files of documents: of each text its size, and the language that its document names.
func readTexts(files []string) (map[textKey]sized, []string, error) {
	texts := map[textKey]sized{}
	languages, numbers := []string{""}, map[string]int32{"": 0}
	for _, file := range files {
		r, err := data.OpenReader(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("documents that were there a moment ago are gone: %w", err)
		}
		if err != nil {
			return nil, nil, err
		}
		for {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if bad := (*data.RecordError)(nil); errors.As(err, &bad) {
				continue // it is in no token file either
			}
			if err != nil {
				r.Close()
				return nil, nil, err
			}
			language := languageOf(d.Metadata)
			n, ok := numbers[language]
			if !ok {
				n = int32(len(languages))
				numbers[language] = n
				languages = append(languages, language)
			}
			sum := sha256.Sum256([]byte(d.Text))
			texts[textKey(sum[:len(textKey{})])] = sized{int64(len(d.Text)), n}
		}
		if err := r.Close(); err != nil {
			return nil, nil, err
		}
	}
	return texts, languages, nil
}

// languageCode is what the name of a language looks like: en, pt-BR, eng_Latn.
var languageCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}$`) })

// languageOf is the language that a document's metadata names; empty where there is none.
func languageOf(metadata json.RawMessage) string {
	var m struct {
		Language any `json:"language"`
		Lang     any `json:"lang"`
	}
	if json.Unmarshal(data.Object(metadata), &m) != nil {
		return ""
	}
	for _, v := range []any{m.Language, m.Lang} {
		if s, ok := v.(string); ok && languageCode().MatchString(s) {
			return s
		}
	}
	return ""
}

// dayOf is the day with which a time begins; empty where it begins with none.
func dayOf(created string) string {
	if len(created) < len(time.DateOnly) {
		return ""
	}
	day := created[:len(time.DateOnly)]
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return ""
	}
	return day
}

// domainOf is the registered domain of an address (the public suffix with one name before it), or
// the host as it stands where that is none; empty where there is no host.
func domainOf(address string) string {
	if !strings.Contains(address, "://") {
		address = "https://" + address // as NormalizeURL of data/warc writes it
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}
