package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/data/tokens"
)

// tokenFolder checks the token files of a folder, each with its places, and that they fit
// together: one type, no number left out.
func (c *checker) tokenFolder(path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		c.damage(path, err)
		return
	}
	types := map[tokens.DType]string{} // a file of each
	parts := map[string][]int{}
	placed, bare := "", []string{} // a file with places, and those without
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		switch {
		case hidden(e.Name()):
		case strings.HasSuffix(e.Name(), ".npy"):
			if p, err := look(file); err == nil && hasPrefix("\x93NUMPY")(p) {
				c.weights(file)
				continue
			}
			if exists(tokens.PlacesPath(file)) {
				placed = e.Name()
			} else {
				bare = append(bare, file)
			}
			if dtype := c.tokensOf(file); dtype != "" {
				if types[dtype] == "" {
					types[dtype] = e.Name()
				}
			}
			if m := partName().FindStringSubmatch(e.Name()); m != nil {
				n, _ := strconv.Atoi(m[2])
				parts[m[1]] = append(parts[m[1]], n)
			}
		case strings.HasSuffix(e.Name(), ".csv.gz"):
			if tokens := strings.TrimSuffix(file, ".csv.gz") + ".npy"; !exists(tokens) && !c.told(tokens) {
				c.problem(Missing, tokens, "%s is missing, of which %s tells the places", filepath.Base(tokens), e.Name())
			}
		case strings.HasSuffix(e.Name(), leavesSuffix):
			if tokens := strings.TrimSuffix(file, ".leaves"); !exists(tokens) && !c.told(tokens) {
				c.leavesFile(file)
			}
		default:
			c.one(file)
		}
	}
	for _, file := range bare {
		if places := tokens.PlacesPath(file); placed != "" && !c.told(places) {
			c.problem(Missing, places, "%s is missing: it tells the documents of %s, as others of the folder have theirs", filepath.Base(places), filepath.Base(file))
		}
	}
	if len(types) > 1 {
		var all []string
		for dtype, file := range types {
			all = append(all, fmt.Sprintf("%s is %s", file, dtype))
		}
		slices.Sort(all)
		c.problem(Tokens, path, "the files have several types: %s", strings.Join(all, ", "))
	}
	for part, numbers := range parts {
		slices.Sort(numbers)
		for i, n := range numbers {
			if n != i {
				name := fmt.Sprintf("%s-%05d.npy", part, i)
				if !c.told(filepath.Join(path, name)) {
					c.problem(Missing, filepath.Join(path, name), "%s is missing: the files go on after it", name)
				}
				break
			}
		}
	}
}

// partName is how stages name token files: the group's part and a number.
var partName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(part-\d+)-(\d{5})\.npy$`)
})

// tokenFile checks one token file with its places.
func (c *checker) tokenFile(path string) { c.tokensOf(path) }

// places checks the places of a token file, and so the file.
func (c *checker) places(path string) {
	file := strings.TrimSuffix(strings.TrimSuffix(path, ".gz"), ".csv") + ".npy"
	if exists(file) {
		c.tokensOf(file)
		return
	}
	c.problem(Missing, file, "%s is missing, of which %s tells the places", filepath.Base(file), filepath.Base(path))
	c.documentsOf(path)
}

// span is where a document lies in a token file.
type span struct{ start, end int64 }

// documentsOf reads the places of a token file's documents, which must follow each other
// without gaps; ok tells that all could be read.
func (c *checker) documentsOf(path string) (spans []span, ok bool) {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return nil, false
	}
	c.count(path, st.Size())
	at, row, gaps := int64(0), int64(0), 0
	err = tokens.ReadRows(path, func(p tokens.Place) error {
		row++
		if p.Start != at || p.End < p.Start {
			if gaps++; gaps <= mostListed {
				f := c.problem(Tokens, path, "row %d has document %q at tokens %d to %d, the one before ends at %d", row, p.ID, p.Start, p.End, at)
				f.Document, f.Line = p.ID, row
			}
		}
		at = max(p.Start, p.End)
		spans = append(spans, span{p.Start, p.End})
		return c.ctx.Err()
	})
	if err != nil {
		c.damage(path, err)
		return spans, false
	}
	c.more(path, gaps, "rows")
	c.report.Checked.Documents += row
	return spans, gaps == 0
}

// mostListed bounds how many faults of one kind are listed of one file.
const mostListed = 100

// more tells how many faults were not listed.
func (c *checker) more(path string, faults int, of string) {
	if faults > mostListed {
		c.note(path, "%d more %s are wrong and not listed", faults-mostListed, of)
	}
}

// tokensOf checks a token file: as long as its places say, with ids that can be. It returns
// the type of the ids, empty where nothing tells it.
func (c *checker) tokensOf(path string) tokens.DType {
	st, err := os.Stat(path)
	if err != nil {
		c.damage(path, err)
		return ""
	}
	c.count(path, st.Size())
	places := tokens.PlacesPath(path)
	if !exists(places) {
		places = strings.TrimSuffix(places, ".gz")
	}
	if _, err := os.Stat(places); errors.Is(err, fs.ErrNotExist) {
		if places = tokens.PlacesPath(path); !c.told(places) && !c.compared(path) {
			odd := ""
			if st.Size()%2 != 0 {
				odd = fmt.Sprintf("; %d bytes can only be uint8, or something is cut off", st.Size())
			}
			c.note(path, "nothing to compare with: no %s tells its documents, and so the type of its ids%s", filepath.Base(places), odd)
		}
		return ""
	}
	spans, ok := c.documentsOf(places)
	if !ok {
		return ""
	}
	n := int64(0)
	if len(spans) > 0 {
		n = spans[len(spans)-1].end
	}
	dtype := dtypeOf(st.Size(), n)
	if dtype == "" {
		c.wrongSize(path, filepath.Base(places), st.Size(), n)
		return ""
	}
	c.report.Checked.Tokens += n
	judged := c.leaves(path, dtype, len(spans))
	if !c.compared(path) {
		c.ids(path, dtype, spans)
		if !judged {
			c.form(path)
		}
	}
	return dtype
}

// dtypes are the types of ids, smallest first.
var dtypes = []tokens.DType{tokens.Uint8, tokens.Uint16, tokens.Uint32, tokens.Uint64}

// dtypeOf is the type that makes a file of size bytes hold n tokens; empty: none does.
func dtypeOf(size, n int64) tokens.DType {
	if n == 0 && size == 0 {
		return tokens.Uint16
	}
	for _, d := range dtypes {
		if n > 0 && size == n*int64(d.Size()) {
			return d
		}
	}
	return ""
}

// wrongSize reports a token file that its places do not fit.
func (c *checker) wrongSize(path, places string, size, n int64) {
	if n > 0 {
		for _, d := range dtypes {
			// A file that lost its end lacks less than half of it, mostly.
			if want := n * int64(d.Size()); size < want && size > want/2 {
				c.problem(Truncated, path, "%s has %d bytes; the %d tokens of %s take %d as %s: it is cut off, or they are not of one run", c.rel(path), size, n, places, want, d)
				return
			}
		}
	}
	c.problem(Tokens, path, "%s has %d bytes, which is no whole number of bytes for each of the %d tokens of %s: they are not of one run, or one is cut off", c.rel(path), size, n, places)
}

// ids reads a token file to its end. Documents begin or end with one id, mostly: a file
// of other documents does not.
func (c *checker) ids(path string, dtype tokens.DType, spans []span) {
	f, err := tokens.Open(path, dtype)
	if err != nil {
		c.damage(path, err)
		return
	}
	defer f.Close()
	if dtype != tokens.Uint8 && dtype != tokens.Uint16 {
		buf := make([]int32, 1<<16)
		for at := 0; at < f.Len(); at += len(buf) {
			if err := f.Read(buf[:min(len(buf), f.Len()-at)], at); err != nil {
				c.problem(Tokens, path, "%v", err)
				return
			}
		}
	}
	var last, first [1]int32
	ends, begins := map[int32]int{}, map[int32]int{}
	documents := 0
	for _, s := range spans {
		if s.end == s.start {
			continue
		}
		documents++
		if err := errors.Join(f.Read(first[:], int(s.start)), f.Read(last[:], int(s.end-1))); err != nil {
			c.damage(path, err)
			return
		}
		ends[last[0]]++
		begins[first[0]]++
	}
	if most(ends) < documents && most(begins) < documents {
		c.note(path, "its documents neither all begin nor all end with one token: of %d, %d end with the same", documents, most(ends))
	}
}

func most(counts map[int32]int) int {
	n := 0
	for _, k := range counts {
		n = max(n, k)
	}
	return n
}
