package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"olmo/internal/pyjson"
	"olmo/store"
)

// namedTokens are the special tokens of every tokenizer, in the order in which
// Transformers adds those that tokenizer.json lacks.
var namedTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// besideTokens returns the added tokens that the files beside a tokenizer.json
// name and it lacks, in the order in which they get their ids: those of
// added_tokens_decoder by number, the named ones, the extra ones. have are
// those of tokenizer.json.
//
// As Transformers 5.23 (tokenization_utils_base.py, _from_pretrained, and
// TokenizersBackend.__init__): special_tokens_map.json and added_tokens.json
// count only where tokenizer_config.json has no added_tokens_decoder, and then
// before it.
func besideTokens(folder string, have []AddedToken) ([]AddedToken, error) {
	config, err := readKeys(filepath.Join(folder, "tokenizer_config.json"))
	if err != nil {
		return nil, err
	}
	var list []AddedToken
	if raw, ok := config.get("added_tokens_decoder"); ok {
		if list, err = decoderTokens(raw); err != nil {
			return nil, fmt.Errorf("%s: added_tokens_decoder: %w", filepath.Join(folder, "tokenizer_config.json"), err)
		}
	} else {
		older, err := readKeys(filepath.Join(folder, "special_tokens_map.json"))
		if err != nil {
			return nil, err
		}
		config = append(older, config...)
		if list, err = addedFile(filepath.Join(folder, "added_tokens.json"), config, have); err != nil {
			return nil, err
		}
	}
	// A token with other flags than in tokenizer.json has these.
	list = slices.DeleteFunc(list, func(a AddedToken) bool {
		return slices.ContainsFunc(have, func(b AddedToken) bool { b.ID = a.ID; return a == b })
	})
	known := map[string]bool{}
	for _, a := range slices.Concat(have, list) {
		known[a.Content] = true
	}
	for _, raw := range config.specials() {
		a, ok := specialToken(raw)
		if ok && !known[a.Content] {
			known[a.Content] = true
			list = append(list, a)
		}
	}
	return list, nil
}

// keys are the fields of a JSON object in their order.
type keys []field

type field struct {
	name  string
	value json.RawMessage
}

// readKeys reads a JSON object; none where there is no file.
func readKeys(path string) (keys, error) {
	data, err := store.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := delivered(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r := &jsonReader{data: strings.TrimPrefix(string(data), "\ufeff")}
	var out keys
	err = r.object(func(key string, _ int) error {
		raw, err := r.raw()
		out = append(out, field{key, raw})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// delivered is an error when Git or a server left something else under the name of a JSON file.
func delivered(data []byte) error {
	if err := store.Mistaken(data); err != nil {
		return err
	}
	// What has a bracket at its beginning, a reader of JSON says more about.
	if begin := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff"))); len(begin) > 0 && !bytes.ContainsAny(begin[:1], "{[") {
		return store.Message(data, "JSON")
	}
	return nil
}

// get returns the first field of that name that is not null.
func (k keys) get(name string) (json.RawMessage, bool) {
	for _, f := range k {
		if f.name == name && !isNull(f.value) {
			return f.value, true
		}
	}
	return nil, false
}

// specials returns what stands for special tokens: the named ones, others whose
// name ends with _token, then the extra ones.
func (k keys) specials() []json.RawMessage {
	var out []json.RawMessage
	for _, name := range namedTokens {
		if raw, ok := k.get(name); ok {
			out = append(out, raw)
		}
	}
	for _, f := range k {
		if strings.HasSuffix(f.name, "_token") && !slices.Contains(namedTokens, f.name) {
			out = append(out, f.value)
		}
	}
	extra, ok := k.get("extra_special_tokens")
	if !ok {
		extra, ok = k.get("additional_special_tokens")
	}
	if !ok {
		return out
	}
	var list []json.RawMessage
	if json.Unmarshal(extra, &list) == nil {
		return append(out, list...)
	}
	r := &jsonReader{data: string(extra)}
	_ = r.object(func(string, int) error {
		raw, err := r.raw()
		out = append(out, raw)
		return err
	})
	return out
}

// specialToken reads a special token: a text, or an object with flags.
func specialToken(raw json.RawMessage) (a AddedToken, ok bool) {
	if json.Unmarshal(raw, &a.Content) != nil && json.Unmarshal(raw, &a) != nil {
		return a, false
	}
	a.Special = true
	return a, a.Content != ""
}

// decoderTokens reads added_tokens_decoder, {"50": {"content": …}}.
func decoderTokens(raw json.RawMessage) ([]AddedToken, error) {
	var m map[string]AddedToken
	if err := pyjson.Value(raw, &m); err != nil {
		return nil, err
	}
	var list []AddedToken
	for number, a := range m {
		id, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no id", number)
		}
		a.ID = int32(id)
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	return list, nil
}

// addedFile reads added_tokens.json, {"token": id}. Tokens that are special
// elsewhere are so here, and an id that tokenizer.json has is its.
func addedFile(path string, config keys, have []AddedToken) ([]AddedToken, error) {
	file, err := readKeys(path)
	if err != nil {
		return nil, err
	}
	special := map[string]bool{}
	for _, raw := range config.specials() {
		if a, ok := specialToken(raw); ok {
			special[a.Content] = true
		}
	}
	var list []AddedToken
	for _, f := range file {
		a := AddedToken{Content: f.name, Special: special[f.name], Normalized: !special[f.name]}
		if err := pyjson.Value(f.value, &a.ID); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, f.name, err)
		}
		if !slices.ContainsFunc(have, func(b AddedToken) bool { return b.ID == a.ID }) {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	return list, nil
}
