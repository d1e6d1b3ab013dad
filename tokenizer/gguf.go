package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// GGUFVocab is the vocabulary in the metadata of a GGUF file; the comments name
// the keys below tokenizer.ggml.
type GGUFVocab struct {
	Model  string    // model: "gpt2" for byte-level BPE, "llama" for SentencePiece's
	Pre    string    // pre: how gpt2 cuts text into words
	Tokens []string  // tokens, by id
	Types  []int32   // token_type, by id
	Scores []float32 // scores, by id; llama only
	Merges []string  // merges; gpt2 only
	BOS    int32     // bos_token_id, −1 for none
	EOS    int32     // eos_token_id, −1 for none
	AddBOS bool      // add_bos_token
	AddEOS bool      // add_eos_token
	// NoSpacePrefix is the opposite of add_space_prefix; llama only.
	NoSpacePrefix bool
}

// ggml's types of tokens.
const (
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
	ggufUnused      = 5
)

// ggufPatterns gives the expression that a name of llama.cpp (llama-vocab.cpp)
// stands for; digits are cut off one by one first where it starts with digits.
var ggufPatterns = map[string]string{
	"gpt-2": gpt2Pattern, "olmo": gpt2Pattern, "mpt": gpt2Pattern, "gpt2": gpt2Pattern,
	"smollm": digitsFirst, "starcoder": digitsFirst, "refact": digitsFirst, "command-r": digitsFirst, "codeshell": digitsFirst,
	"llama-bpe": cl100kPattern, "llama3": cl100kPattern, "llama-v3": cl100kPattern, "dbrx": cl100kPattern, "smaug-bpe": cl100kPattern,
	"qwen2": `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
}

const digitsFirst = "digits"

// FromGGUF makes a tokenizer of a GGUF file's vocabulary.
func FromGGUF(v GGUFVocab) (*Tokenizer, error) {
	data, err := v.JSON()
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return t, nil
}

// JSON returns the vocabulary as tokenizer.json.
func (v GGUFVocab) JSON() ([]byte, error) {
	if len(v.Types) != 0 && len(v.Types) != len(v.Tokens) {
		return nil, fmt.Errorf("GGUF vocabulary: %d token types for %d tokens", len(v.Types), len(v.Tokens))
	}
	type object = map[string]any
	ids := make(map[string]int32, len(v.Tokens))
	added := []AddedToken{}
	unk := ""
	for id, s := range v.Tokens {
		if len(v.Types) > 0 && v.Types[id] == ggufUnused {
			continue // it fills the rows of the embedding that no token has
		}
		if old, ok := ids[s]; ok {
			return nil, fmt.Errorf("GGUF vocabulary: token %q has ids %d and %d", s, old, id)
		}
		ids[s] = int32(id)
		if len(v.Types) == 0 {
			continue
		}
		switch v.Types[id] {
		case ggufUnknown:
			unk = s
			added = append(added, AddedToken{ID: int32(id), Content: s, Special: true})
		case ggufControl:
			added = append(added, AddedToken{ID: int32(id), Content: s, Special: true})
		case ggufUserDefined:
			added = append(added, AddedToken{ID: int32(id), Content: s})
		}
	}
	model := object{"type": "BPE", "vocab": ids}
	file := object{"version": "1.0", "added_tokens": added, "model": model}
	byteLevel := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
	words := object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	switch v.Model {
	case "gpt2":
		model["merges"] = v.Merges
		model["ignore_merges"] = v.Pre == "llama-bpe" || v.Pre == "llama3" || v.Pre == "llama-v3"
		file["decoder"] = byteLevel
		switch pattern, ok := ggufPatterns[v.Pre]; {
		case !ok:
			return nil, fmt.Errorf("GGUF vocabulary: unknown pre-tokenizer %q", v.Pre)
		case pattern == gpt2Pattern:
			file["pre_tokenizer"] = words
		case pattern == digitsFirst:
			file["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []any{object{"type": "Digits", "individual_digits": true}, words}}
		default:
			file["pre_tokenizer"] = object{"type": "Sequence", "pretokenizers": []any{
				object{"type": "Split", "pattern": object{"Regex": pattern}, "behavior": "Isolated", "invert": false}, byteLevel,
			}}
		}
	case "llama":
		if len(v.Scores) != len(v.Tokens) {
			return nil, fmt.Errorf("GGUF vocabulary: %d scores for %d tokens", len(v.Scores), len(v.Tokens))
		}
		model["merges"] = mergesOfScores(v, ids)
		model["byte_fallback"], model["fuse_unk"] = true, true
		if unk != "" {
			model["unk_token"] = unk
		}
		space := object{"type": "Replace", "pattern": object{"String": " "}, "content": "▁"}
		decoders := []any{object{"type": "Replace", "pattern": object{"String": "▁"}, "content": " "}, object{"type": "ByteFallback"}, object{"type": "Fuse"}}
		if v.NoSpacePrefix {
			file["normalizer"] = space
		} else {
			file["normalizer"] = object{"type": "Sequence", "normalizers": []any{object{"type": "Prepend", "prepend": "▁"}, space}}
			decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
		}
		file["decoder"] = object{"type": "Sequence", "decoders": decoders}
	default:
		return nil, fmt.Errorf("GGUF vocabulary: unknown model %q; known are gpt2 and llama", v.Model)
	}
	if v.AddBOS || v.AddEOS {
		single := []any{object{"Sequence": object{"id": "A", "type_id": 0}}}
		specials := object{}
		add := func(id int32) (any, error) {
			if id < 0 || int(id) >= len(v.Tokens) {
				return nil, errors.New("GGUF vocabulary: the token to add at the start or end has no id of the vocabulary")
			}
			s := v.Tokens[id]
			specials[s] = object{"id": s, "ids": []int32{id}, "tokens": []string{s}}
			return object{"SpecialToken": object{"id": s, "type_id": 0}}, nil
		}
		if v.AddBOS {
			p, err := add(v.BOS)
			if err != nil {
				return nil, err
			}
			single = append([]any{p}, single...)
		}
		if v.AddEOS {
			p, err := add(v.EOS)
			if err != nil {
				return nil, err
			}
			single = append(single, p)
		}
		file["post_processor"] = object{"type": "TemplateProcessing", "single": single, "special_tokens": specials}
	}
	data, err := json.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("GGUF vocabulary: %w", err)
	}
	return data, nil
}

// mergesOfScores lists the ways to make each token of two others, those of the
// token with the best score first, as SentencePiece prefers them.
func mergesOfScores(v GGUFVocab, ids map[string]int32) [][2]string {
	type merge struct {
		made        int32
		left, right string
	}
	var list []merge
	for id, s := range v.Tokens {
		if len(v.Types) > 0 && v.Types[id] != 1 && v.Types[id] != ggufUserDefined {
			continue
		}
		for i := range s {
			if i == 0 {
				continue
			}
			_, left := ids[s[:i]]
			_, right := ids[s[i:]]
			if left && right {
				list = append(list, merge{int32(id), s[:i], s[i:]})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b merge) int { return cmp.Compare(v.Scores[b.made], v.Scores[a.made]) })
	out := make([][2]string, len(list))
	for i, m := range list {
		out[i] = [2]string{m.left, m.right}
	}
	return out
}
