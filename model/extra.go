package model

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/tensor"
	"olmo/weights"
)

// ExtraError is a checkpoint with tensors that its config has no place for. The model that the
// config describes is then another than the one that was saved.
type ExtraError struct {
	Path    string
	Tensors []string
}

func (e *ExtraError) Error() string {
	return fmt.Sprintf("%s: the config has no place for %s\nhint: mend the config (biases of the attention are attention_bias), merge adapters first, or leave these out with --ignore-extra",
		e.Path, tensorList(e.Tensors))
}

// MissingError is a checkpoint without tensors that its config asks for.
type MissingError struct {
	Path    string
	Tensors []string
}

func (e *MissingError) Error() string {
	verb := "is"
	if len(e.Tensors) > 1 {
		verb = "are"
	}
	return fmt.Sprintf("%s: %s %s missing, which the config asks for\nhint: fetch the files again, or mend the config: its number of layers, biases, tied embeddings",
		e.Path, tensorList(e.Tensors), verb)
}

// complete is an error when a tensor that the config asks for is not there, or is of another
// shape. Only headers are read.
func (l *Loaded) complete() error {
	shapes := map[string][]int{}
	for _, n := range l.Set.All() {
		shapes[n.Name] = n.Shape
	}
	var missing []string
	var other error
	for _, t := range l.layout.tensors {
		file, want := l.file(t), l.layout.shapes[t]
		shape, ok := shapes[file]
		switch {
		case !ok:
			missing = append(missing, file)
		case other == nil && !fits(shape, want):
			other = fmt.Errorf("%s: %w", l.Path, &ShapeError{Tensor: file, Shape: shape, Want: want})
		}
	}
	if len(missing) > 0 {
		return &MissingError{l.Path, missing}
	}
	return other
}

// fits tells whether a tensor of a file has the shape that the config asks for. A row may be
// stored as a matrix of one.
func fits(shape, want []int) bool {
	if slices.Equal(shape, want) {
		return true
	}
	n, err := tensor.Count(shape)
	return err == nil && len(want) == 1 && n == want[0]
}

// tensorList counts tensors and names the first ones.
func tensorList(names []string) string {
	const most = 8
	s := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) == 1 {
		return "the tensor " + s
	}
	if n := len(names) - most; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%d tensors: %s", len(names), s)
}

// buffers are what older versions of programs saved beside the weights, and make again from the
// config: ends of names, with the shape that tells a mask from a bias.
var buffers = []struct {
	end string
	fit func(shape []int) bool
}{
	{"rotary_emb.inv_freq", isRow},
	{"rotary_emb.cos_cached", isAny},
	{"rotary_emb.sin_cached", isAny},
	{"attention.bias", isMask}, // GPT-NeoX
	{"attn.bias", isMask},
	{"causal_mask", isMask},
	{"attention.masked_bias", isOne},
	{"attn.masked_bias", isOne},
}

func isAny([]int) bool { return true }

func isRow(shape []int) bool { return len(shape) == 1 }

func isOne(shape []int) bool {
	n, err := tensor.Count(shape)
	return err == nil && n == 1
}

// isMask knows the shape [1,1,T,T] of which positions see which, also without the ones.
func isMask(shape []int) bool {
	n := len(shape)
	if n < 2 || shape[n-1] != shape[n-2] {
		return false
	}
	return !slices.ContainsFunc(shape[:n-2], func(d int) bool { return d != 1 })
}

func isBuffer(n weights.Named) bool {
	for _, b := range buffers {
		if (n.Name == b.end || strings.HasSuffix(n.Name, "."+b.end)) && b.fit(n.Shape) {
			return true
		}
	}
	return false
}

// aside are beginnings of the names of parts that a text model leaves out by design.
var aside = sync.OnceValue(func() []partAside {
	return []partAside{
		{regexp.MustCompile(`^(model\.)?(vision_tower|vision_model|vision_encoder|vision_embed_tokens|visual|multi_modal_projector|mm_projector|image_newline)(\.|$)`), images},
		{regexp.MustCompile(`^(model\.)?(audio_tower|audio_encoder|audio_projector)\.`), sound},
		{regexp.MustCompile(`^(model\.)?mtp\.`), multiToken},
	}
})

type partAside struct {
	name *regexp.Regexp
	part string
}

const (
	images     = "parts for images"
	sound      = "parts for sound"
	multiToken = "heads that predict several tokens"
)

// inLayer cuts a name at the number of its layer.
var inLayer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^((?:.*\.)?(?:layers|blocks|blk)\.)(\d+)\.(.*)`)
})

// multiTokenLayers are the layers, behind the model's own, that predict tokens further ahead:
// one of their tensors joins the state with the embedding of the next token.
func (l *Loaded) multiTokenLayers() map[int]bool {
	layers := map[int]bool{}
	for _, name := range l.Set.Names() {
		if m := inLayer().FindStringSubmatch(name); m != nil && (strings.HasPrefix(m[3], "eh_proj.") || strings.HasPrefix(m[3], "nextn.")) {
			if n, err := strconv.Atoi(m[2]); err == nil && n >= l.Config.Layers {
				layers[n] = true
			}
		}
	}
	return layers
}

// account finds what becomes of each tensor that the config does not ask for: buffers go, parts
// that a text model leaves out are noted, and all others are Extra.
func (l *Loaded) account() {
	wanted := map[string]bool{l.head: true}
	if l.GGUF != nil {
		for _, name := range []string{"rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"} {
			wanted[name] = true // which were read with the metadata
		}
	}
	for _, t := range l.layout.tensors {
		wanted[l.file(t)] = true
	}
	further := l.multiTokenLayers()
	parts := map[string]int{}
	for _, n := range l.Set.All() {
		if wanted[n.Name] || isBuffer(n) {
			continue
		}
		part := ""
		for _, a := range aside() {
			if a.name.MatchString(n.Name) {
				part = a.part
			}
		}
		if m := inLayer().FindStringSubmatch(n.Name); m != nil {
			if layer, err := strconv.Atoi(m[2]); err == nil && further[layer] {
				part = multiToken
			}
		}
		if part == "" {
			l.Extra = append(l.Extra, n.Name)
		} else {
			parts[part]++
		}
	}
	for _, part := range []string{images, sound, multiToken} {
		if n := parts[part]; n > 0 {
			l.Notes = append(l.Notes, fmt.Sprintf("%s are left out (tensors: %d): this is the text model alone", part, n))
		}
	}
}

// Told is what whoever opened the model should be told: Notes, and what was left out.
func (l *Loaded) Told() []string {
	told := slices.Clone(l.Notes)
	if l.Stored != "" {
		told = append(told, "the weights are stored as "+l.Stored+" and computed as float32")
	}
	if len(l.Extra) > 0 {
		told = append(told, "the config has no place for "+tensorList(l.Extra)+"; the model is computed without")
	}
	return told
}
