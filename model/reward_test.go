package model_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/tensor"
)

// pairs are chosen and rejected sequences, and the last row of each.
func pairs(chosen, rejected [][]int32) (b *graph.Batch, last [][2]int) {
	b, last = &graph.Batch{}, make([][2]int, len(chosen))
	for i := range chosen {
		for j, ids := range [][]int32{chosen[i], rejected[i]} {
			b.IDs, b.Segments = append(b.IDs, ids...), append(b.Segments, graph.Segment{Rows: len(ids)})
			last[i][j] = len(b.IDs) - 1
		}
	}
	return b, last
}

// bradleyTerry is the mean of −log σ(chosen − rejected), and its derivatives.
func bradleyTerry(last [][2]int, reward func(row int) float64) (loss float64, seed func(y, d []float32)) {
	n := float64(len(last))
	for _, p := range last {
		loss += math.Log1p(math.Exp(reward(p[1])-reward(p[0]))) / n
	}
	return loss, func(y, d []float32) {
		clear(d)
		for _, p := range last {
			slope := 1 / (1 + math.Exp(float64(y[p[0]])-float64(y[p[1]]))) / n
			d[p[0]], d[p[1]] = float32(-slope), float32(slope)
		}
	}
}

// TestRewardGolden compares rewards, Bradley–Terry's loss and the gradients' norms with open-instruct's
// fixtures.
func TestRewardGolden(t *testing.T) {
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN names no folder of reference fixtures")
	}
	read := func(path string, to any) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, "adapt", "cases", path))
		if err != nil {
			t.Skip(err)
		}
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	for _, family := range []string{"olmo1", "olmo2"} {
		t.Run(family, func(t *testing.T) {
			var want struct {
				Float64 struct {
					Head, Chosen, Rejected []float64
					Loss                   float64
					GradNorm               struct {
						PerParam map[string]float64 `json:"per_param"`
					} `json:"grad_norm"`
				} `json:"float64"`
			}
			read(family+"/reward_model.json", &want)
			var rows struct {
				Float64 struct {
					Batch struct {
						Chosen       [][]int32 `json:"chosen_input_ids"`
						ChosenMask   [][]int   `json:"chosen_attention_mask"`
						Rejected     [][]int32 `json:"rejected_input_ids"`
						RejectedMask [][]int   `json:"rejected_attention_mask"`
					}
				} `json:"float64"`
			}
			read(family+"/dpo.json", &rows)
			cut := func(ids [][]int32, mask [][]int) [][]int32 {
				for i, m := range mask {
					ids[i] = ids[i][:slices.Index(append(m, 0), 0)]
				}
				return ids
			}
			q := rows.Float64.Batch
			b, last := pairs(cut(q.Chosen, q.ChosenMask), cut(q.Rejected, q.RejectedMask))

			l := open(t, filepath.Join(root, "adapt", "cases", family, "policy"))
			c := l.Config.AsReward()
			g := graph.New()
			c.RewardsAndGradients(g, model.RecomputeNothing)
			dev := cpuDevice(t)
			p, err := dev.Compile(g, device.Options{Rows: len(b.IDs)})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range c.Params() {
				w := make([]float32, 0, q.Size())
				if q.Name == model.RewardHead {
					for _, x := range want.Float64.Head {
						w = append(w, float32(x))
					}
				} else if w, err = l.Param(q.Name); err != nil {
					t.Fatal(err)
				}
				if err := dev.Write(q.Name, w); err != nil {
					t.Fatal(err)
				}
			}
			_, b.Seed = bradleyTerry(last, func(int) float64 { return 0 })
			if err := p.Run(b); err != nil {
				t.Fatal(err)
			}
			rewards := p.Output("reward")
			for i, r := range last {
				if x, y := float64(rewards[r[0]]), float64(rewards[r[1]]); math.Abs(x-want.Float64.Chosen[i]) > 1e-5 || math.Abs(y-want.Float64.Rejected[i]) > 1e-5 {
					t.Errorf("pair %d has rewards %v and %v, want %v and %v", i, x, y, want.Float64.Chosen[i], want.Float64.Rejected[i])
				}
			}
			loss, _ := bradleyTerry(last, func(row int) float64 { return float64(rewards[row]) })
			if math.Abs(loss/want.Float64.Loss-1) > 5e-6 {
				t.Errorf("loss %v, want %v", loss, want.Float64.Loss)
			}
			stored, err := c.Stored(model.HuggingFace)
			if err != nil {
				t.Fatal(err)
			}
			compared := 0
			for _, s := range stored {
				norm := 0.0
				for _, r := range s.Rows {
					v, _ := g.Lookup(r.Param)
					grads := g.Grads(v)
					if len(grads) != 1 {
						t.Fatalf("%s has %d gradients", r.Param, len(grads))
					}
					d, err := dev.Read(g.Info(grads[0]).Name)
					if err != nil {
						t.Fatal(err)
					}
					cols := 1
					for _, n := range s.Shape[1:] {
						cols *= n
					}
					for _, x := range d[r.Row*cols : (r.Row+r.Count)*cols] {
						norm += float64(x) * float64(x)
					}
				}
				if w, ok := want.Float64.GradNorm.PerParam[s.Name]; ok {
					compared++
					if got := math.Sqrt(norm); math.Abs(got/w-1) > 2e-4 {
						t.Errorf("the gradient of %s has the norm %v, want %v", s.Name, got, w)
					}
				}
			}
			if compared != len(want.Float64.GradNorm.PerParam) {
				t.Errorf("%d gradients were compared, of %d", compared, len(want.Float64.GradNorm.PerParam))
			}
		})
	}
}

// TestRewardGradients compares the gradients of a pair's loss with finite differences of the float64
// references, in every family.
func TestRewardGradients(t *testing.T) {
	for name, family := range families() {
		t.Run(name, func(t *testing.T) {
			c := family.AsReward()
			g := graph.New()
			c.RewardsAndGradients(g, model.WholeLayer)
			b, last := pairs([][]int32{{3, 7, 1, 15}, {2, 2}}, [][]int32{{3, 7, 4, 0, 9}, {2, 11, 6}})
			mem := graph.Memory{}
			r := rand.New(rand.NewPCG(3, 4))
			for _, p := range g.Params() {
				a := g.NewArray(p, b)
				for i := range a.Data {
					a.Data[i] = 0.5 * r.NormFloat64()
				}
				mem[g.Info(p).Name] = a
			}
			reward, _ := g.Lookup("reward")
			_, b.Seed = bradleyTerry(last, func(int) float64 { return 0 })
			loss := func() float64 {
				vals := g.Eval(b, mem)
				l, _ := bradleyTerry(last, func(row int) float64 { return vals[reward].Data[row] })
				return l
			}
			loss()
			grads := map[string][]float64{} // later losses add to those in mem
			for _, name := range []string{model.RewardHead, g.Info(g.Params()[0]).Name} {
				v, _ := g.Lookup(name)
				if len(g.Grads(v)) != 1 {
					t.Fatalf("%s has %d gradients", name, len(g.Grads(v)))
				}
				grads[name] = slices.Clone(mem[g.Info(g.Grads(v)[0]).Name].Data)
			}
			for name, grad := range grads {
				p := mem[name].Data
				for i := range min(len(p), 60) {
					const h = 1e-5
					old := p[i]
					p[i] = old + h
					up := loss()
					p[i] = old - h
					down := loss()
					p[i] = old
					// The derivatives pass through float32.
					if want := (up - down) / (2 * h); math.Abs(want-grad[i]) > 1e-5*(1+math.Abs(want)) {
						t.Errorf("d/d%s[%d] = %v, finite difference %v", name, i, grad[i], want)
					}
				}
			}
		})
	}
}

// TestRewardFiles: a reward model is a folder of Transformers' …ForSequenceClassification with
// score.weight, opens with the same numbers, and has no other layout.
func TestRewardFiles(t *testing.T) {
	want := map[string]string{
		"olmo 1": "Olmo", "olmo 2": "Olmo2", "olmo 3": "Olmo3", "olmoe": "Olmoe", "llama": "Llama", "mixtral": "Mixtral", "mpt": "Mpt", "gpt-neox": "GPTNeoX",
		"mistral": "Mistral", "qwen 2": "Qwen2", "qwen 3": "Qwen3", "gpt-2": "GPT2", "gemma 3": "Gemma3Text", "opt": "OPT", "bloom": "Bloom", "phi 3": "Phi3",
	}
	for name, family := range families() {
		t.Run(name, func(t *testing.T) {
			c := family.AsReward()
			init := model.Init{Fn: "normal", Std: 0.1}
			params := map[string]model.Param{}
			for _, p := range c.Params() {
				params[p.Name] = p
			}
			get := func(name string) ([]float32, error) { return init.Weights(c, params[name], 3) }
			dir := t.TempDir()
			err := model.SaveHF(dir, c, get, tensor.F32, 0, nil)
			if _, plain := family.Stored(model.HuggingFace); plain != nil || errors.Is(err, model.ErrLayout) {
				return // Transformers has no such model
			}
			if err != nil {
				t.Fatal(err)
			}
			config := readJSON(t, filepath.Join(dir, "config.json"))
			class := config["architectures"].([]any)[0].(string)
			if w := want[name]; w != "" && class != w+"ForSequenceClassification" {
				t.Errorf("the class is %s, want %sForSequenceClassification", class, w)
			}
			if labels, _ := config["id2label"].(map[string]any); len(labels) != 1 {
				t.Errorf("id2label is %v", config["id2label"])
			}
			l := open(t, dir)
			if !l.Config.Reward || l.Config.Tied || !l.Set.Has(model.RewardHead) || l.Set.Has("lm_head.weight") {
				t.Errorf("opened as %+v", l.Config)
			}
			head, err := l.Param(model.RewardHead)
			if err != nil {
				t.Fatal(err)
			}
			if w, _ := get(model.RewardHead); !slices.Equal(head, w) {
				t.Errorf("the head is %v, want %v", head, w)
			}
			for _, as := range []model.Layout{model.Native, model.GGUF} {
				if _, err := saveAs(t.TempDir(), as, c, get, tensor.F32); !errors.Is(err, model.ErrLayout) {
					t.Errorf("as %s: %v, want ErrLayout", as, err)
				}
			}
			// A training config can say it.
			section, err := c.Section()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := section.Config(); err != nil || !again.Reward {
				t.Errorf("the section model gives %+v, %v", again, err)
			}
		})
	}
}

// TestNoReward: a classifier of several classes is refused by its labels.
func TestNoReward(t *testing.T) {
	c, _ := tinyOLMo2()
	r := c.AsReward()
	params := map[string]model.Param{}
	for _, p := range r.Params() {
		params[p.Name] = p
	}
	dir := t.TempDir()
	get := func(name string) ([]float32, error) { return make([]float32, params[name].Size()), nil }
	if err := model.SaveHF(dir, r, get, tensor.F32, 0, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.json")
	config := readJSON(t, path)
	for name, change := range map[string]func(m map[string]any){
		"two labels":     func(m map[string]any) { m["id2label"] = map[string]any{"0": "no", "1": "yes"} },
		"labels unsaid":  func(m map[string]any) { delete(m, "id2label") },
		"by their count": func(m map[string]any) { m["num_labels"] = 3 },
	} {
		m := map[string]any{}
		for k, v := range config {
			m[k] = v
		}
		change(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Open(dir); err == nil || !strings.Contains(err.Error(), "labels") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
