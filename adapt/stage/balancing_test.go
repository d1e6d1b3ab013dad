package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/model"
	"olmo/runlog"
	"olmo/tensor"
	"olmo/train"
	"olmo/weights"
)

// balancing is a fixture of testdata/balancing.py.
type balancing struct {
	Loss    float64   `json:"loss"`
	Aux     float64   `json:"aux_loss"`
	Norm    float64   `json:"grad_norm"`
	Routers []float64 `json:"router_norms"` // of each layer's matrix
}

func (b *balancing) compare(t *testing.T, rec runlog.Record) {
	t.Helper()
	near(t, "the loss", rec["train_loss"].(float64), b.Loss, 5e-6)
	near(t, "the gradient norm", rec["optim/total_grad_norm"].(float64), b.Norm, 2e-4)
	if aux, ok := rec[train.AuxiliaryLoss].(float64); ok {
		near(t, "the loss of load balancing", aux, b.Aux, 5e-6)
	}
	for l, want := range b.Routers {
		near(t, fmt.Sprintf("the gradient norm of router %d", l), rec[fmt.Sprintf("optim/grad/model.layers.%d.mlp.gate.weight.norm", l)].(float64), want, 2e-4)
	}
}

// mixture writes the model of testdata/balancing.py, with weights that are a function of their names and places.
func mixture(t *testing.T, coefficient float64) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`{"model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": 40, "hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2,
 "num_key_value_heads": 2, "max_position_embeddings": 32, "num_experts": 6, "num_experts_per_tok": 2, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
 "router_aux_loss_coef": %v, "eos_token_id": 0, "pad_token_id": 1, "tie_word_embeddings": false}`, coefficient)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	c := &model.Config{Family: "olmoe", Layers: 2, C: 16, H: 2, KV: 2, D: 8, F: 12, V: 40, VocabSize: 40, T: 32, Norm: model.NormKind{RMS: true, Weight: true}, QKNorm: &model.NormKind{RMS: true, Weight: true}, RopeTheta: 10000, Experts: 6, TopK: 2}
	params := c.Params()
	slices.SortFunc(params, func(a, b model.Param) int { return strings.Compare(a.Name, b.Name) })
	var all []weights.Named
	for k, p := range params {
		w := make([]float32, p.Size())
		for i := range w {
			x := float64(uint32(uint64(i)*2654435761+uint64(k+1)*2246822519))/(1<<32) - 0.5
			if w[i] = float32(0.9 * x); strings.HasSuffix(p.Name, "norm.weight") {
				w[i] = float32(1 + float64(0.4*x))
			}
		}
		all = append(all, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, w)})
	}
	if err := weights.WriteSafetensors(filepath.Join(dir, "model.safetensors"), all, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBalancing: loss, auxiliary loss and gradients of Transformers' OLMoE in open-instruct's micro-batches,
// whatever goes through the model at a time here.
func TestBalancing(t *testing.T) {
	var fixture struct {
		Coefficient float64   `json:"router_aux_loss_coef"`
		IDs         [][]int32 `json:"rows"`
		Prompts     []int     `json:"prompts"`

		One     balancing `json:"sft_one"`
		Two     balancing `json:"sft_two"`
		Four    balancing `json:"sft_four"`
		Heavy   balancing `json:"sft_heavy"`
		Without balancing `json:"sft_without"`
		DPO     balancing `json:"dpo"`
	}
	text, err := os.ReadFile("testdata/balancing.json")
	if err == nil {
		err = json.Unmarshal(text, &fixture)
	}
	if err != nil {
		t.Fatal(err)
	}
	rows := func(chosen ...int) (b batch) {
		for _, i := range chosen {
			ids, labels := fixture.IDs[i], slices.Clone(fixture.IDs[i])
			for j := range fixture.Prompts[i] {
				labels[j] = -100
			}
			b.IDs, b.Labels, b.Attention = append(b.IDs, ids), append(b.Labels, labels), append(b.Attention, slices.Repeat([]int32{1}, len(ids)))
		}
		return b
	}
	from := mixture(t, fixture.Coefficient)
	l, err := model.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start := func(t *testing.T, c *Config, r *Rows) *Run {
		weight, err := l.RouterLossWeight()
		if err != nil {
			t.Fatal(err)
		}
		c.ModelNameOrPath, c.Shuffle, c.LearningRate, c.ClipGradNorm = from, false, 0, nil
		one := 1
		c.MaxTrainSteps = &one
		return &Run{Config: c, DType: tensor.F32, start: from, positions: l.Config.T, vocabulary: l.Config.V, experts: l.Config.Experts, routerWeight: weight, Rows: r}
	}
	heavy, light := 0.5, 0.3
	for name, c := range map[string]struct {
		rows int // of a micro-batch of open-instruct's
		on   bool
		at   *float64
		want *balancing
	}{
		"one micro-batch": {4, true, nil, &fixture.One},
		"two":             {2, true, nil, &fixture.Two},
		"four":            {1, true, nil, &fixture.Four},
		"by a weight":     {2, true, &heavy, &fixture.Heavy},
		"without":         {2, false, nil, &fixture.Without},
	} {
		norm := 0.
		for _, micro := range []int{1, 3, 4} {
			for _, again := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d rows at a time/recomputed %t", name, micro, again), func(t *testing.T) {
					cfg := DefaultSFT()
					cfg.OutputDir, cfg.Reduction, cfg.LoadBalancingLoss, cfg.LoadBalancingWeight = t.TempDir(), Mean, c.on, c.at
					cfg.PerDeviceTrainBatchSize, cfg.GradientAccumulationSteps, cfg.GradientCheckpointing = c.rows, 4/c.rows, again
					r := start(t, &cfg.Config, prepared(t, cfg.OutputDir, l.Config.V, rows(0, 1, 2, 3)))
					if err := cfg.plan(r); err != nil {
						t.Fatal(err)
					}
					r.Train.Tokenizer.Identifier, r.Train.DeviceTrainMicrobatchSize, r.Train.Wandb = "", micro, &train.WandbConfig{LogInterval: 1}
					_, rec := firstStep(t, r)
					if _, logged := rec[train.AuxiliaryLoss]; logged != c.on {
						t.Errorf("the log has the auxiliary loss: %t", logged)
					}
					c.want.compare(t, rec)
					if got := rec["optim/total_grad_norm"].(float64); norm != 0 && got != norm {
						t.Errorf("the gradient norm is %v, and %v in other micro-batches", got, norm)
					} else {
						norm = got
					}
				})
			}
		}
	}
	if _, err := LoadSFT(filepath.Join(writeConfig(t, from), "c.yaml"), []string{"load_balancing_weight=0"}); err == nil || !strings.Contains(err.Error(), "load_balancing_weight is 0") {
		t.Errorf("a weight of 0: %v", err)
	}
	dense := start(t, &DefaultSFT().Config, nil)
	dense.experts = 0
	if err := (&Balancing{LoadBalancingLoss: true}).balance(dense, 0.01); err == nil || !strings.Contains(err.Error(), "no experts") {
		t.Errorf("a model without experts: %v", err)
	}
	t.Run("dpo", func(t *testing.T) {
		cfg := DefaultDPO()
		cfg.OutputDir, cfg.LossType, cfg.Beta, cfg.LoadBalancingLoss, cfg.LoadBalancingWeight, cfg.PerDeviceTrainBatchSize = t.TempDir(), "dpo", 0.1, true, &light, 2
		r := start(t, &cfg.Config, prepared(t, cfg.OutputDir, l.Config.V, rows(0, 2), rows(1, 3)))
		if err := cfg.plan(t.Context(), r, host(t)); err != nil {
			t.Fatal(err)
		}
		r.Train.Tokenizer.Identifier, r.Train.DeviceTrainMicrobatchSize, r.Train.Wandb = "", 1, &train.WandbConfig{LogInterval: 1}
		_, rec := firstStep(t, r)
		fixture.DPO.compare(t, rec)
	})
}

// writeConfig writes a config of a stage from a model, c.yaml, and returns its folder.
func writeConfig(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte("model_name_or_path: "+from+"\ndataset_mixer_list: [a.jsonl, \"1.0\"]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}
