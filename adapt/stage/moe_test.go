package stage

import (
	"os"
	"path/filepath"
	"testing"

	"olmo/model"
	"olmo/tensor"
	"olmo/weights"
)

// TestRouterLosses: a run of ours whose routers had losses is tuned without, as load_balancing_loss says.
func TestRouterLosses(t *testing.T) {
	dir := t.TempDir()
	c, err := chats(t, dir, "model_name_or_path="+filepath.Join(dir, "moe"))
	if err != nil {
		t.Fatal(err)
	}
	section := `model: {d_model: 16, n_heads: 2, n_layers: 1, mlp_hidden_size: 32, block_type: moe, moe_num_experts: 2, moe_top_k: 1, moe_loss_weight: 0.1, moe_zloss_weight: 0.01,
  layer_norm_type: rms, rope: true, include_bias: false, attention_layer_norm: true, weight_tying: false, max_sequence_length: 64, vocab_size: 320, embedding_size: 320, eos_token_id: 0, pad_token_id: 1}
`
	moe := filepath.Join(dir, "moe")
	if err := os.MkdirAll(moe, 0o777); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "model", "tokenizer.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(moe, "tokenizer.json"), text, 0o666)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(moe, "config.yaml"), []byte(section), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := model.DefaultAI2()
	a.DModel, a.NHeads, a.NLayers, a.BlockType, a.MoENumExperts, a.MoETopK = 16, 2, 1, "moe", 2, 1
	hidden, size := 32, 320
	a.MLPHiddenSize, a.LayerNormType, a.Rope, a.IncludeBias, a.AttentionLayerNorm, a.WeightTying = &hidden, "rms", true, false, true, false
	a.MaxSequenceLength, a.VocabSize, a.EmbeddingSize = 64, 320, &size
	m, err := a.Config()
	if err != nil {
		t.Fatal(err)
	}
	var all []weights.Named
	for _, p := range m.Params() {
		w, err := model.Init{Fn: "normal", Std: 0.1}.Weights(m, p, 1)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, weights.Named{Name: p.Name, Tensor: tensor.FromFloat32(p.Shape, w)})
	}
	if err := weights.WriteSafetensors(filepath.Join(moe, "model.safetensors"), all, nil); err != nil {
		t.Fatal(err)
	}
	r, err := c.Plan(t.Context(), host(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Train.Model.Config()
	if err != nil {
		t.Fatal(err)
	}
	if got.Experts != 2 || got.BalanceWeight != 0 || got.RouterZWeight != 0 {
		t.Errorf("%d experts, and router losses of %v and %v", got.Experts, got.BalanceWeight, got.RouterZWeight)
	}
}
