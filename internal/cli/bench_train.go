package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/data/tokens"
	"olmo/device/cpu"
	"olmo/model"
	"olmo/train"
)

// benchTrainReport is the result of `olmo bench train`.
type benchTrainReport struct {
	Size            string         `json:"size"`
	Precision       string         `json:"precision"`
	Parameters      int            `json:"parameters"`
	FLOPsPerToken   float64        `json:"flops_per_token"`
	TokensPerSecond float64        `json:"tokens_per_second"`
	GFLOPS          float64        `json:"gflops"`
	MFU             float64        `json:"mfu"` // share of the peak
	PeakGFLOPS      float64        `json:"peak_gflops"`
	Steps           int            `json:"steps"`
	StepSeconds     float64        `json:"step_seconds_median"`
	FirstLoss       float64        `json:"first_loss"`
	Recompute       string         `json:"activation_checkpointing,omitempty"`
	PeakRSS         int64          `json:"peak_rss_bytes"`
	ExpectedRSS     int64          `json:"expected_rss_bytes"`
	Machine         machineReport  `json:"machine"`
	Kernels         []kernelReport `json:"kernels,omitempty"`
}

func newBenchTrainCommand() *cobra.Command {
	var size, precision, recompute string
	var seconds float64
	var asJSON, kernels bool
	c := &cobra.Command{
		Use:   "train --size S|M|L",
		Short: "Measure training steps, beside the machine's peak",
		Long: `Train takes whole training steps (loader, forward, cross entropy and z-loss,
backward, clipping, AdamW) on random tokens, with a model of OLMo 1's shape:

  S   4 layers, width 256,  4 heads, vocabulary 8,192,  8×256 tokens a step
  M   8 layers, width 512,  8 heads, vocabulary 50,304, 4×512
  L  12 layers, width 768, 12 heads, vocabulary 50,304, 4×256, tied, MLP twice as wide

mfu is the share of the peak that 6·parameters + 12·layers·width·length operations
a token make (an input embedding that is not tied left out). The peak is measured by
a loop of multiply-adds (for amp_bf16 by bf16 dot products, where those are faster).
Peak memory is the process's; what was expected of it is computed before the start.`,
		Example: `  olmo bench train --size S --precision fp32 --seconds 20 --json
  olmo bench train --size L --precision amp_bf16 --kernels
  olmo bench train --size L --activation-checkpointing whole_layer`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := sizeFlag(size)
			if err != nil {
				return err
			}
			arithmetic, err := trainingPrecisionFlag(precision)
			if err != nil {
				return err
			}
			if !(seconds > 0) {
				return usageErrorf("--seconds is %g, it must be positive", seconds)
			}
			cfg := s.config(arithmetic)
			if cfg.ActivationCheckpointing, err = recomputeFlag(recompute); err != nil {
				return err
			}
			r, err := benchTrain(c, s, cfg, time.Duration(seconds*float64(time.Second)))
			if err != nil {
				return err
			}
			r.Size, r.Precision = size, precision
			if kernels {
				r.Kernels = s.benchKernels(arithmetic, r.PeakGFLOPS)
			}
			return printReport(c.OutOrStdout(), asJSON, r, r.table)
		},
	}
	f := c.Flags()
	f.StringVar(&size, "size", "S", "the model: S, M or L")
	f.StringVar(&precision, "precision", "fp32", "arithmetic: "+strings.Join(trainingPrecisions(), ", "))
	f.StringVar(&recompute, "activation-checkpointing", "null", "what the backward pass computes again: whole_layer, one_in_two, …, fine_grained, null")
	f.Float64Var(&seconds, "seconds", 20, "how long to measure")
	f.BoolVar(&kernels, "kernels", false, "also measure each kernel alone")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON")
	return c
}

// recomputeFlag reads a strategy of activation_checkpointing; nil for none.
func recomputeFlag(name string) (*model.Recompute, error) {
	var r model.Recompute
	if err := r.UnmarshalText([]byte(name)); err != nil {
		return nil, usageErrorf("--activation-checkpointing: %v", err)
	}
	if r == model.RecomputeNothing {
		return nil, nil
	}
	return &r, nil
}

func benchTrain(c *cobra.Command, s benchSize, cfg *train.Config, limit time.Duration) (*benchTrainReport, error) {
	r, err := benchSteps(c, s, cfg, limit)
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory() // the peak is measured in memory of its own
	r.Machine = measureMachine()
	r.PeakGFLOPS = r.Machine.peak(cfg.Precision)
	r.MFU = r.GFLOPS / r.PeakGFLOPS
	return r, nil
}

// benchSteps trains as long as limit says.
func benchSteps(c *cobra.Command, s benchSize, cfg *train.Config, limit time.Duration) (*benchTrainReport, error) {
	dir, err := os.MkdirTemp("", "olmo-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cfg.SaveFolder = filepath.Join(dir, "run")
	cfg.Data.Paths = []string{filepath.Join(dir, "tokens.npy")}
	cfg.Data.MemmapDType = string(tokens.Uint16)
	if err := writeRandomTokens(cfg.Data.Paths[0], 64*s.B*s.T, s.V); err != nil {
		return nil, err
	}
	dev, err := cpu.New()
	if err != nil {
		return nil, err
	}
	cfg.MaxDuration = train.Duration{Epochs: 1 << 20}
	p := newProgress(c.ErrOrStderr())
	leanHeap()
	e, err := cfg.Estimate(cpu.Needs)
	if err != nil {
		return nil, err
	}
	e.Memory.Copy = 0 // no checkpoints
	r := &benchTrainReport{ExpectedRSS: expectedPeak(e)}
	p.print("olmo bench: expects a peak of " + size(r.ExpectedRSS) + " of memory")
	t, err := train.New(cfg, dev, train.Options{Warn: func(text string) { p.print("olmo bench: " + text) }})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	if a := cfg.ActivationCheckpointing; a != nil {
		r.Recompute = string(*a)
	}
	r.FLOPsPerToken = flopsPerToken(t.Model(), s)
	r.Parameters, _ = t.Model().NumParams()
	p.begin("bench train")
	var times []float64
	begin := time.Now()
	for n := -2; n < 3 || time.Since(begin) < limit; n++ { // the first two steps warm up
		if err := c.Context().Err(); err != nil {
			return nil, err
		}
		if n == 0 {
			begin = time.Now()
		}
		step1 := time.Now()
		rec, err := t.Step()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if n == -2 {
			r.FirstLoss, _ = rec["train/CrossEntropyLoss"].(float64)
		}
		if n >= 0 {
			times = append(times, time.Since(step1).Seconds())
			p.update(step{done: time.Since(begin).Seconds(), total: limit.Seconds(), unit: "tokens", rate: float64(s.B*s.T) / median(times)})
		}
	}
	p.end()
	r.PeakRSS = peakRSS()
	r.Steps, r.StepSeconds = len(times), median(times)
	r.TokensPerSecond = float64(s.B*s.T) / r.StepSeconds
	r.GFLOPS = r.TokensPerSecond * r.FLOPsPerToken / 1e9
	return r, nil
}

// flopsPerToken counts as peers do: 6 for each parameter but an untied input
// embedding's, and attention as if every key were seen.
func flopsPerToken(m *model.Config, s benchSize) float64 {
	all, rest := m.NumParams()
	if !s.tied {
		all = rest
	}
	return 6*float64(all) + 12*float64(s.layers*s.C*s.T)
}

func writeRandomTokens(path string, n, V int) error {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, 2*n)
	for range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(r.IntN(V)))
	}
	return os.WriteFile(path, b, 0o666)
}

func (r *benchTrainReport) table(out io.Writer) error {
	r.Machine.print(out)
	fmt.Fprintf(out, "model    size %s, %s, %d parameters, %.4g FLOPs per token\n", r.Size, r.Precision, r.Parameters, r.FLOPsPerToken)
	fmt.Fprintf(out, "steps    %d, %.4f s each (median)\n", r.Steps, r.StepSeconds)
	fmt.Fprintf(out, "memory   peak %s, expected %s\n", size(r.PeakRSS), size(r.ExpectedRSS))
	fmt.Fprintf(out, "speed    %.0f tokens/s, %.0f GFLOP/s, %.0f %% of the peak of %.0f\n", r.TokensPerSecond, r.GFLOPS, 100*r.MFU, r.PeakGFLOPS)
	if r.Kernels == nil {
		return nil
	}
	fmt.Fprintln(out)
	return printKernels(out, r.Kernels)
}
