package tokenizer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"olmo/internal/pyjson"
	"olmo/packed"
)

// Tokenizer turns text into ids and back. It does not change once made, and may
// be used by any number of goroutines.
type Tokenizer struct {
	fingerprint string
	parts       Description // names of the parts
	model       model
	normalizer  normalizer // nil for none
	pre         preTokenizer
	post        postProcessor
	decoder     decoder
	truncation  *Truncation
	padding     *Padding

	added          map[int32]*AddedToken
	addedIDs       map[string]int32
	special        map[string]bool
	normalizedForm map[int32]string // of added tokens that normalising changes
	rawFinder      *tokenFinder     // added tokens to find in the text as it is
	normFinder     *tokenFinder     // and in the normalised text
	largest        int32            // id

	plainBytes bool     // the decoder is ByteLevel alone
	bytesOf    []string // by id, with plainBytes

	fast     *fastBPE  // nil where it does not apply
	encoders sync.Pool // of *Encoder
}

// Load reads a tokenizer.json, plain or packed (.gz, .zst, .bz2). path may also be a
// folder that holds one, such as a Hugging Face model: then it has the added
// tokens that tokenizer_config.json and older files beside it name, too, as
// AutoTokenizer has them.
func Load(path string) (*Tokenizer, error) {
	folder := ""
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		found := ""
		for _, name := range []string{"tokenizer.json", "tokenizer.json.gz", "tokenizer.json.zst", "tokenizer.json.bz2"} {
			if _, err := os.Stat(filepath.Join(path, name)); err == nil {
				found = filepath.Join(path, name)
				break
			}
		}
		if found == "" {
			return nil, fmt.Errorf("%s: the folder holds no tokenizer.json", path)
		}
		folder, path = path, found
	}
	data, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parse(data, folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// maxFileBytes bounds an unpacked tokenizer.json; the largest known are 35 MB.
const maxFileBytes = 1 << 30

// ReadFile reads the text of a tokenizer.json, plain or packed.
func ReadFile(path string) ([]byte, error) {
	data, err := packed.ReadFile(path, maxFileBytes)
	if err != nil {
		return nil, err
	}
	if err := delivered(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// modelConfig is the model of a tokenizer.json.
type modelConfig struct {
	kind           string
	vocab          *vocab
	pieces         []scoredPiece // Unigram
	merges         []mergePair
	unkToken       *string
	unkID          *int32
	prefix, suffix string
	prefixIsSet    bool
	fuseUnk        bool
	byteFallback   bool
	ignoreMerges   bool
	maxChars       int
}

// scoredPiece is an entry of a Unigram vocabulary.
type scoredPiece struct {
	text  string
	score float64
}

// Parse reads the text of a tokenizer.json. Errors name the line and column or
// the part of the file that is wrong.
func Parse(data []byte) (*Tokenizer, error) { return parse(data, "") }

// parse is Parse with the added tokens of the files in a folder, "" for none.
func parse(data []byte, folder string) (tok *Tokenizer, err error) {
	defer refused(&err) // of an added token by the normalizer
	// Windows tools write a byte order mark.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("it is UTF-16, want UTF-8\nhint: iconv -f UTF-16 -t UTF-8")
	}
	r := &jsonReader{data: string(data)}
	t := &Tokenizer{normalizedForm: map[int32]string{}}
	var added []AddedToken
	var mc *modelConfig
	unknown := "" // key
	err = r.object(func(key string, at int) error {
		if key == "model" {
			var err error
			mc, err = r.model()
			return err
		}
		raw, err := r.raw()
		if err != nil {
			return err
		}
		switch key {
		case "version":
			var v string
			if err = pyjson.Value(raw, &v); err == nil && v != "1.0" {
				err = fmt.Errorf("%q is not 1.0", v)
			}
		case "truncation":
			t.truncation = nil // of a key that stands twice the last counts
			err = pyjson.Value(raw, &t.truncation)
			if err == nil && t.truncation != nil {
				err = t.truncation.check()
			}
		case "padding":
			t.padding = nil
			if !isNull(raw) {
				t.padding = &Padding{Strategy: padLongest}
			}
			err = pyjson.Value(raw, &t.padding)
			if err == nil && t.padding != nil {
				err = t.padding.check()
			}
		case "added_tokens":
			added = nil
			err = pyjson.Value(raw, &added)
		case "normalizer":
			t.parts.Normalizer = partNames(raw)
			t.normalizer, err = parseNormalizer(raw)
		case "pre_tokenizer":
			t.parts.PreTokenizer = partNames(raw)
			t.pre, err = parsePreTokenizer(raw)
		case "post_processor":
			t.parts.PostProcessor = partNames(raw)
			t.post, err = parsePostProcessor(raw)
		case "decoder":
			t.parts.Decoder = partNames(raw)
			t.decoder, err = parseDecoder(raw)
		default:
			unknown = cmp.Or(unknown, key)
		}
		if err != nil {
			return r.errorf(at, "%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.peek() != 0 || r.pos < len(data) {
		return nil, r.unexpected("the end of the file")
	}
	if mc == nil {
		return nil, errors.New("the file has no model\nhint: a tokenizer.json is needed, not tokenizer_config.json or vocab.json")
	}
	if unknown != "" {
		return nil, fmt.Errorf("unknown key %q", unknown)
	}
	if t.model, err = mc.build(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	t.largest = int32(len(t.model.vocabulary().tokens)) - 1
	sum := sha256.New()
	sum.Write(data)
	if folder != "" {
		more, err := besideTokens(folder, added)
		if err != nil {
			return nil, err
		}
		if added = append(added, more...); len(more) > 0 {
			// Another tokenizer than the file alone.
			if err := json.NewEncoder(sum).Encode(more); err != nil {
				return nil, err
			}
		}
	}
	if err := t.addTokens(added); err != nil {
		return nil, err
	}
	t.fingerprint = hex.EncodeToString(sum.Sum(nil))
	t.finish()
	return t, nil
}

// finish prepares what encoding and decoding look up.
func (t *Tokenizer) finish() {
	var wg sync.WaitGroup
	if _, ok := t.decoder.(byteLevelDecoder); ok {
		wg.Go(t.fillBytes)
	}
	t.fast = newFastBPE(t)
	wg.Wait()
}

// model reads the model of a tokenizer.json.
func (r *jsonReader) model() (*modelConfig, error) {
	c := &modelConfig{maxChars: 100}
	sawVocab := false
	err := r.object(func(key string, at int) error {
		switch key {
		case "vocab":
			sawVocab = true
			return r.vocab(c)
		case "merges":
			return r.merges(c)
		}
		raw, err := r.raw()
		if err != nil {
			return err
		}
		var text *string
		switch key {
		case "type":
			err = pyjson.Value(raw, &c.kind)
		case "unk_token":
			err = pyjson.Value(raw, &c.unkToken)
		case "dropout":
			var rate *float64
			if err = pyjson.Value(raw, &rate); err == nil && rate != nil && *rate != 0 {
				err = fmt.Errorf("%v: merges left out at random are not supported\nhint: set it to null, for the same ids at every run", *rate)
			}
		case "unk_id":
			err = pyjson.Value(raw, &c.unkID)
		case "continuing_subword_prefix":
			if err = pyjson.Value(raw, &text); err == nil && text != nil {
				c.prefix, c.prefixIsSet = *text, true
			}
		case "end_of_word_suffix":
			if err = pyjson.Value(raw, &text); err == nil && text != nil {
				c.suffix = *text
			}
		case "fuse_unk":
			err = pyjson.Value(raw, &c.fuseUnk)
		case "byte_fallback":
			err = pyjson.Value(raw, &c.byteFallback)
		case "ignore_merges":
			err = pyjson.Value(raw, &c.ignoreMerges)
		case "max_input_chars_per_word":
			err = pyjson.Value(raw, &c.maxChars)
		}
		if err != nil {
			return r.errorf(at, "model.%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !sawVocab {
		return nil, errors.New("model has no vocab")
	}
	return c, nil
}

// vocab reads {"token": id, …} or [["piece", score], …].
func (r *jsonReader) vocab(c *modelConfig) error {
	if r.peek() == '[' {
		c.pieces = []scoredPiece{}
		return r.array(func() error {
			if err := r.expect('['); err != nil {
				return err
			}
			s, err := r.str()
			if err != nil {
				return err
			}
			if err := r.expect(','); err != nil {
				return err
			}
			score, err := r.number()
			if err != nil {
				return err
			}
			c.pieces = append(c.pieces, scoredPiece{s, score})
			return r.expect(']')
		})
	}
	// The tokens share the memory of the file's text.
	c.vocab = newVocab(min(len(r.data)/32, 1<<18))
	return r.object(func(key string, at int) error {
		id, err := r.id()
		if err != nil {
			return err
		}
		if err := c.vocab.add(key, id); err != nil {
			return r.errorf(at, "model.vocab: %w", err)
		}
		return nil
	})
}

// merges reads ["a b", …] or [["a", "b"], …].
func (r *jsonReader) merges(c *modelConfig) error {
	c.merges = make([]mergePair, 0, min(len(r.data)/32, 1<<19))
	pairs, first := false, true
	return r.array(func() error {
		r.space()
		at := r.pos
		if pair := r.peek() == '['; first {
			pairs, first = pair, false
		} else if pair != pairs {
			return r.errorf(at, "merges[%d] is written in another way than those before", len(c.merges))
		}
		if !pairs {
			s, err := r.str()
			if err != nil {
				return err
			}
			if strings.HasPrefix(s, "#version") {
				return nil
			}
			left, right, ok := strings.Cut(s, " ")
			if !ok || strings.Contains(right, " ") {
				return r.errorf(at, "merges[%d] is %q, not two tokens with a space between", len(c.merges), s)
			}
			c.merges = append(c.merges, mergePair{left, right})
			return nil
		}
		var pair [2]string
		n := 0
		err := r.array(func() error {
			s, err := r.str()
			if n < len(pair) {
				pair[n] = s
			}
			n++
			return err
		})
		if err != nil {
			return err
		}
		if n != len(pair) {
			return r.errorf(at, "merges[%d] has %d tokens, not two", len(c.merges), n)
		}
		c.merges = append(c.merges, mergePair{pair[0], pair[1]})
		return nil
	})
}

// build makes the model that c describes. Old files do not name its type.
func (c *modelConfig) build() (model, error) {
	kind := c.kind
	if kind == "" {
		switch {
		case c.pieces != nil:
			kind = "Unigram"
		case c.merges != nil:
			kind = "BPE"
		case c.prefixIsSet:
			kind = "WordPiece"
		default:
			kind = "WordLevel"
		}
	}
	if kind == "Unigram" {
		return newUnigram(c)
	}
	if c.vocab == nil {
		return nil, fmt.Errorf("%s: vocab is a list, not an object", kind)
	}
	switch kind {
	case "BPE":
		if c.merges == nil {
			return nil, errors.New("type BPE: there are no merges")
		}
		unk := noUnknown
		if c.unkToken != nil {
			unk = c.unknown("")
		}
		m := &bpe{
			vocab: c.vocab, unk: unk, fuseUnk: c.fuseUnk, byteFallback: c.byteFallback,
			ignoreMerges: c.ignoreMerges, prefix: c.prefix, suffix: c.suffix,
		}
		return m, m.link(c.merges)
	case "WordPiece":
		return newWordPiece(c, c.unknown("[UNK]")), nil
	case "WordLevel":
		return &wordLevel{c.vocab, c.unknown("<unk>")}, nil
	}
	return nil, fmt.Errorf("unknown type %q; known are BPE, Unigram, WordPiece and WordLevel", c.kind)
}

// unknown returns the unknown token, or the one that the reference takes where
// the file names none.
func (c *modelConfig) unknown(text string) unknownToken {
	if c.unkToken != nil {
		text = *c.unkToken
	}
	id, ok := c.vocab.id(text)
	if !ok {
		id = -1
	}
	return unknownToken{id, text}
}

// VocabSize returns the largest id plus one, added tokens included: the number
// of rows that an embedding needs at least.
func (t *Tokenizer) VocabSize() int { return int(t.largest) + 1 }

// TokenID returns the id of a token, as the file writes it.
func (t *Tokenizer) TokenID(s string) (int32, bool) {
	if id, ok := t.addedIDs[s]; ok {
		return id, true
	}
	return t.model.vocabulary().id(s)
}

// Token returns how the file writes the token of an id, or "" where no token
// has it.
func (t *Tokenizer) Token(id int32) string {
	if a, ok := t.added[id]; ok {
		return a.Content
	}
	if v := t.model.vocabulary(); v.has(id) {
		return v.tokens[id]
	}
	return ""
}

// Fingerprint returns the SHA-256 of the tokenizer.json, unpacked, and of the
// tokens that files beside it add, in hexadecimal.
func (t *Tokenizer) Fingerprint() string { return t.fingerprint }

// Limits returns the truncation and the padding of the file, nil for none.
// Encode applies them, AppendEncode does not.
func (t *Tokenizer) Limits() (*Truncation, *Padding) { return t.truncation, t.padding }

// Description tells what a tokenizer is made of.
type Description struct {
	Model         string       `json:"model"`
	VocabSize     int          `json:"vocab_size"` // largest id plus one
	Tokens        int          `json:"tokens"`     // of the model
	Merges        int          `json:"merges"`
	AddedTokens   []AddedToken `json:"added_tokens"`
	Normalizer    string       `json:"normalizer"`
	PreTokenizer  string       `json:"pre_tokenizer"`
	PostProcessor string       `json:"post_processor"`
	Decoder       string       `json:"decoder"`
	// Fast tells whether ids come from the fast byte-level encoder.
	Fast        bool   `json:"fast"`
	Fingerprint string `json:"fingerprint"`
}

// Describe returns what t is made of. Parts are named by their type in the
// file, those of a sequence with commas between.
func (t *Tokenizer) Describe() Description {
	d := t.parts
	d.VocabSize, d.Tokens, d.Fast, d.Fingerprint = t.VocabSize(), t.model.vocabulary().count, t.fast != nil, t.fingerprint
	switch m := t.model.(type) {
	case *bpe:
		d.Model, d.Merges = "BPE", m.merges
	case *unigram:
		d.Model = "Unigram"
	case *wordPiece:
		d.Model = "WordPiece"
	case *wordLevel:
		d.Model = "WordLevel"
	}
	for _, id := range t.addedOrder() {
		d.AddedTokens = append(d.AddedTokens, *t.added[id])
	}
	return d
}

// partNames returns the types in a part of a tokenizer.json.
func partNames(raw json.RawMessage) string {
	var c struct {
		Type          string
		Normalizers   []json.RawMessage
		Pretokenizers []json.RawMessage
		Processors    []json.RawMessage
		Decoders      []json.RawMessage
	}
	if json.Unmarshal(raw, &c) != nil || c.Type == "" {
		return "none"
	}
	if c.Type != "Sequence" {
		return c.Type
	}
	var names []string
	for _, p := range slices.Concat(c.Normalizers, c.Pretokenizers, c.Processors, c.Decoders) {
		names = append(names, partNames(p))
	}
	return strings.Join(names, ", ")
}
