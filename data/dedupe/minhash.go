package dedupe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"olmo/data"
	"olmo/internal/memory"
)

// MinHash marks documents that resemble an earlier one: those whose MinHash
// signatures of word n-grams agree in all values of at least one bucket, and
// those connected by such pairs. Two documents whose n-grams overlap by s
// (Jaccard) meet with probability 1 − (1 − s^r)^b, for b buckets of r hashes:
// with the defaults one half at s = 0.70.
//
// Broder 1997; parameters and normalisation as in datatrove 0.10.1
// (pipeline/dedup/minhash.py, utils/text.py), but words by UAX #29 and other
// hash functions.
type MinHash struct {
	AttributeName   string `yaml:"attribute_name" json:"attribute_name" help:"name of the attribute"`
	NgramLength     int    `yaml:"ngram_length" limits:"1..1000000" json:"ngram_length" help:"words in an n-gram"`
	Buckets         int    `yaml:"buckets" limits:"1..4096" json:"buckets" help:"buckets; more find less similar documents"`
	HashesPerBucket int    `yaml:"hashes_per_bucket" limits:"1..1024" json:"hashes_per_bucket" help:"hashes that must agree in a bucket; more find fewer documents"`
	Seed            uint64 `yaml:"seed" limits:"0.." json:"seed" help:"chooses the hash functions"`
	// Passes over the corpus, each for a part of the buckets. A pass needs
	// memory for 8 bytes a document and bucket.
	Passes int `yaml:"passes" limits:"1..4096" json:"passes" help:"times the corpus is read, to need less memory"`
}

// SetDefaults sets datatrove's defaults.
func (m *MinHash) SetDefaults() {
	m.NgramLength, m.Buckets, m.HashesPerBucket, m.Seed, m.Passes = 5, 14, 8, 1, 1
}

func (m *MinHash) check() error {
	switch {
	case m.NgramLength <= 0 || m.Buckets <= 0 || m.HashesPerBucket <= 0 || m.Passes <= 0:
		return fmt.Errorf("dedupe.minhash: ngram_length %d, buckets %d, hashes_per_bucket %d and passes %d must be positive", m.NgramLength, m.Buckets, m.HashesPerBucket, m.Passes)
	case m.Buckets > 1<<12 || m.HashesPerBucket > 1<<10:
		return fmt.Errorf("dedupe.minhash: %d buckets of %d hashes are more than %d of %d", m.Buckets, m.HashesPerBucket, 1<<12, 1<<10)
	case m.Passes > m.Buckets:
		return fmt.Errorf("dedupe.minhash: %d passes for %d buckets", m.Passes, m.Buckets)
	}
	return nil
}

// signer computes the bucket keys of documents for some of the buckets.
type signer struct {
	ngram, perBucket int
	mul, add         []uint64 // of each hash function
}

// newSigner makes the hash functions of buckets [from, to).
func (m *MinHash) newSigner(from, to int) *signer {
	s := &signer{ngram: m.NgramLength, perBucket: m.HashesPerBucket}
	seed := m.Seed
	for i := range to * m.HashesPerBucket {
		mul, add := splitmix64(&seed)|1, splitmix64(&seed)
		if i >= from*m.HashesPerBucket {
			s.mul, s.add = append(s.mul, mul), append(s.add, add)
		}
	}
	return s
}

// signature is the working memory for one document.
type signature struct {
	grams gramWalk
	least []uint64 // per hash function
}

const fnvOffset, fnvPrime = 14695981039346656037, 1099511628211

// wordHash hashes a word as normalised text: small letters, without
// diacritics, a number as 0. ok is false for what is no word: white space and
// punctuation.
func wordHash(w string) (hash uint64, ok bool) {
	hash = fnvOffset
	digits := true
	for i := 0; i < len(w); i++ {
		c := w[i]
		if c >= utf8.RuneSelf {
			return longWordHash(w)
		}
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
			fallthrough
		case c >= 'a' && c <= 'z':
			ok, digits = true, false
		case c >= '0' && c <= '9':
			ok = true
		default: // punctuation inside a word, as in it's or 1,000
			continue
		}
		hash = (hash ^ uint64(c)) * fnvPrime
	}
	if ok && digits {
		hash = fnvOffset ^ '0'
		hash *= fnvPrime
	}
	return hash, ok
}

// longWordHash is wordHash for a word that is not ASCII.
func longWordHash(w string) (hash uint64, ok bool) {
	hash = fnvOffset
	digits := true
	for _, r := range norm.NFD.String(w) {
		switch {
		case unicode.IsLetter(r):
			ok, digits = true, false
		case unicode.IsDigit(r):
			ok = true
		default:
			continue
		}
		hash = (hash ^ uint64(unicode.ToLower(r))) * fnvPrime
	}
	if ok && digits {
		hash = fnvOffset ^ '0'
		hash *= fnvPrime
	}
	return hash, ok
}

// appendKeys appends one key a bucket. A text with fewer words than an n-gram
// is one n-gram; one without words gets keys that no other has.
func (s *signer) appendKeys(dst []uint64, sig *signature, text string) (_ []uint64, wordless bool) {
	sig.least = sig.least[:0]
	for range s.mul {
		sig.least = append(sig.least, math.MaxUint64)
	}
	sign := func(h uint64, _, _, _ int) {
		mul, add, least := s.mul, s.add[:len(s.mul)], sig.least[:len(s.mul)]
		for j := range mul {
			least[j] = min(least[j], mul[j]*h+add[j])
		}
	}
	switch n := sig.grams.each(text, s.ngram, sign); {
	case n == 0:
		return dst, true
	case n < s.ngram:
		sign(gramHash(sig.grams.hashes), 0, 0, 0)
	}
	for i := 0; i < len(sig.least); i += s.perBucket {
		key := uint64(fnvOffset)
		for _, v := range sig.least[i : i+s.perBucket] {
			key = foldedMultiply(key^v, ahashMultiple)
		}
		dst = append(dst, key)
	}
	return dst, false
}

// similar is the state of one run of MinHash.
type similar struct {
	*run
	set     *MinHash
	parents []uint32 // the document that each belongs to; its own number for the first of a cluster
	// expected is the number of documents, where memory is bounded.
	expected int
}

// minHashBytes is what a pass needs for each document beside its keys: its
// number, its place in the order of a bucket, its cluster.
const minHashBytes = 3 * 4

// plan takes as many passes as the memory asks for, and tells it.
func (s *similar) plan(ctx context.Context) error {
	most := s.cfg.memory
	if most == 0 {
		s.cfg.Logf("MinHash: %d bytes of memory a document, %d passes over the corpus", 8*((s.set.Buckets+s.set.Passes-1)/s.set.Passes)+minHashBytes+4, s.set.Passes)
		return nil
	}
	s.cfg.Logf("counting documents, because memory is bounded")
	err := eachDocument(ctx, s.run, func(docs []data.Document) int { return len(docs) }, func(n int) error {
		s.expected += n
		return nil
	})
	if err != nil {
		return err
	}
	need := func(passes int) int {
		return s.expected * (8*((s.set.Buckets+passes-1)/passes) + minHashBytes)
	}
	passes := s.set.Passes
	for passes < s.set.Buckets && need(passes) > most {
		passes++
	}
	if need(passes) > most {
		return fmt.Errorf("MinHash of %d documents takes %s in %d passes, memory allows %s\nhint: give it more, or cut the corpus and run on its parts", s.expected, memory.Text(uint64(need(passes))), passes, memory.Text(uint64(most)))
	}
	if err := memory.Room(fmt.Sprintf("MinHash of %d documents in %d passes", s.expected, passes), uint64(need(passes))); err != nil {
		return fmt.Errorf("%w\nhint: give --memory less than that; more passes do with less", err)
	}
	s.set.Passes = passes
	s.cfg.Logf("MinHash of %d documents: %s of memory, %d passes over the corpus", s.expected, memory.Text(uint64(need(passes))), passes)
	s.report.TableBytes = need(passes)
	return nil
}

// root finds the first document of a cluster.
func (s *similar) root(i uint32) uint32 {
	for s.parents[i] != i {
		s.parents[i] = s.parents[s.parents[i]]
		i = s.parents[i]
	}
	return i
}

// join makes one cluster of two; the earlier document stays its first.
func (s *similar) join(a, b uint32) {
	a, b = s.root(a), s.root(b)
	s.parents[max(a, b)] = min(a, b)
}

// signed is what a worker makes of a batch.
type signed struct {
	keys     []uint64 // of the documents that have words, one a bucket
	wordless []bool   // per document
}

// find joins the documents of all files into clusters.
func (s *similar) find(ctx context.Context) error {
	defer boundGarbage(s.report.TableBytes)()
	s.report.Passes = s.set.Passes
	for pass := range s.set.Passes {
		from, to := pass*s.set.Buckets/s.set.Passes, (pass+1)*s.set.Buckets/s.set.Passes
		sign := s.set.newSigner(from, to)
		work := func(docs []data.Document) *signed {
			out := &signed{}
			var sig signature
			for _, d := range docs {
				var none bool
				out.keys, none = sign.appendKeys(out.keys, &sig, d.Text)
				out.wordless = append(out.wordless, none)
			}
			return out
		}
		var numbers []uint32 // of the documents that have words
		keys := make([][]uint64, to-from)
		documents := 0
		if s.expected > 0 {
			numbers = make([]uint32, 0, s.expected)
			for i := range keys {
				keys[i] = make([]uint64, 0, s.expected)
			}
		}
		err := eachDocument(ctx, s.run, work, func(b *signed) error {
			for _, none := range b.wordless {
				if documents == math.MaxUint32 {
					return fmt.Errorf("there are more than %d documents\nhint: cut the corpus and run on its parts", uint32(math.MaxUint32))
				}
				if !none {
					// The tables grow by doubling at most, up to what expected says.
					if n := len(numbers); n == cap(numbers) && n >= 1<<20 {
						if err := memory.Room(fmt.Sprintf("MinHash of more than %d documents", n), uint64(n)*uint64(8*len(keys)+4)); err != nil {
							return fmt.Errorf("%w\nhint: --memory takes several passes over the corpus", err)
						}
					}
					numbers = append(numbers, uint32(documents))
					for i := range keys {
						keys[i] = append(keys[i], b.keys[i])
					}
					b.keys = b.keys[len(keys):]
				}
				documents++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if pass == 0 {
			s.parents = make([]uint32, documents)
			for i := range s.parents {
				s.parents[i] = uint32(i)
			}
		} else if documents != len(s.parents) {
			return fmt.Errorf("the corpus had %d documents, now it has %d: %w", len(s.parents), documents, data.ErrChanged)
		}
		order := make([]uint32, len(numbers))
		for i := range keys {
			k := keys[i]
			keys[i] = nil
			for j := range order {
				order[j] = uint32(j)
			}
			slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(k[a], k[b]) })
			for j := 1; j < len(order); j++ {
				if k[order[j]] == k[order[j-1]] {
					s.join(numbers[order[j-1]], numbers[order[j]])
				}
			}
		}
	}
	return nil
}

// named is a document in the pass that writes.
type named struct {
	id    string
	chars int
}

// namedBatch is the documents of a batch, and their lines.
type namedBatch struct {
	rows  []named
	lines []data.Line
}

// write writes the attributes of all files.
func (s *similar) write(ctx context.Context) error {
	work := func(b *docBatch) (namedBatch, error) {
		rows := make([]named, 0, len(b.Lines))
		b.each(func(d *data.Document) { rows = append(rows, named{d.ID, codePoints(d.Text)}) })
		return namedBatch{rows, b.good}, nil
	}
	told := &clusters{}
	if s.cfg.marker == nil { // the lines of a stage that reads for this one may be gone
		told = s.choose()
	}
	name := append(data.AppendString(nil, s.set.AttributeName), `:[[0,`...)
	next := 0 // number of the next document
	err := writeRows(ctx, s.run, work, func(dst []byte, b namedBatch) ([]byte, error) {
		rows := b.rows
		if next+len(rows) > len(s.parents) {
			return nil, fmt.Errorf("there are more than the %d documents that were compared: %w", len(s.parents), data.ErrChanged)
		}
		for i, d := range rows {
			if k, ok := told.of[uint32(next)]; ok {
				var whole data.Document
				if err := data.ParseDocument(b.lines[i].Bytes, &whole); err != nil {
					return nil, err
				}
				told.add(k, s.marking, d.id, whole.Text)
			}
			dst = append(dst, `{"attributes":{`...)
			s.now.Documents++
			s.now.Keys++
			if s.root(uint32(next)) != uint32(next) {
				dst = append(dst, name...)
				dst = strconv.AppendInt(dst, int64(d.chars), 10)
				dst = append(dst, `,1]]`...)
				s.now.Duplicates++
				s.now.Affected++
				s.now.Characters += int64(d.chars)
			}
			dst = append(dst, `},"id":`...)
			dst = data.AppendString(dst, d.id)
			dst = append(dst, '}', '\n')
			next++
		}
		s.cfg.Progress.Documents.Add(int64(len(rows)))
		return dst, nil
	})
	s.report.Clusters = told.list
	if err == nil && next != len(s.parents) {
		err = fmt.Errorf("the corpus had %d documents, now it has %d: %w", len(s.parents), next, data.ErrChanged)
	}
	return err
}
