package weights_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/tensor"
	"olmo/weights"
)

// ai2Name is a name as the ai2-olmo package writes it: base64 of a pickled pair.
func ai2Name(pickled bool, keys ...any) string {
	s := "\x80\x02("
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			s += pStr(k)
		case int:
			s += pInt(int64(k))
		default:
			s += "N"
		}
	}
	flag := "\x89"
	if pickled {
		flag = "\x88"
	}
	return base64.URLEncoding.EncodeToString([]byte(s + "t" + flag + "\x86."))
}

// TestAI2Files: names that are pickles make a nested dict, and dotted names of a flat set.
// Names that only look like them are taken as they are; one that does not fit the others, and
// a value where a dict is, are refused.
func TestAI2Files(t *testing.T) {
	bytes := func(text string) tensor.Tensor {
		return tensor.Tensor{DType: tensor.U8, Shape: []int{len(text)}, Data: []byte(text)}
	}
	file := func(named ...weights.Named) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := weights.WriteSafetensors(path, named, nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	show := func(v any) string {
		var walk func(v any) string
		walk = func(v any) string {
			switch v := v.(type) {
			case *weights.Dict:
				var parts []string
				for _, it := range v.Items {
					parts = append(parts, fmt.Sprintf("%v:%s", it.Key, walk(it.Value)))
				}
				slices.Sort(parts)
				return "{" + strings.Join(parts, " ") + "}"
			case weights.Named:
				return fmt.Sprint(v.Name, v.Shape)
			}
			return fmt.Sprint(v)
		}
		return walk(v)
	}
	for _, c := range []struct {
		name  string
		path  string
		names []string // of the set
		tree  string
		fails string // the tree, or the set where names is nil; both without a tree
	}{
		{"nested", file(
			weights.Named{Name: ai2Name(false, "state", 3, "avg"), Tensor: f32(1)}, weights.Named{Name: ai2Name(false, "state", 3, "sq"), Tensor: f32(1, 2)},
			weights.Named{Name: ai2Name(true, "groups"), Tensor: bytes("\x80\x02K\x07.")}, weights.Named{Name: ai2Name(false, "w"), Tensor: f32(1)},
		), []string{"state.3.avg", "state.3.sq", "w"}, "{groups:7 state:{3:{avg:[1] sq:[2]}} w:[1]}", ""},
		{"plain names", file(weights.Named{Name: "a", Tensor: f32(1)}, weights.Named{Name: "b.c", Tensor: f32(1)}), []string{"a", "b.c"}, "{a:[1] b.c:[1]}", ""},
		{"nothing", file(), nil, "{}", ""},
		{"base64 of something else", file(weights.Named{Name: base64.URLEncoding.EncodeToString([]byte("hello")), Tensor: f32(1)}), []string{"aGVsbG8="}, "{aGVsbG8=:[1]}", ""},
		{"a pickle of something else", file(weights.Named{Name: base64.URLEncoding.EncodeToString([]byte("\x80\x02K\x01.")), Tensor: f32(1)}), []string{"gAJLAS4="}, "{gAJLAS4=:[1]}", ""},
		{"a key of None", file(weights.Named{Name: ai2Name(false, nil), Tensor: f32(1)}), []string{ai2Name(false, nil)}, "{" + ai2Name(false, nil) + ":[1]}", ""},
		{"no keys", file(weights.Named{Name: ai2Name(false), Tensor: f32(1)}), []string{ai2Name(false)}, "{" + ai2Name(false) + ":[1]}", ""},
		{"a name that does not fit", file(weights.Named{Name: ai2Name(false, "a"), Tensor: f32(1)}, weights.Named{Name: "z", Tensor: f32(1)}), nil, "", `the name "z" is no pickle of the ai2-olmo package, others are`},
		{"two that become one", file(weights.Named{Name: ai2Name(false, "a", "b"), Tensor: f32(1)}, weights.Named{Name: ai2Name(false, "a.b"), Tensor: f32(1)}), nil, "{a.b:[1] a:{b:[1]}}", `two tensors are named "a.b"`},
		{"a value and a dict", file(weights.Named{Name: ai2Name(false, "a"), Tensor: f32(1)}, weights.Named{Name: ai2Name(false, "a", "b"), Tensor: f32(1)}), []string{"a", "a.b"}, "", "is a value and a dict"},
		{"one name in two spellings", file(
			weights.Named{Name: ai2Name(false, "a"), Tensor: f32(1)},
			weights.Named{Name: base64.URLEncoding.EncodeToString([]byte("\x80\x04\x8c\x01a\x85\x89\x86.")), Tensor: f32(1)},
		), nil, "", `two tensors are named "a"`},
		{"a damaged value", file(weights.Named{Name: ai2Name(true, "a"), Tensor: bytes("\x80\x02")}), []string{}, "", "value of [a]"},
	} {
		s, err := weights.Open(c.path)
		if c.names == nil && c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: the set %v, want %q", c.name, err, c.fails)
			}
		} else if err != nil || !slices.Equal(s.Names(), c.names) {
			t.Errorf("%s: names %q (%v), want %q", c.name, s.Names(), err, c.names)
		} else {
			for _, name := range s.Names() {
				if _, err := s.Tensor(name); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			s.Close()
		}
		tree, err := weights.OpenTree(c.path)
		if c.tree == "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) && !strings.Contains(err.Error(), "[a] appears twice") {
				t.Errorf("%s: the tree %v, want %q", c.name, err, c.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := show(tree.Root); got != c.tree {
			t.Errorf("%s: the tree is %s, want %s", c.name, got, c.tree)
		}
		tree.Close()
	}
}
