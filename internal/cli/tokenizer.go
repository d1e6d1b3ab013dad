package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/internal/parallel"
	"olmo/store"
	"olmo/tokenizer"
)

func newTokenizerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tokenizer",
		Short: "Encode, decode, train and compare tokenizers (Hugging Face tokenizer.json)",
		Long: `Tokenizers are tokenizer.json files, plain or packed (.gz, .zst), folders that
hold one, or names below the folder OLMO_MODELS. Ids and offsets are those of
Hugging Face tokenizers.`,
		Example: `  olmo tokenizer train --input corpus/documents --vocab-size 8192 --output tokenizer.json
  olmo tokenizer encode --tokenizer tokenizer.json --input texts.jsonl --output ids.jsonl`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newTokenizerEncodeCommand(), newTokenizerDecodeCommand(), newTokenizerTrainCommand(),
		newTokenizerInfoCommand(), newTokenizerDiffCommand())
	return c
}

// loadTokenizer loads the tokenizer that a flag or argument names.
func loadTokenizer(name string) (*tokenizer.Tokenizer, error) {
	path, err := findTokenizer(name)
	if err != nil {
		return nil, err
	}
	return openTokenizer(name, path)
}

// openTokenizer loads the tokenizer at path. A folder that is named is a model's:
// files beside tokenizer.json can name special tokens too.
func openTokenizer(name, path string) (*tokenizer.Tokenizer, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		path = name
	}
	return tokenizer.Load(path)
}

// tokenizerFor loads the tokenizer for a conversion of input into output, which
// must be neither of what is read.
func tokenizerFor(name, input, output string) (*tokenizer.Tokenizer, error) {
	path, err := findTokenizer(name)
	if err != nil {
		return nil, err
	}
	if err := store.Clash([]string{path, input}, []string{output}, nil); err != nil {
		return nil, err
	}
	return openTokenizer(name, path)
}

// requireFlags makes a usage error of flags that are not set.
func requireFlags(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if !c.Flags().Changed(name) {
			return usageErrorf("--%s is needed", name)
		}
	}
	return nil
}

func newTokenizerEncodeCommand() *cobra.Command {
	var name, input, output string
	var offsets, special, asJSON bool
	c := &cobra.Command{
		Use:   "encode --tokenizer FILE --input X.jsonl --output Y.jsonl",
		Short: "Turn the texts of a JSONL file into ids",
		Long: `Each line of the input has a field text; its line of the output has ids, with
--offsets also the code points [start, end) of the text that each id stands for,
and the field id if the input has one. - is standard input or output. OLMO_THREADS
sets the number of threads.`,
		Example: `  olmo tokenizer encode --tokenizer tokenizer.json --input texts.jsonl.gz --output ids.jsonl --offsets`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "tokenizer", "input", "output"); err != nil {
				return err
			}
			tok, err := tokenizerFor(name, input, output)
			if err != nil {
				return err
			}
			e := &encodeJob{tok: tok, offsets: offsets, special: special, progress: newProgress(c.ErrOrStderr())}
			truncation, padding := tok.Limits()
			e.whole = offsets || special || truncation != nil || padding != nil
			if err := convertLines(c, input, output, e.run); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
					"seconds": e.spent.Seconds(), "bytes": e.bytes, "tokens": e.tokens, "documents": e.documents,
				})
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&name, "tokenizer", "", "the tokenizer: a `file`, folder or name")
	f.StringVar(&input, "input", "", "JSONL `file` with texts")
	f.StringVar(&output, "output", "", "JSONL `file` for the ids")
	f.BoolVar(&offsets, "offsets", false, "also write offsets, in code points")
	f.BoolVar(&special, "add-special-tokens", false, "add the special tokens of the tokenizer's template")
	f.BoolVar(&asJSON, "json", false, "print seconds (of the encoding alone), bytes and tokens")
	return c
}

// convertLines runs work from the lines of input to output, which is written
// under a temporary name until it is complete.
func convertLines(c *cobra.Command, input, output string, work func(ctx context.Context, name string, r *bufio.Reader, w *bufio.Writer) error) error {
	var r io.Reader = c.InOrStdin()
	if input != "-" {
		f, err := data.OpenText(input)
		if err != nil {
			return err
		}
		defer f.Close()
		r = f
	}
	in := bufio.NewReaderSize(r, 1<<20)
	if output == "-" {
		w := bufio.NewWriter(c.OutOrStdout())
		if err := work(c.Context(), input, in, w); err != nil {
			return err
		}
		return w.Flush()
	}
	return writeWhole(output, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 1<<20)
		if err := work(c.Context(), input, in, w); err != nil {
			return err
		}
		return w.Flush()
	})
}

// writeWhole writes a file under a temporary name beside it, packed as its name
// says, and renames it when it is complete.
func writeWhole(path string, write func(w io.Writer) error) error {
	f, err := store.Create(path)
	if err != nil {
		return err
	}
	defer f.Abort()
	var w io.Writer = f
	closeWriter := func() error { return nil }
	switch {
	case strings.HasSuffix(path, ".gz"):
		z := gzip.NewWriter(f)
		w, closeWriter = z, z.Close
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewWriter(f)
		if err != nil {
			return err
		}
		w, closeWriter = z, z.Close
	}
	if err := write(w); err != nil {
		return err
	}
	if err := closeWriter(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Commit()
}

// encodeJob encodes a file in rounds: read, encode with all threads, write. So
// the time of encoding can be told alone, and memory is bounded.
type encodeJob struct {
	tok              *tokenizer.Tokenizer
	offsets, special bool
	whole            bool // Encode is needed, not AppendEncode
	progress         *progress

	spent     time.Duration
	bytes     int64
	tokens    int64
	documents int64

	lines    []tokenizer.Line
	places   []place
	buffers  []encodeBuffer
	encoders []*tokenizer.Encoder
}

// place is where the ids of a document lie in the buffers.
type place struct{ buffer, start, end int }

// encodeBuffer holds what one thread makes in a round.
type encodeBuffer struct {
	ids     []int32
	offsets [][2]int
}

// Sizes of a round and of what a thread takes of it at once, in bytes of text.
const (
	encodeRoundBytes = 32 << 20
	encodeTakeBytes  = 64 << 10
)

func (e *encodeJob) run(ctx context.Context, name string, r *bufio.Reader, w *bufio.Writer) error {
	e.progress.begin("encode")
	threads := parallel.Threads()
	e.buffers = make([]encodeBuffer, threads)
	e.encoders = make([]*tokenizer.Encoder, threads)
	for i := range e.encoders {
		e.encoders[i] = e.tok.NewEncoder()
	}
	number := 0
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.lines = e.lines[:0]
		size := 0
		for size < encodeRoundBytes && !done {
			line, err := r.ReadBytes('\n')
			if done = err == io.EOF; err != nil && !done {
				return fmt.Errorf("%s:%d: %w", name, number+1, err)
			}
			number++
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			d, err := tokenizer.ParseLine(line)
			if err == nil && !d.HasText {
				err = errors.New(`the line has no field "text"`)
			}
			if err != nil {
				return fmt.Errorf("%s:%d: %w", name, number, err)
			}
			e.lines = append(e.lines, d)
			size += len(d.Text)
		}
		if err := e.round(size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := e.write(w); err != nil {
			return err
		}
		e.progress.update(step{done: float64(e.bytes), unit: "B", note: fmt.Sprintf("%d tokens", e.tokens)})
	}
	e.progress.end()
	return nil
}

// round encodes the lines read, of size bytes of text.
func (e *encodeJob) round(size int) error {
	e.places = slices.Grow(e.places[:0], len(e.lines))[:len(e.lines)]
	// Room for the ids, and no collection of what reading left behind: neither
	// is encoding.
	for t := range e.buffers {
		b := &e.buffers[t]
		b.ids = slices.Grow(b.ids[:0], size/3/len(e.buffers))
		clear(b.ids[:cap(b.ids)])
	}
	runtime.GC()
	takes := e.takes()
	began := time.Now()
	var next atomic.Int64 // in takes
	var wg sync.WaitGroup
	failed := make([]error, len(e.buffers))
	for t := range e.buffers {
		work := func() {
			b := &e.buffers[t]
			b.offsets = b.offsets[:0]
			for {
				i := int(next.Add(1)) - 1
				if i >= len(takes) {
					return
				}
				if failed[t] = e.encode(t, takes[i].from, takes[i].to); failed[t] != nil {
					return
				}
			}
		}
		if len(e.buffers) == 1 {
			work()
			break
		}
		wg.Go(work)
	}
	wg.Wait()
	e.spent += time.Since(began)
	e.bytes += int64(size)
	e.documents += int64(len(e.lines))
	for _, b := range e.buffers {
		e.tokens += int64(len(b.ids))
	}
	return errors.Join(failed...)
}

// take is a range of lines that a thread encodes at once.
type take struct{ from, to, bytes int }

// takes cuts a round into parts of a few lines, the largest first, so that no
// thread is left alone with a long text at the end.
func (e *encodeJob) takes() []take {
	var list []take
	for i := 0; i < len(e.lines); {
		t := take{from: i}
		for i < len(e.lines) && (i == t.from || t.bytes+len(e.lines[i].Text) < encodeTakeBytes) {
			t.bytes += len(e.lines[i].Text)
			i++
		}
		t.to = i
		list = append(list, t)
	}
	slices.SortStableFunc(list, func(a, b take) int { return b.bytes - a.bytes })
	return list
}

func (e *encodeJob) encode(t, from, to int) error {
	b := &e.buffers[t]
	for i := from; i < to; i++ {
		start := len(b.ids)
		var err error
		if e.whole {
			var enc tokenizer.Encoding
			enc, err = e.tok.Encode(e.lines[i].Text, e.special)
			b.ids = append(b.ids, enc.IDs...)
			if e.offsets {
				b.offsets = append(b.offsets, enc.Offsets...)
			}
		} else {
			b.ids, err = e.encoders[t].AppendEncode(b.ids, e.lines[i].Text)
		}
		if err != nil {
			return fmt.Errorf("text %d, %s: %w", e.documents+int64(i)+1, excerpt(e.lines[i].Text), err)
		}
		e.places[i] = place{t, start, len(b.ids)}
	}
	return nil
}

// excerpt is the beginning of a text, quoted.
func excerpt(text string) string {
	const most = 40
	r := []rune(text[:min(len(text), 4*most)])
	if len(r) <= most {
		return strconv.Quote(text)
	}
	return strconv.Quote(string(r[:most])) + "…"
}

func (e *encodeJob) write(w *bufio.Writer) error {
	var line []byte
	for i, p := range e.places {
		b := &e.buffers[p.buffer]
		line = append(line[:0], '{')
		if id := e.lines[i].ID; id != nil {
			line = append(append(append(line, `"id":`...), id...), ',')
		}
		line = append(line, `"ids":[`...)
		for k, id := range b.ids[p.start:p.end] {
			if k > 0 {
				line = append(line, ',')
			}
			line = strconv.AppendInt(line, int64(id), 10)
		}
		line = append(line, ']')
		if e.offsets {
			line = append(line, `,"offsets":[`...)
			for k, o := range b.offsets[p.start:p.end] {
				if k > 0 {
					line = append(line, ',')
				}
				line = fmt.Appendf(line, "[%d,%d]", o[0], o[1])
			}
			line = append(line, ']')
		}
		if _, err := w.Write(append(line, "}\n"...)); err != nil {
			return err
		}
	}
	return nil
}

func newTokenizerDecodeCommand() *cobra.Command {
	var name, input, output string
	var skip bool
	c := &cobra.Command{
		Use:     "decode --tokenizer FILE --input X.jsonl --output Y.jsonl",
		Short:   "Turn the ids of a JSONL file into texts",
		Long:    `Each line of the input has a field ids; its line of the output has text, and the field id if the input has one.`,
		Example: `  olmo tokenizer decode --tokenizer tokenizer.json --input ids.jsonl --output texts.jsonl --skip-special-tokens`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "tokenizer", "input", "output"); err != nil {
				return err
			}
			tok, err := tokenizerFor(name, input, output)
			if err != nil {
				return err
			}
			return convertLines(c, input, output, func(ctx context.Context, name string, r *bufio.Reader, w *bufio.Writer) error {
				unknown, err := decodeLines(ctx, tok, skip, name, r, w)
				if err == nil && unknown > 0 {
					fmt.Fprintf(c.ErrOrStderr(), "warning: %s: ids without a token in the vocabulary of %d, which give no text: %d\nhint: were they written with another tokenizer?\n", name, tok.VocabSize(), unknown)
				}
				return err
			})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "tokenizer", "", "the tokenizer: a `file`, folder or name")
	f.StringVar(&input, "input", "", "JSONL `file` with ids")
	f.StringVar(&output, "output", "", "JSONL `file` for the texts")
	f.BoolVar(&skip, "skip-special-tokens", false, "leave special tokens out")
	return c
}

// decodeLines decodes line by line. Ids without a token decode to nothing, as in
// Hugging Face; it returns how many there were.
func decodeLines(ctx context.Context, tok *tokenizer.Tokenizer, skip bool, name string, r *bufio.Reader, w *bufio.Writer) (unknown int, err error) {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return 0, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			d, problem := tokenizer.ParseLine(line)
			if problem == nil && !d.HasIDs {
				problem = errors.New(`the line has no field "ids"`)
			}
			for _, id := range d.IDs {
				if tok.Token(id) == "" {
					unknown++
				}
			}
			if problem == nil {
				problem = ctx.Err()
			}
			if problem != nil {
				return 0, fmt.Errorf("%s:%d: %w", name, number, problem)
			}
			out := struct {
				ID   json.RawMessage `json:"id,omitempty"`
				Text string          `json:"text"`
			}{d.ID, tok.Decode(d.IDs, skip)}
			if err := lines.Encode(out); err != nil {
				return 0, err
			}
		}
		if err == io.EOF {
			return unknown, nil
		}
	}
}

func newTokenizerTrainCommand() *cobra.Command {
	var inputs, special []string
	var output string
	var strict, asJSON bool
	cfg := tokenizer.TrainConfig{}
	c := &cobra.Command{
		Use:   "train --input X.jsonl… --vocab-size N --output tokenizer.json",
		Short: "Train a byte-level BPE",
		Long: `The inputs are JSONL and Parquet files with a field text (Dolma documents),
folders of such, and plain text files, of which each line is a document; all may
be packed (.gz, .zst), globs, or s3:// and https:// addresses. A bad line goes to a
rejects file. The merges are those of Hugging Face's BpeTrainer, whatever the
number of threads (OLMO_THREADS).`,
		Example: `  olmo tokenizer train --input a.jsonl b.jsonl.gz --vocab-size 8192 --pre-tokenizer cl100k --special-token '<|endoftext|>' --output tokenizer.json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := requireFlags(c, "input", "vocab-size", "output"); err != nil {
				return err
			}
			switch {
			case cfg.VocabSize < 256:
				return usageErrorf("--vocab-size: a vocabulary of %d is too small: the bytes alone take 256", cfg.VocabSize)
			case cfg.VocabSize > mostVocabulary:
				return usageErrorf("--vocab-size is %d, it must be 256 to %d", cfg.VocabSize, mostVocabulary)
			}
			cfg.SpecialTokens = special
			cfg.Threads = parallel.Threads()
			p := newProgress(c.ErrOrStderr())
			p.begin("count words")
			merging := false
			cfg.Progress = func(t tokenizer.TrainProgress) {
				if t.MaxMerges == 0 {
					p.update(step{done: float64(t.Bytes), unit: "B", note: fmt.Sprintf("%d documents", t.Documents)})
					return
				}
				if !merging {
					merging = true
					p.begin("merge")
				}
				p.update(step{done: float64(t.Merges), total: float64(t.MaxMerges), unit: "merges", note: fmt.Sprintf("%d distinct words", t.Words)})
			}
			began := time.Now()
			text, err := tokens.TrainTokenizer(c.Context(), tokens.TokenizerConfig{
				Inputs: inputs, Output: output, TrainConfig: cfg, Execution: data.Execution{Strict: strict, Log: p.print},
			})
			if err != nil {
				p.fail()
				return err
			}
			spent := time.Since(began)
			p.end()
			tok, err := tokenizer.Parse(text)
			if err != nil {
				return fmt.Errorf("reading the trained tokenizer: %w", err)
			}
			d := tok.Describe()
			if d.VocabSize < cfg.VocabSize {
				p.print(fmt.Sprintf("warning: the text has pairs for %d tokens only, not for %d", d.VocabSize, cfg.VocabSize))
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{
					"vocab_size": d.VocabSize, "merges": d.Merges, "seconds": spent.Seconds(), "fingerprint": d.Fingerprint,
				})
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %d tokens, %d merges\n", output, d.VocabSize, d.Merges)
			return nil
		},
	}
	f := c.Flags()
	listFlag(f, &inputs, "input", "`files` and folders to learn from")
	f.IntVar(&cfg.VocabSize, "vocab-size", 0, "number of tokens, special ones and the 256 bytes included")
	f.StringVar(&cfg.PreTokenizer, "pre-tokenizer", "gpt2", "how text is cut into words: `gpt2` or cl100k")
	f.BoolVar(&cfg.NFC, "nfc", false, "bring text into normal form C first")
	f.Int64Var(&cfg.MinFrequency, "min-frequency", 0, "merge no pair that occurs less often")
	f.StringArrayVar(&special, "special-token", nil, "a special `token`; the first one gets id 0 (may be repeated)")
	f.IntVar(&cfg.MaxTokenLength, "max-token-length", 0, "count no pair whose token would be this long in bytes, 0 for any")
	f.StringVar(&output, "output", "", "tokenizer.json to write")
	f.BoolVar(&strict, "strict", false, "fail on the first bad line instead of writing it to a rejects file")
	f.BoolVar(&asJSON, "json", false, "print what was made as JSON")
	return c
}

// sampleTexts reads the texts of a file or folder; a bad line is an error.
func sampleTexts(name string) iter.Seq2[string, error] {
	files, err := data.TextFiles([]string{name})
	if err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return (*data.Stage)(nil).Texts(nil, files)
}

// sampleText is what `tokenizer info` measures bytes per token on without
// --sample: English, code, and text in other scripts.
const sampleText = `The quick brown fox jumps over the lazy dog; it didn't look back once, since 1984.
func main() {
	for i := 0; i < 10; i++ {
		fmt.Println("hello,", i*i)
	}
}
Über die Brücke führt ein schmaler Weg. Во саду ли, в огороде. 自然言語処理は面白い。 한국어 문장입니다. नमस्ते दुनिया
`

func newTokenizerInfoCommand() *cobra.Command {
	var sample string
	var asJSON bool
	c := &cobra.Command{
		Use:     "info FILE",
		Short:   "Tell what a tokenizer is made of",
		Example: `  olmo tokenizer info tokenizer.json --sample corpus.jsonl`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			tok, err := loadTokenizer(args[0])
			if err != nil {
				return err
			}
			// The first megabytes of the sample tell enough.
			const enough = 16 << 20
			bytes, tokens := 0, 0
			var ids []int32
			count := func(s string) error {
				var err error
				ids, err = tok.AppendEncode(ids[:0], s)
				bytes += len(s)
				tokens += len(ids)
				return err
			}
			if sample == "" {
				if err := count(sampleText); err != nil {
					return fmt.Errorf("%s has no ids for the text it is measured on (--sample FILE takes another): %w", args[0], err)
				}
			} else {
				for s, err := range sampleTexts(sample) {
					if err != nil {
						return err
					}
					if err := count(s); err != nil {
						return fmt.Errorf("%s: %w", sample, err)
					}
					if bytes > enough {
						break
					}
				}
			}
			d := tok.Describe()
			perToken := float64(bytes) / float64(max(1, tokens))
			out := c.OutOrStdout()
			if asJSON {
				return json.NewEncoder(out).Encode(struct {
					tokenizer.Description
					SampleBytes   int     `json:"sample_bytes"`
					SampleTokens  int     `json:"sample_tokens"`
					BytesPerToken float64 `json:"bytes_per_token"`
				}{d, bytes, tokens, perToken})
			}
			special := 0
			for _, a := range d.AddedTokens {
				if a.Special {
					special++
				}
			}
			fmt.Fprintf(out, "model            %s, %d tokens, %d merges\n", d.Model, d.Tokens, d.Merges)
			fmt.Fprintf(out, "vocabulary       %d (largest id plus one)\n", d.VocabSize)
			fmt.Fprintf(out, "added tokens     %d, %d of them special\n", len(d.AddedTokens), special)
			fmt.Fprintf(out, "normalizer       %s\n", nameOrNone(d.Normalizer))
			fmt.Fprintf(out, "pre-tokenizer    %s\n", nameOrNone(d.PreTokenizer))
			fmt.Fprintf(out, "post-processor   %s\n", nameOrNone(d.PostProcessor))
			fmt.Fprintf(out, "decoder          %s\n", nameOrNone(d.Decoder))
			fmt.Fprintf(out, "bytes per token  %.2f on a sample of %d bytes\n", perToken, bytes)
			fmt.Fprintf(out, "sha256           %s\n", d.Fingerprint)
			return nil
		},
	}
	c.Flags().StringVar(&sample, "sample", "", "measure bytes per token on this `file` or folder")
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON, with all added tokens")
	return c
}

func nameOrNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func newTokenizerDiffCommand() *cobra.Command {
	var text, input string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff A B (--text TEXT | --input FILE)",
		Short: "Show where two tokenizers cut a text differently",
		Long: `Compares the tokens of both on a text or on the documents of a file. A
difference is a stretch of the text that both begin and end alike but cut
differently in between, or give other ids. Exit code 0 says that the comparison
was made, not that there was no difference.`,
		Example: `  olmo tokenizer diff old.json new.json --text 'Hello, world!'`,
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if (text == "") == (input == "") {
				return usageErrorf("either --text or --input is needed")
			}
			a, err := loadTokenizer(args[0])
			if err != nil {
				return err
			}
			b, err := loadTokenizer(args[1])
			if err != nil {
				return err
			}
			d := &tokenizerDiff{a: a, b: b, limit: limit}
			if text != "" {
				if err := d.add(text); err != nil {
					return err
				}
			} else {
				for s, err := range sampleTexts(input) {
					if err == nil {
						err = c.Context().Err()
					}
					if err == nil {
						err = d.add(s)
					}
					if err != nil {
						return err
					}
				}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(d)
			}
			return d.print(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&text, "text", "", "the `text` to compare on")
	c.Flags().StringVar(&input, "input", "", "a JSONL or text `file`, or a folder, to compare on")
	c.Flags().IntVar(&limit, "limit", 20, "show at most `N` differences")
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

// tokenizerDiff counts and collects differences.
type tokenizerDiff struct {
	a, b  *tokenizer.Tokenizer
	limit int

	Documents   int          `json:"documents"`
	Bytes       int          `json:"bytes"`
	TokensA     int          `json:"tokens_a"`
	TokensB     int          `json:"tokens_b"`
	Differences int          `json:"differences"`
	Cuts        int          `json:"cut_differently"` // the rest differ in ids only
	Shown       []difference `json:"shown"`
}

type difference struct {
	Document int      `json:"document"` // from 0
	Start    int      `json:"start"`    // code point
	Text     string   `json:"text"`
	A        []string `json:"a"`
	B        []string `json:"b"`
	IDsA     []int32  `json:"ids_a"`
	IDsB     []int32  `json:"ids_b"`
}

func (d *tokenizerDiff) add(text string) error {
	a, err := d.a.Encode(text, false)
	if err != nil {
		return fmt.Errorf("the first tokenizer: %w", err)
	}
	b, err := d.b.Encode(text, false)
	if err != nil {
		return fmt.Errorf("the second tokenizer: %w", err)
	}
	runes := []rune(text)
	d.Bytes += len(text)
	d.TokensA += len(a.IDs)
	d.TokensB += len(b.IDs)
	part := func(from, to int) string { return string(runes[min(from, len(runes)):min(max(from, to), len(runes))]) }
	for i, j := 0, 0; i < len(a.IDs) || j < len(b.IDs); {
		// The stretch up to where both have a boundary again.
		i2, j2 := i, j
		end := func(e tokenizer.Encoding, from, to int) int {
			if to == from {
				return -1
			}
			return e.Offsets[to-1][1]
		}
		for {
			ea, eb := end(a, i, i2), end(b, j, j2)
			if ea == eb && ea >= 0 {
				// Several tokens can stand for the bytes of one character.
				for i2 < len(a.IDs) && a.Offsets[i2][0] < ea {
					i2++
				}
				for j2 < len(b.IDs) && b.Offsets[j2][0] < eb {
					j2++
				}
				break
			}
			switch {
			case i2 < len(a.IDs) && (ea <= eb || j2 == len(b.IDs)):
				i2++
				continue
			case j2 < len(b.IDs):
				j2++
				continue
			}
			break
		}
		cut := i2-i != j2-j
		for k := 0; !cut && k < i2-i; k++ {
			cut = a.Offsets[i+k] != b.Offsets[j+k]
		}
		if cut || !slices.Equal(a.IDs[i:i2], b.IDs[j:j2]) {
			d.Differences++
			if cut {
				d.Cuts++
			}
			if len(d.Shown) < d.limit {
				x := difference{Document: d.Documents, IDsA: slices.Clone(a.IDs[i:i2]), IDsB: slices.Clone(b.IDs[j:j2])}
				for k := i; k < i2; k++ {
					x.A = append(x.A, part(a.Offsets[k][0], a.Offsets[k][1]))
				}
				for k := j; k < j2; k++ {
					x.B = append(x.B, part(b.Offsets[k][0], b.Offsets[k][1]))
				}
				last := 0
				switch {
				case i2 > i:
					x.Start, last = a.Offsets[i][0], a.Offsets[i2-1][1]
				case j2 > j:
					x.Start, last = b.Offsets[j][0], b.Offsets[j2-1][1]
				}
				x.Text = part(x.Start, last)
				d.Shown = append(d.Shown, x)
			}
		}
		if i2 == i && j2 == j {
			break
		}
		i, j = i2, j2
	}
	d.Documents++
	return nil
}

func (d *tokenizerDiff) print(w io.Writer) error {
	quoted := func(list []string, ids []int32) string {
		var b strings.Builder
		for i, s := range list {
			if !utf8.ValidString(s) {
				s = strings.ToValidUTF8(s, "\uFFFD")
			}
			fmt.Fprintf(&b, " %q=%d", s, ids[i])
		}
		return b.String()
	}
	for _, x := range d.Shown {
		fmt.Fprintf(w, "document %d, character %d: %q\n  A:%s\n  B:%s\n", x.Document, x.Start, x.Text, quoted(x.A, x.IDsA), quoted(x.B, x.IDsB))
	}
	if hidden := d.Differences - len(d.Shown); hidden > 0 {
		fmt.Fprintf(w, "… and %d more\n", hidden)
	}
	share := func(n int) float64 { return float64(d.Bytes) / float64(max(1, n)) }
	_, err := fmt.Fprintf(w, "%d bytes: A has %d tokens (%.2f bytes each), B has %d (%.2f); %d differences, %d of them in where the text is cut\n",
		d.Bytes, d.TokensA, share(d.TokensA), d.TokensB, share(d.TokensB), d.Differences, d.Cuts)
	return err
}

// mostVocabulary is far above any vocabulary in use, and far below what memory could not hold.
const mostVocabulary = 1 << 24
