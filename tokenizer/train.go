package tokenizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// TrainConfig says how a byte-level BPE is trained. VocabSize must be set.
type TrainConfig struct {
	// VocabSize counts everything: special tokens, the 256 bytes, merges.
	VocabSize int
	// PreTokenizer is "gpt2" (the default) or "cl100k": the expression that
	// cuts text into words, and the one that the tokenizer.json will name.
	PreTokenizer string
	// NFC normalises text first.
	NFC bool
	// MinFrequency is how often a pair must occur to be merged.
	MinFrequency int64
	// SpecialTokens take the first ids, in this order.
	SpecialTokens []string
	// MaxTokenLength, if positive, keeps pairs from being counted whose token
	// would be this long or longer in bytes (the reference's rule: pairs of
	// single bytes always count).
	MaxTokenLength int
	// Threads is how many goroutines cut text; 0 is one per processor. The
	// result does not depend on it.
	Threads int
	// Progress, if set, is told about the work now and then, from one
	// goroutine at a time.
	Progress func(TrainProgress)
}

// TrainProgress is how far training has come.
type TrainProgress struct {
	// Bytes and Documents have been read, Words distinct words found.
	Bytes, Documents int64
	Words            int
	// Merges of at most MaxMerges are done; both are 0 while reading.
	Merges, MaxMerges int
}

// Train learns a byte-level BPE from documents and returns it as a
// tokenizer.json. The merges are those of Hugging Face's BpeTrainer (0.23.3)
// with the ByteLevel alphabet: the most frequent pair first, of equals the one
// with the smaller ids. Memory is bounded by the distinct words.
func Train(ctx context.Context, docs iter.Seq2[string, error], cfg TrainConfig) ([]byte, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	words, err := countWords(ctx, docs, cfg)
	if err != nil {
		return nil, err
	}
	tr := newTrainer(words, cfg)
	if err := tr.run(ctx, words); err != nil {
		return nil, err
	}
	return tr.marshal(cfg), nil
}

func (cfg *TrainConfig) check() error {
	if cfg.PreTokenizer == "" {
		cfg.PreTokenizer = "gpt2"
	}
	if cfg.PreTokenizer != "gpt2" && cfg.PreTokenizer != "cl100k" {
		return fmt.Errorf("unknown pre-tokenizer %q; known are gpt2 and cl100k", cfg.PreTokenizer)
	}
	seen := map[string]bool{}
	for _, s := range cfg.SpecialTokens {
		if s == "" || !utf8.ValidString(s) {
			return fmt.Errorf("special token %q is empty or not UTF-8", s)
		}
		seen[s] = true
	}
	least := len(byteChar) + len(seen)
	for b := range byteChar {
		if seen[string(byteChar[b])] {
			least--
		}
	}
	if cfg.VocabSize < least {
		return fmt.Errorf("a vocabulary of %d is too small: the bytes and special tokens take %d", cfg.VocabSize, least)
	}
	if cfg.VocabSize > maxTokenID {
		return fmt.Errorf("a vocabulary of %d is too large: ids go up to %d", cfg.VocabSize, maxTokenID)
	}
	if cfg.Threads <= 0 {
		cfg.Threads = runtime.GOMAXPROCS(0)
	}
	return nil
}

// wordCounts counts distinct words: an open hash table over one long byte
// slice.
type wordCounts struct {
	text  []byte
	words []wordCount
	slots []int32 // index into words plus 1
}

type wordCount struct {
	start int
	len   int32
	hash  uint32
	count int64
}

func newWordCounts() *wordCounts { return &wordCounts{slots: make([]int32, 1<<12)} }

func (w *wordCounts) add(s string, count int64) {
	h := uint32(hashString(s))
	mask := uint32(len(w.slots) - 1)
	at := h & mask
	for ; w.slots[at] != 0; at = (at + 1) & mask {
		c := &w.words[w.slots[at]-1]
		if c.hash == h && int(c.len) == len(s) && string(w.text[c.start:c.start+int(c.len)]) == s {
			c.count += count
			return
		}
	}
	w.words = append(w.words, wordCount{len(w.text), int32(len(s)), h, count})
	w.text = append(w.text, s...)
	w.slots[at] = int32(len(w.words))
	if 2*len(w.words) > len(w.slots) {
		w.slots = make([]int32, 2*len(w.slots))
		mask = uint32(len(w.slots) - 1)
		for i := range w.words {
			at := w.words[i].hash & mask
			for w.slots[at] != 0 {
				at = (at + 1) & mask
			}
			w.slots[at] = int32(i + 1)
		}
	}
}

func (w *wordCounts) bytes(i int) []byte {
	c := &w.words[i]
	return w.text[c.start : c.start+int(c.len)]
}

// addText cuts a document into words and counts them.
func (w *wordCounts) addText(s string, words kind, nfc bool) {
	s = validText(s)
	if nfc {
		s, _ = composeText(s)
	}
	for i := 0; i < len(s); {
		end := words.scan(s, i)
		w.add(s[i:end], 1)
		i = end
	}
}

// countWords reads all documents. A few goroutines cut and count batches; their
// tables are joined at the end.
func countWords(ctx context.Context, docs iter.Seq2[string, error], cfg TrainConfig) (*wordCounts, error) {
	words := kindGPT2
	if cfg.PreTokenizer == "cl100k" {
		words = kindCL100K
	}
	batches := make(chan []string, cfg.Threads)
	tables := make([]*wordCounts, cfg.Threads)
	var wg sync.WaitGroup
	for i := range tables {
		tables[i] = newWordCounts()
		wg.Go(func() {
			for batch := range batches {
				for _, s := range batch {
					tables[i].addText(s, words, cfg.NFC)
				}
			}
		})
	}
	var p TrainProgress
	var failed error
	var batch []string
	size := 0
	last := time.Now()
	send := func() {
		if len(batch) > 0 {
			batches <- batch
			batch, size = nil, 0
		}
		if cfg.Progress != nil && time.Since(last) > 200*time.Millisecond {
			last = time.Now()
			cfg.Progress(p)
		}
	}
	for s, err := range docs {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			failed = err
			break
		}
		p.Documents++
		p.Bytes += int64(len(s))
		batch = append(batch, s)
		if size += len(s); size >= 1<<18 {
			send()
		}
	}
	send()
	close(batches)
	wg.Wait()
	if failed != nil {
		return nil, failed
	}
	all := tables[0]
	for _, t := range tables[1:] {
		for i := range t.words {
			all.add(string(t.bytes(i)), t.words[i].count)
		}
	}
	if len(all.words) > 1<<30 {
		return nil, errors.New("more than 2^30 distinct words")
	}
	if cfg.Progress != nil {
		p.Words = len(all.words)
		cfg.Progress(p)
	}
	return all, nil
}

// trainer holds the state of BPE training. The loop is that of the reference
// (models/bpe/trainer.rs, do_train), whose counts are never taken back: a pair
// keeps the count with which it was merged, and where two merges make the same
// token a pair can come up again with it.
type trainer struct {
	tokens []string // by id, in GPT-2's alphabet
	ids    map[string]int32
	length []int32 // by id, in bytes
	merges [][2]int32

	symbols []int32 // all words, each within starts[i], starts[i]+sizes[i]
	starts  []int
	sizes   []int32
	counts  []int64 // by word

	pairs     *pairTable // pair to index into the next ones
	pairCount []int64
	pairKeys  []uint64
	pairWords [][]int32 // words in which the pair is new since the last push
	touched   []int32   // pairs that have such words
	queue     []trainEntry

	maxLength int32
	cfg       TrainConfig
}

// trainEntry is a pair in the queue, with the words that it was queued for.
type trainEntry struct {
	count int64
	key   uint64
	words []int32
}

func (e *trainEntry) before(f *trainEntry) bool {
	if e.count != f.count {
		return e.count > f.count
	}
	return e.key < f.key
}

func newTrainer(words *wordCounts, cfg TrainConfig) *trainer {
	tr := &trainer{ids: map[string]int32{}, pairs: newPairTable(1 << 16), cfg: cfg, maxLength: 1<<31 - 1}
	if cfg.MaxTokenLength > 0 && cfg.MaxTokenLength < 1<<31 {
		tr.maxLength = int32(cfg.MaxTokenLength)
	}
	for _, s := range cfg.SpecialTokens {
		tr.token(s, 0)
	}
	alphabet := slices.Clone(byteChar[:])
	slices.Sort(alphabet)
	for _, r := range alphabet {
		tr.length[tr.token(string(r), 1)] = 1
	}
	var byteIDs [256]int32
	for b := range byteIDs {
		byteIDs[b] = tr.ids[string(byteChar[b])]
	}
	tr.symbols = make([]int32, 0, len(words.text))
	for i := range words.words {
		tr.starts = append(tr.starts, len(tr.symbols))
		tr.sizes = append(tr.sizes, words.words[i].len)
		tr.counts = append(tr.counts, words.words[i].count)
		for _, b := range words.bytes(i) {
			tr.symbols = append(tr.symbols, byteIDs[b])
		}
	}
	return tr
}

// token returns the id of s, giving it the next one if it is new.
func (tr *trainer) token(s string, length int32) int32 {
	id, ok := tr.ids[s]
	if !ok {
		id = int32(len(tr.tokens))
		tr.ids[s] = id
		tr.tokens = append(tr.tokens, s)
		tr.length = append(tr.length, length)
	}
	return id
}

// pair returns the index of a pair.
func (tr *trainer) pair(a, b int32) int32 {
	rank, i := tr.pairs.get(a, b)
	if rank != noPair {
		return i
	}
	i = int32(len(tr.pairCount))
	if 2*(tr.pairs.count+1) > len(tr.pairs.slots) {
		grown := newPairTable(2 * len(tr.pairs.slots))
		for j, key := range tr.pairKeys {
			grown.set(int32(key>>32), int32(uint32(key)), 0, int32(j))
		}
		tr.pairs = grown
	}
	tr.pairs.set(a, b, 0, i)
	tr.pairCount = append(tr.pairCount, 0)
	tr.pairKeys = append(tr.pairKeys, pairKey(a, b))
	tr.pairWords = append(tr.pairWords, nil)
	return i
}

// gain adds count to a pair that stands in a word.
func (tr *trainer) gain(a, b, word int32, count int64) {
	i := tr.pair(a, b)
	tr.pairCount[i] += count
	list := tr.pairWords[i]
	if len(list) == 0 {
		tr.touched = append(tr.touched, i)
	}
	if len(list) == 0 || list[len(list)-1] != word {
		tr.pairWords[i] = append(list, word)
	}
}

// enqueue moves the pairs with new words to the queue.
func (tr *trainer) enqueue() {
	for _, i := range tr.touched {
		if tr.pairCount[i] > 0 {
			tr.push(trainEntry{tr.pairCount[i], tr.pairKeys[i], tr.pairWords[i]})
		}
		tr.pairWords[i] = nil
	}
	tr.touched = tr.touched[:0]
}

func (tr *trainer) push(e trainEntry) {
	q := append(tr.queue, e)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&q[up]) {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = e
	tr.queue = q
}

func (tr *trainer) pop() trainEntry {
	q := tr.queue
	top := q[0]
	e := q[len(q)-1]
	q[len(q)-1] = trainEntry{}
	q = q[:len(q)-1]
	tr.queue = q
	if len(q) == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c >= len(q) {
			break
		}
		if c+1 < len(q) && q[c+1].before(&q[c]) {
			c++
		}
		if !q[c].before(&e) {
			break
		}
		q[i] = q[c]
		i = c
	}
	q[i] = e
	return top
}

func (tr *trainer) run(ctx context.Context, words *wordCounts) error {
	for w, start := range tr.starts {
		symbols := tr.symbols[start : start+int(tr.sizes[w])]
		for i := 1; i < len(symbols); i++ {
			tr.gain(symbols[i-1], symbols[i], int32(w), tr.counts[w])
		}
	}
	tr.enqueue()
	most := tr.cfg.VocabSize - len(tr.tokens)
	last := time.Now()
	report := func() {
		if tr.cfg.Progress != nil {
			tr.cfg.Progress(TrainProgress{Words: len(words.words), Merges: len(tr.merges), MaxMerges: most})
		}
	}
	for len(tr.tokens) < tr.cfg.VocabSize && len(tr.queue) > 0 {
		if time.Since(last) > 200*time.Millisecond {
			last = time.Now()
			report()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		top := tr.pop()
		a, b := int32(top.key>>32), int32(uint32(top.key))
		if now := tr.pairCount[tr.pair(a, b)]; top.count != now {
			top.count = now
			tr.push(top)
			continue
		}
		if top.count < 1 || top.count < tr.cfg.MinFrequency {
			break
		}
		id := tr.token(tr.tokens[a]+tr.tokens[b], 0)
		tr.length[id] = tr.length[a] + tr.length[b]
		tr.merges = append(tr.merges, [2]int32{a, b})
		for _, w := range top.words {
			tr.mergeWord(w, a, b, id)
		}
		tr.enqueue()
	}
	report()
	return nil
}

// mergeWord replaces every a, b in a word by id, from the left.
func (tr *trainer) mergeWord(w, a, b, id int32) {
	symbols := tr.symbols[tr.starts[w] : tr.starts[w]+int(tr.sizes[w])]
	count := tr.counts[w]
	length := tr.length[id]
	n := 0 // symbols[:n] is done
	for i := 0; i < len(symbols); {
		if symbols[i] != a || i+1 >= len(symbols) || symbols[i+1] != b {
			symbols[n] = symbols[i]
			n++
			i++
			continue
		}
		if n > 0 {
			before := symbols[n-1]
			tr.pairCount[tr.pair(before, a)] -= count
			if tr.length[before]+length < tr.maxLength {
				tr.gain(before, id, w, count)
			}
		}
		i += 2
		if i < len(symbols) {
			after := symbols[i]
			tr.pairCount[tr.pair(b, after)] -= count
			if tr.length[after]+length < tr.maxLength {
				tr.gain(id, after, w, count)
			}
		}
		symbols[n] = id
		n++
	}
	tr.sizes[w] = int32(n)
}

// marshal writes the tokenizer.json.
func (tr *trainer) marshal(cfg TrainConfig) []byte {
	out := []byte("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	seen := map[string]bool{}
	for _, s := range cfg.SpecialTokens {
		if seen[s] {
			continue
		}
		if len(seen) > 0 {
			out = append(out, ',')
		}
		seen[s] = true
		out = append(out, "\n    "...)
		text, err := json.Marshal(AddedToken{ID: tr.ids[s], Content: s, Special: true})
		if err != nil {
			panic(err) // an int and strings
		}
		out = append(out, text...)
	}
	if len(seen) > 0 {
		out = append(out, "\n  "...)
	}
	out = append(out, "],\n  \"normalizer\": "...)
	if cfg.NFC {
		out = append(out, `{"type": "NFC"}`...)
	} else {
		out = append(out, "null"...)
	}
	const byteLevel = `{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": %t}`
	out = append(out, ",\n  \"pre_tokenizer\": "...)
	if cfg.PreTokenizer == "cl100k" {
		out = append(out, `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": `...)
		out = appendJSONString(out, cl100kPattern)
		out = append(out, `}, "behavior": "Isolated", "invert": false}, `...)
		out = fmt.Appendf(out, byteLevel, false)
		out = append(out, "]}"...)
	} else {
		out = fmt.Appendf(out, byteLevel, true)
	}
	out = append(out, ",\n  \"post_processor\": "...)
	if cfg.PreTokenizer == "cl100k" {
		out = append(out, "null"...)
	} else {
		out = fmt.Appendf(out, byteLevel, true)
	}
	out = append(out, ",\n  \"decoder\": "...)
	out = fmt.Appendf(out, byteLevel, true)
	out = append(out, ",\n  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"+
		"    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"+
		"    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {"...)
	for id, s := range tr.tokens {
		if id > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n      "...)
		out = appendJSONString(out, s)
		out = fmt.Appendf(out, ": %d", id)
	}
	out = append(out, "\n    },\n    \"merges\": ["...)
	for i, m := range tr.uniqueMerges() {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, "\n      ["...)
		out = appendJSONString(out, tr.tokens[m[0]])
		out = append(out, ", "...)
		out = appendJSONString(out, tr.tokens[m[1]])
		out = append(out, ']')
	}
	return append(out, "\n    ]\n  }\n}\n"...)
}

// uniqueMerges drops merges that come again: the last place counts, as in the
// reference, whose model keeps one rank per pair.
func (tr *trainer) uniqueMerges() [][2]int32 {
	last := map[[2]int32]int{}
	for i, m := range tr.merges {
		last[m] = i
	}
	out := make([][2]int32, 0, len(last))
	for i, m := range tr.merges {
		if last[m] == i {
			out = append(out, m)
		}
	}
	return out
}

// appendJSONString appends s as a JSON string, with characters beyond ASCII as
// they are.
func appendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
