package stage

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/adapt"
	"olmo/device/cpu"
	"olmo/model"
	"olmo/objective"
	"olmo/runlog"
	"olmo/tensor"
	"olmo/train"
)

// batch are the rows of open-instruct's collator in a fixture.
type batch struct {
	IDs       [][]int32 `json:"input_ids"`
	Labels    [][]int32 `json:"labels"`
	Attention [][]int32 `json:"attention_mask"`
}

type norms struct {
	Global   float64            `json:"global"`
	PerParam map[string]float64 `json:"per_param"`
}

func golden(t *testing.T, name string, to any) {
	t.Helper()
	root := os.Getenv("OLMO_GOLDEN")
	if root == "" {
		t.Skip("OLMO_GOLDEN names no folder with fixtures")
	}
	text, err := os.ReadFile(filepath.Join(root, "adapt", "cases", name))
	if err != nil {
		t.Skip(err)
	}
	both := struct{ Float64 any }{to}
	if err := json.Unmarshal(text, &struct {
		Float64 any `json:"float64"`
	}{both.Float64}); err != nil {
		t.Fatal(err)
	}
}

// close compares a value with a fixture's.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if d := math.Abs(got-want) / math.Max(math.Abs(want), 1e-12); !(d <= tolerance) {
		t.Errorf("%s is %.9g, open-instruct has %.9g: off by %.2g", what, got, want, d)
	}
}

// prepared writes the rows of a fixture as Prepare would.
func prepared(t *testing.T, dir string, V int, batches ...batch) *Rows {
	t.Helper()
	w := newRowWriter(filepath.Join(dir, "rows"), V, answerCounts{&adapt.Counts{}})
	for i := range batches[0].IDs {
		for _, b := range batches { // of pairs the chosen answer, then the rejected one
			ids, n := b.IDs[i], 0
			for n < len(ids) && b.Attention[i][n] == 1 {
				n++
			}
			if err := w.put(&adapt.Example{IDs: ids[:n], Labels: b.Labels[i][:n]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.write(); err != nil {
		t.Fatal(err)
	}
	return w.r
}

// firstStep takes the first step of a plan.
func firstStep(t *testing.T, r *Run) (*train.Trainer, runlog.Record) {
	t.Helper()
	dev, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := train.New(r.Train, dev, train.Options{Record: Record})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	rec, err := tr.Step()
	if err != nil {
		t.Fatal(err)
	}
	return tr, rec
}

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	return m
}

// TestGolden: losses, gradient norms and the step of AdamW of open-instruct's functions.
func TestGolden(t *testing.T) {
	for _, family := range []string{"olmo1", "olmo2"} {
		var padded struct {
			Batch    batch   `json:"batch"`
			Loss     float64 `json:"loss_mean_double_softmax"`
			GradNorm norms   `json:"grad_norm"`
		}
		golden(t, family+"/sft_padded.json", &padded)
		var sum, means struct {
			Loss     float64 `json:"loss"`
			GradNorm norms   `json:"grad_norm"`
		}
		golden(t, family+"/sft_sum.json", &sum)
		golden(t, family+"/sft_grad_accum_mean_of_means.json", &means)
		var step struct {
			LR   float64 `json:"lr"`
			Clip float64 `json:"clip_grad_norm"`
			Norm float64 `json:"total_norm_before_clip"`

			Params    map[string]struct{ Sum, L2 float64 } `json:"params_after"`
			LossAfter float64                              `json:"loss_mean_after"`
		}
		golden(t, family+"/sft_adamw_step.json", &step)
		for _, c := range []struct {
			name      string
			reduction Reduction
			loss      float64
			norm      norms
			clip      *float64
		}{
			{"token", Token, padded.Loss, padded.GradNorm, nil},
			{"sum", Sum, sum.Loss, sum.GradNorm, nil},
			{"mean", Mean, means.Loss, means.GradNorm, nil},
			{"adamw", Token, padded.Loss, padded.GradNorm, &step.Clip},
		} {
			t.Run(family+"/"+c.name, func(t *testing.T) {
				root := filepath.Join(os.Getenv("OLMO_GOLDEN"), "adapt", "cases")
				cfg := DefaultSFT()
				cfg.ModelNameOrPath, cfg.OutputDir = filepath.Join(root, family, "policy"), t.TempDir()
				cfg.PerDeviceTrainBatchSize, cfg.GradientAccumulationSteps = 1, len(padded.Batch.IDs)
				cfg.Reduction, cfg.Shuffle, cfg.LearningRate, cfg.LRSchedulerType, cfg.ClipGradNorm = c.reduction, false, 2e-5, "constant", c.clip
				two := 2
				cfg.MaxTrainSteps = &two
				l, err := model.Open(cfg.ModelNameOrPath)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				r := &Run{Config: &cfg.Config, DType: tensor.F32, start: cfg.ModelNameOrPath, positions: l.Config.T, Rows: prepared(t, cfg.OutputDir, l.Config.V, padded.Batch)}
				if err := cfg.plan(r); err != nil {
					t.Fatal(err)
				}
				r.Train.Tokenizer.Identifier = ""
				tr, rec := firstStep(t, r)
				near(t, "the loss", rec["train_loss"].(float64), c.loss, 5e-6)
				near(t, "the gradient norm", rec["optim/total_grad_norm"].(float64), c.norm.Global, 2e-4)
				if rec["train/target_tokens"] != 78 && family == "olmo2" {
					t.Errorf("%v target tokens", rec["train/target_tokens"])
				}
				if c.name != "adamw" {
					return
				}
				after := map[string][]float32{}
				for _, p := range l.Config.Params() {
					if after[p.Name], err = tr.Device().Read(p.Name); err != nil {
						t.Fatal(err)
					}
				}
				compared := 0
				for name, want := range step.Params {
					if !strings.HasSuffix(name, "down_proj.weight") && !strings.HasSuffix(name, "o_proj.weight") && !strings.HasSuffix(name, "embed_tokens.weight") {
						continue
					}
					ours := "transformer.wte.weight"
					var layer int
					if n, _ := fmt.Sscanf(name, "model.layers.%d.", &layer); n == 1 {
						ours = fmt.Sprintf("transformer.blocks.%d.%s.weight", layer, map[bool]string{true: "ff_out", false: "attn_out"}[strings.HasSuffix(name, "down_proj.weight")])
					}
					v, ok := after[ours]
					if !ok {
						t.Fatalf("there is no %s among %v", ours, slices.Sorted(func(yield func(string) bool) {
							for k := range after {
								if !yield(k) {
									return
								}
							}
						}))
					}
					var sum, squares float64
					for _, x := range v {
						sum += float64(x)
						squares += float64(x) * float64(x)
					}
					near(t, "the norm of "+name, math.Sqrt(squares), want.L2, 5e-6)
					if math.Abs(sum-want.Sum) > 5e-6*math.Sqrt(squares)*math.Sqrt(float64(len(v))) {
						t.Errorf("the sum of %s is %v, want %v", name, sum, want.Sum)
					}
					compared++
				}
				if compared < 3 {
					t.Errorf("%d tensors were compared", compared)
				}
				rec, err = tr.Step()
				if err != nil {
					t.Fatal(err)
				}
				near(t, "the loss after the step", rec["train_loss"].(float64), step.LossAfter, 5e-6)
			})
		}
	}
}

// TestGoldenPairs: losses, log-probabilities, rewards and gradient norms of open-instruct's dpo_utils.
func TestGoldenPairs(t *testing.T) {
	for _, family := range []string{"olmo1", "olmo2"} {
		var all struct {
			Batch struct {
				ChosenIDs         [][]int32 `json:"chosen_input_ids"`
				ChosenLabels      [][]int32 `json:"chosen_labels"`
				ChosenAttention   [][]int32 `json:"chosen_attention_mask"`
				RejectedIDs       [][]int32 `json:"rejected_input_ids"`
				RejectedLabels    [][]int32 `json:"rejected_labels"`
				RejectedAttention [][]int32 `json:"rejected_attention_mask"`
			} `json:"batch"`
			Runs []struct {
				Loss           objective.PreferenceLoss `json:"loss_type"`
				Beta           float64                  `json:"beta"`
				Smoothing      float64                  `json:"label_smoothing"`
				Ratio          *float64                 `json:"gamma_beta_ratio"`
				Mean           float64                  `json:"loss"`
				GradNorm       norms                    `json:"grad_norm"`
				PolicyChosen   []float64                `json:"policy_chosen_logps"`
				PolicyRejected []float64                `json:"policy_rejected_logps"`
				Chosen         []float64                `json:"chosen_rewards"`
				Rejected       []float64                `json:"rejected_rewards"`
			} `json:"runs"`
		}
		golden(t, family+"/dpo.json", &all)
		b := all.Batch
		for i, want := range all.Runs {
			t.Run(fmt.Sprintf("%s/%s/%d", family, want.Loss, i), func(t *testing.T) {
				root := filepath.Join(os.Getenv("OLMO_GOLDEN"), "adapt", "cases", family)
				c := DefaultDPO()
				c.ModelNameOrPath, c.OutputDir, c.ReferenceModel = filepath.Join(root, "policy"), t.TempDir(), filepath.Join(root, "reference")
				c.Beta, c.LossType, c.LabelSmoothing, c.PerDeviceTrainBatchSize, c.Shuffle = want.Beta, want.Loss, want.Smoothing, len(b.ChosenIDs), false
				if want.Ratio != nil {
					c.GammaBetaRatio = *want.Ratio
				}
				one := 1
				c.MaxTrainSteps = &one
				l, err := model.Open(c.ModelNameOrPath)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				r := &Run{Config: &c.Config, DType: tensor.F32, start: c.ModelNameOrPath, positions: l.Config.T, vocabulary: l.Config.V}
				r.Rows = prepared(t, c.OutputDir, l.Config.V, batch{b.ChosenIDs, b.ChosenLabels, b.ChosenAttention}, batch{b.RejectedIDs, b.RejectedLabels, b.RejectedAttention})
				if err := c.plan(t.Context(), r, host(t)); err != nil {
					t.Fatal(err)
				}
				r.Train.Tokenizer.Identifier, r.Train.DeviceTrainMicrobatchSize = "", 1
				_, rec := firstStep(t, r)
				near(t, "the loss", rec["train_loss"].(float64), want.Mean, 5e-6)
				near(t, "the gradient norm", rec["optim/total_grad_norm"].(float64), want.GradNorm.Global, 2e-4)
				for key, v := range map[string][]float64{"logps/chosen": want.PolicyChosen, "logps/rejected": want.PolicyRejected, "rewards/chosen": want.Chosen, "rewards/rejected": want.Rejected} {
					if got := rec[key].(float64); math.Abs(got-mean(v)) > 2e-5*math.Max(1, math.Abs(mean(v))) {
						t.Errorf("%s is %v, want %v", key, got, mean(v))
					}
				}
			})
		}
	}
}
