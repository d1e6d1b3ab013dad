package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tokens"
	"olmo/internal/pyjson"
	"olmo/tokenizer"
)

// tokensConfig has the keys of Dolma 1.2.1, python/dolma/cli/tokenizer.py.
type tokensConfig struct {
	tokens.Config       `yaml:",inline"`
	Destination         *string          `yaml:"destination" help:"folder of the token files"`
	TokenizerNameOrPath *string          `yaml:"tokenizer_name_or_path" help:"deprecated: tokenizer.name_or_path, with the last id as eos_token_id"`
	Tokenizer           *tokenizerConfig `yaml:"tokenizer"`
	FilesPerProcess     *int             `yaml:"files_per_process" limits:"0.." help:"input files in a group, which has token files of its own"`
	Debug               bool             `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	WorkDir             workDir          `yaml:"work_dir"`
	Dryrun              bool             `yaml:"dryrun" help:"print the config and stop"`
}

type tokenizerConfig struct {
	NameOrPath                *string `yaml:"name_or_path" help:"tokenizer.json, a folder that holds one, or org/name below OLMO_MODELS"`
	BosTokenID                *int32  `yaml:"bos_token_id" limits:"0.." help:"id put before every document"`
	EosTokenID                *int32  `yaml:"eos_token_id" limits:"0.." help:"id put behind every document"`
	PadTokenID                *int32  `yaml:"pad_token_id" limits:".." help:"accepted for Dolma's configs; nothing is padded"`
	SegmentBeforeTokenization bool    `yaml:"segment_before_tokenization" help:"encode paragraphs one by one"`
	Refresh                   int     `yaml:"refresh" limits:".." help:"accepted for Dolma's configs; nothing leaks here"`
	Fast                      bool    `yaml:"fast" help:"accepted for Dolma's configs; no effect"`
	EncodeSpecialTokens       bool    `yaml:"encode_special_tokens" help:"treat special tokens in texts as plain text"`
}

// SetDefaults sets Dolma's defaults.
func (c *tokenizerConfig) SetDefaults() { c.Fast = true }

func newDataTokensCommand() *cobra.Command {
	c := dataVerb[tokensConfig]{
		use:   "tokens",
		short: "Encode documents into token files for training",
		long: `Write DESTINATION/part-I-NNNNN.npy, little-endian ids without a header, and
part-I-NNNNN.csv.gz with each document's place in it (start, end, id, file,
line) and part-I-NNNNN.npy.leaves with the SHA-256 of each document's tokens, by
which a training run binds itself to them. Order and files depend on the seed, never on the number of workers
(with --compat dolma there are as many groups of files as processes).`,
		example: `  olmo data tokens --documents 'clean/documents/*.gz' --destination tokens --tokenizer.name_or_path tokenizer.json --tokenizer.eos_token_id 0
  olmo data -c tokens.yaml tokens --processes 4`,
		defaults: func() tokensConfig {
			id := "id"
			return tokensConfig{Config: tokens.Config{
				Execution: data.Execution{Processes: 1}, BatchSize: 10_000, RingSize: 8, MaxSize: 1 << 30, DType: tokens.Uint16, Seed: 3920,
				Fields: tokens.Fields{Text: "text", TextType: "str", ID: &id, IDType: "str"},
			}}
		},
		run: runDataTokens,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

func runDataTokens(r *dataRun, cfg tokensConfig) error {
	switch {
	case len(cfg.Documents) == 0:
		return usageErrorf("no documents are given\nhint: --documents 'clean/documents/*.gz'")
	case cfg.Destination == nil || *cfg.Destination == "":
		return usageErrorf("no destination is given\nhint: --destination FOLDER")
	}
	t := cfg.Tokenizer
	if t == nil {
		t = &tokenizerConfig{NameOrPath: cfg.TokenizerNameOrPath}
	}
	if t.NameOrPath == nil || *t.NameOrPath == "" {
		return usageErrorf("no tokenizer is given\nhint: --tokenizer.name_or_path tokenizer.json")
	}
	enc, err := loadDataTokenizer(*t.NameOrPath, t.EncodeSpecialTokens)
	if err != nil {
		return err
	}
	if cfg.Tokenizer == nil {
		eos := int32(enc.VocabSize() - 1)
		t.EosTokenID = &eos
	}
	if t.BosTokenID == nil && t.EosTokenID == nil {
		return usageErrorf("neither bos nor eos is given: documents would run into each other\nhint: --tokenizer.eos_token_id ID")
	}
	dtype, err := tokens.ParseDType(string(cfg.DType))
	if err != nil {
		return err
	}
	if need := tokens.DTypeFor(enc.VocabSize()); dtype.Size() < need.Size() {
		return fmt.Errorf("dtype %s does not hold the %d ids of the tokenizer\nhint: --dtype %s", dtype, enc.VocabSize(), need)
	}
	p := new(data.Progress)
	c := cfg.Config
	c.Destination, c.DType, c.Execution = *cfg.Destination, dtype, r.execution(cfg.Processes, p)
	c.Encoder, c.Tokenizer, c.PrefixSpace = enc, fmt.Sprintf("%s %t", enc.fingerprint, t.EncodeSpecialTokens), enc.prefixSpace
	c.BOS, c.EOS, c.Segment = t.BosTokenID, t.EosTokenID, t.SegmentBeforeTokenization
	if c.Fields.ID == nil {
		c.Fields.ID = new(string)
	}
	if cfg.FilesPerProcess != nil {
		c.FilesPerGroup = *cfg.FilesPerProcess
	}
	var report tokens.Report
	err = r.watch("tokens", p, func(ctx context.Context) (err error) {
		report, err = tokens.Run(ctx, c)
		return err
	})
	if err != nil {
		return err
	}
	if r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	if report.AlreadyDone {
		r.progress.print("tokens: nothing to do, an earlier run of this command is complete; it wrote:")
	} else {
		r.summary("tokens", p)
	}
	fmt.Fprintf(r.OutOrStdout(), "%d tokens of %d documents (%.1f MB of text, %.2f bytes a token) in %d files, %d documents without text\n",
		report.Tokens, report.Documents, float64(report.Bytes)/1e6, float64(report.Bytes)/float64(report.Tokens), len(report.Files), report.Empty)
	return nil
}

// dataTokenizer is a tokenizer with what `data tokens` needs to know of its
// file.
type dataTokenizer struct {
	*tokenizer.Tokenizer
	fingerprint string
	prefixSpace bool
}

// tokenizerFile is what Dolma reads of a tokenizer.json beside the encoder
// (python/dolma/tokenizer/tokenizer.py, tokenizer_has_prefix).
type tokenizerFile struct {
	AddedTokens []struct {
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	Model struct {
		Vocab json.RawMessage `json:"vocab"`
	} `json:"model"`
	PreTokenizer struct {
		Type           string `json:"type"`
		AddPrefixSpace bool   `json:"add_prefix_space"`
		Pretokenizers  []struct {
			AddPrefixSpace bool `json:"add_prefix_space"`
		} `json:"pretokenizers"`
	} `json:"pre_tokenizer"`
	Normalizer struct {
		Type        string `json:"type"`
		Normalizers []struct {
			Type string `json:"type"`
		} `json:"normalizers"`
	} `json:"normalizer"`
}

// loadDataTokenizer finds and loads a tokenizer; with plain, special tokens in
// texts are not told from other text.
func loadDataTokenizer(name string, plain bool) (*dataTokenizer, error) {
	path, err := findTokenizer(name)
	if err != nil {
		return nil, err
	}
	text, err := tokenizer.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading tokenizer: %w", err)
	}
	t, err := tokenizer.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	var file tokenizerFile
	if err := pyjson.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	out := &dataTokenizer{Tokenizer: t, fingerprint: t.Fingerprint()}
	out.prefixSpace = file.PreTokenizer.AddPrefixSpace && file.PreTokenizer.Type != "Sequence" || file.Normalizer.Type == "Prepend"
	for _, p := range file.PreTokenizer.Pretokenizers {
		out.prefixSpace = out.prefixSpace || p.AddPrefixSpace
	}
	for _, n := range file.Normalizer.Normalizers {
		out.prefixSpace = out.prefixSpace || n.Type == "Prepend"
	}
	if plain {
		if out.Tokenizer, err = withoutSpecial(text, &file); err != nil {
			return nil, fmt.Errorf("tokenizer %s: encode_special_tokens: %w", path, err)
		}
	}
	return out, nil
}

// withoutSpecial loads a tokenizer.json as if it named no special tokens.
func withoutSpecial(text []byte, file *tokenizerFile) (*tokenizer.Tokenizer, error) {
	var whole map[string]json.RawMessage
	if err := pyjson.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	var added []json.RawMessage
	if err := pyjson.Value(whole["added_tokens"], &added); err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	var vocab map[string]json.RawMessage
	if json.Unmarshal(file.Model.Vocab, &vocab) != nil {
		vocab = nil // a list, as Unigram has
	}
	var kept []json.RawMessage
	dropped := false
	for i, a := range file.AddedTokens {
		_, known := vocab[a.Content]
		if a.Special {
			dropped = dropped || !known
			continue
		}
		// Tokens outside the vocabulary are numbered in order: one that comes
		// after a token that is left out would get another id.
		if dropped && !known {
			return nil, fmt.Errorf("added token %q would change its id", a.Content)
		}
		kept = append(kept, added[i])
	}
	var err error
	if whole["added_tokens"], err = json.Marshal(kept); err != nil {
		return nil, err
	}
	// A template would name the tokens that are gone; it is not used here.
	whole["post_processor"] = json.RawMessage("null")
	if text, err = json.Marshal(whole); err != nil {
		return nil, err
	}
	return tokenizer.Parse(text)
}

// findTokenizer finds a tokenizer.json by its path, its folder, or a name
// below the folder OLMO_MODELS: org/name is org/name/tokenizer.json or
// org_name.json there, packed or not.
func findTokenizer(name string) (string, error) {
	candidates := []string{name, filepath.Join(name, "tokenizer.json")}
	if dir := os.Getenv("OLMO_MODELS"); dir != "" {
		flat := strings.ReplaceAll(name, "/", "_")
		candidates = append(candidates, filepath.Join(dir, name, "tokenizer.json"), filepath.Join(dir, flat+".json"), filepath.Join(dir, name))
	}
	for _, c := range candidates {
		for _, packed := range []string{"", ".gz", ".zst", ".bz2"} {
			if st, err := os.Stat(c + packed); err == nil && !st.IsDir() {
				return c + packed, nil
			}
		}
	}
	return "", fmt.Errorf("tokenizer %s is not there (looked for %s)\nhint: give the path of a tokenizer.json, or set OLMO_MODELS to the folder that holds it", name, strings.Join(candidates, ", "))
}
