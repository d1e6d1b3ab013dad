package dedupe

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	template "github.com/DataDog/datadog-agent/pkg/template/html"
	"github.com/clipperhouse/uax29/v2/words"

	"olmo/data"
	"olmo/page"
)

// Cluster is some documents that resemble each other, as MinHash found them.
type Cluster struct {
	Documents int      `json:"documents"` // all of them
	Members   []Member `json:"members"`   // the first few, the one that is kept first
}

// Member is a document of a cluster.
type Member struct {
	File string `json:"file"`
	ID   string `json:"id"`
	// Share is how many word n-grams it has in common with the first member, of those
	// that either has: Jaccard's index, which MinHash estimates.
	Share float64 `json:"share"`
	// Text is how the document begins, in pieces that the first member has too, and pieces
	// that it has not; of the first member, that the second has.
	Text []Piece `json:"text"`
}

// Piece is a piece of a text.
type Piece struct {
	Text string `json:"text"`
	Own  bool   `json:"own,omitempty"` // the other has it not
}

// The largest clusters are told, and of each so many documents, with so much of their texts
// in code points.
const maxClusters, maxMembers, maxMemberText = 20, 4, 700

// clusters collects the documents of the largest clusters while rows are written.
type clusters struct {
	ngram  int
	list   []Cluster
	of     map[uint32]int // the cluster of a document that is told, by its number
	first  []grams        // of the first members
	opener []string       // how they begin
}

// choose finds the largest clusters, of equal ones the earlier.
func (s *similar) choose() *clusters {
	c := &clusters{ngram: s.set.NgramLength, of: map[uint32]int{}}
	// As many numbers as the order of a bucket had, which is gone.
	sizes := make([]uint32, len(s.parents))
	for i := range s.parents {
		sizes[s.root(uint32(i))]++
	}
	var roots []uint32
	for r, n := range sizes {
		k := len(roots)
		for k > 0 && sizes[roots[k-1]] < n {
			k--
		}
		if n > 1 && k < maxClusters {
			roots = slices.Insert(roots, k, uint32(r))
			roots = roots[:min(len(roots), maxClusters)]
		}
	}
	number := map[uint32]int{}
	for i, r := range roots {
		number[r] = i
		c.list = append(c.list, Cluster{Documents: int(sizes[r])})
	}
	c.first, c.opener = make([]grams, len(c.list)), make([]string, len(c.list))
	told := make([]int, len(c.list))
	for i := range s.parents {
		if k, ok := number[s.root(uint32(i))]; ok && told[k] < maxMembers {
			c.of[uint32(i)] = k
			told[k]++
		}
	}
	return c
}

// add takes up a document that is told. The documents of a cluster come in order.
func (c *clusters) add(k int, file, id, text string) {
	begins := strings.Clone(data.Excerpt(text, maxMemberText))
	own, m := gramsOf(text, c.ngram), Member{File: file, ID: id, Share: 1}
	cluster := &c.list[k]
	switch len(cluster.Members) {
	case 0:
		c.first[k], c.opener[k] = own, begins
		m.Text = []Piece{{Text: begins}}
	case 1:
		cluster.Members[0].Text = pieces(c.opener[k], c.ngram, own)
		fallthrough
	default:
		m.Share = own.share(c.first[k])
		m.Text = pieces(begins, c.ngram, c.first[k])
	}
	cluster.Members = append(cluster.Members, m)
}

// grams are the different word n-grams of a text, by their hashes, in order.
type grams []uint64

func (g grams) has(hash uint64) bool {
	_, ok := slices.BinarySearch(g, hash)
	return ok
}

// wordsOf are the hashes of a text's words, and where each begins and ends.
func wordsOf(text string) (hashes []uint64, places [][2]int) {
	for it := words.FromString(text); it.Next(); {
		if h, ok := wordHash(it.Value()); ok {
			hashes, places = append(hashes, h), append(places, [2]int{it.Start(), it.End()})
		}
	}
	return hashes, places
}

func gramsOf(text string, n int) grams {
	var walk gramWalk
	var g grams
	most := 1 << 16 // so many are listed before equal ones go
	add := func(h uint64) {
		if g = append(g, h); len(g) >= most {
			slices.Sort(g)
			g = slices.Compact(g)
			most = max(most, 2*len(g))
		}
	}
	if count := walk.each(text, n, func(h uint64, _, _, _ int) { add(h) }); count < n {
		add(gramHash(walk.hashes))
	}
	slices.Sort(g)
	return slices.Compact(g)
}

// share is Jaccard's index of two texts.
func (g grams) share(o grams) float64 {
	both := 0
	for i, j := 0, 0; i < len(g) && j < len(o); {
		switch cmp.Compare(g[i], o[j]) {
		case 0:
			both, i, j = both+1, i+1, j+1
		case -1:
			i++
		default:
			j++
		}
	}
	return float64(both) / float64(max(len(g)+len(o)-both, 1))
}

// pieces cuts a text where it has what another has and where it has its own: words that
// stand in no n-gram that both have.
func pieces(text string, n int, other grams) []Piece {
	list, places := wordsOf(text)
	shared := make([]bool, len(list))
	n = min(n, len(list))
	for i := range len(list) - n + 1 {
		if other.has(gramHash(list[i : i+n])) {
			for k := i; k < i+n; k++ {
				shared[k] = true
			}
		}
	}
	var out []Piece
	add := func(s string, own bool) {
		if s == "" {
			return
		}
		if k := len(out) - 1; k >= 0 && out[k].Own == own {
			out[k].Text += s
			return
		}
		out = append(out, Piece{s, own})
	}
	at := 0
	for i, p := range places {
		// What stands between two own words is own too.
		add(text[at:p[0]], i > 0 && !shared[i-1] && !shared[i])
		add(text[p[0]:p[1]], !shared[i])
		at = p[1]
	}
	add(text[at:], false)
	return out
}

//go:embed clusters.html.tmpl
var clustersText string

var clustersPage = page.MustParse(clustersText, template.FuncMap{
	"share": func(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) },
})

// WriteHTML writes the clusters that MinHash found as a page that needs no other file:
// the documents of each beside one another, with what differs.
func (r *Report) WriteHTML(w io.Writer) error { return clustersPage.Write(w, r) }
