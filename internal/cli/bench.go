package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"olmo/device/cpu/kernel"
	"olmo/internal/parallel"
	"olmo/numeric"
	"olmo/train"
)

// benchReport is the result of `olmo bench`.
type benchReport struct {
	Machine  machineReport         `json:"machine"`
	Train    []benchTrainReport    `json:"train"`
	Generate []benchGenerateReport `json:"generate"`
}

func newBenchCommand() *cobra.Command {
	var sizes []string
	var seconds float64
	var asJSON bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of training and generation on this machine",
		Long: `Without a verb, bench measures everything: the peaks of this machine, and for each
size and precision the training steps, each kernel alone, and generation. Each
measurement is a process of its own, so that its peak memory is too. It takes a
few minutes; other work on the machine shows in the figures. A kernel's share is of the
peak of its kind of product: float32 multiply-adds, or under amp_bf16 the dot product
of bf16 pairs where that is faster. For each size the fastest precision is named.`,
		Example: `  olmo bench
  olmo bench --sizes S --seconds 5 --json
  olmo bench train --size S --precision amp_bf16 --seconds 20
  olmo bench generate --model MODEL --prompt-tokens 512 --max-tokens 128`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownVerb(c, args[0])
			}
			for _, size := range sizes {
				if _, err := sizeFlag(size); err != nil {
					return err
				}
			}
			if !(seconds > 0) {
				return usageErrorf("--seconds is %g, it must be positive", seconds)
			}
			r := benchReport{Machine: measureMachine()}
			for _, size := range sizes {
				for _, precision := range trainingPrecisions() {
					var t benchTrainReport
					if err := benchAlone(c, &t, "train", "--size", size, "--precision", precision, "--seconds", fmt.Sprint(seconds), "--kernels", "--json"); err != nil {
						return err
					}
					r.Train = append(r.Train, t)
					var g benchGenerateReport
					if err := benchAlone(c, &g, "generate", "--size", size, "--precision", precision, "--json"); err != nil {
						return err
					}
					r.Generate = append(r.Generate, g)
				}
			}
			return printReport(c.OutOrStdout(), asJSON, r, r.table)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&sizes, "sizes", []string{"S", "M", "L"}, "the models to train and to generate with")
	f.Float64Var(&seconds, "seconds", 10, "how long to train each")
	f.BoolVar(&asJSON, "json", false, "print one line of JSON")
	c.AddCommand(newBenchTrainCommand(), newBenchGenerateCommand())
	return c
}

// benchAlone runs a verb of bench in a process of its own and reads its report.
func benchAlone(c *cobra.Command, report any, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	run := exec.CommandContext(c.Context(), self, append([]string{"bench"}, args...)...)
	run.Stderr = c.ErrOrStderr()
	out, err := run.Output()
	if err != nil {
		return fmt.Errorf("olmo bench %s: %w", strings.Join(args, " "), err)
	}
	if err := json.Unmarshal(out, report); err != nil {
		return fmt.Errorf("olmo bench %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (r *benchReport) table(out io.Writer) error {
	r.Machine.print(out)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "\ntraining\ttokens/s\tGFLOP/s\tof peak\tmemory\n")
	for _, t := range r.Train {
		fmt.Fprintf(w, "%s %s\t%.0f\t%.0f\t%.0f %%\t%.0f MB\n", t.Size, t.Precision, t.TokensPerSecond, t.GFLOPS, 100*t.MFU, float64(t.PeakRSS)/1e6)
	}
	fmt.Fprint(w, "\ngeneration\tprefill\tof peak\tdecode\tof memory\n")
	for _, g := range r.Generate {
		fmt.Fprintf(w, "%s %s\t%.0f tokens/s\t%.0f %%\t%.1f tokens/s\t%.0f %%\n", g.Model, g.Precision, g.Prefill, 100*g.PrefillShare, g.Decode, 100*g.DecodeShare)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	r.printFastest(out)
	for _, t := range r.Train {
		fmt.Fprintf(out, "\nkernels of %s %s\n", t.Size, t.Precision)
		if err := printKernels(out, t.Kernels); err != nil {
			return err
		}
	}
	return nil
}

// printFastest says which precision trains fastest on this machine, size by size.
func (r *benchReport) printFastest(out io.Writer) {
	fmt.Fprintln(out)
	for i := 0; i < len(r.Train); {
		runs := r.Train[i:]
		if end := slices.IndexFunc(runs, func(t benchTrainReport) bool { return t.Size != runs[0].Size }); end > 0 {
			runs = runs[:end]
		}
		i += len(runs)
		byTime := slices.SortedFunc(slices.Values(runs), func(a, b benchTrainReport) int { return cmp.Compare(b.TokensPerSecond, a.TokensPerSecond) })
		fmt.Fprintf(out, "fastest  %s: %s", runs[0].Size, byTime[0].Precision)
		for _, t := range byTime[1:] {
			fmt.Fprintf(out, ", %.2f times %s", byTime[0].TokensPerSecond/t.TokensPerSecond, t.Precision)
		}
		fmt.Fprintln(out)
	}
}

// benchSize is one of the models that peers are compared on: OLMo 1's shape, with
// LayerNorm without parameters.
type benchSize struct {
	layers, C, heads, V, T, B, mlpRatio int
	tied                                bool
}

var benchSizes = map[string]benchSize{
	"S": {4, 256, 4, 8192, 256, 8, 4, false},
	"M": {8, 512, 8, 50304, 512, 4, 4, false},
	"L": {12, 768, 12, 50304, 256, 4, 8, true},
}

func sizeFlag(name string) (benchSize, error) {
	s, ok := benchSizes[name]
	if !ok {
		return s, usageErrorf("--size %s is not known\nhint: one of S, M, L", name)
	}
	return s, nil
}

// config is a training run of the size.
func (s benchSize) config(arithmetic numeric.Precision) *train.Config {
	c := train.DefaultConfig()
	m := &c.Model
	m.DModel, m.NHeads, m.NLayers, m.MLPRatio = s.C, s.heads, s.layers, s.mlpRatio
	m.VocabSize, *m.EmbeddingSize, m.MaxSequenceLength, m.WeightTying = s.V, s.V, s.T, s.tied
	m.Rope, m.IncludeBias, m.LayerNormWithAffine, m.InitFn = true, false, false, "mitchell"
	off := false
	m.BiasForLayerNorm = &off
	m.AttentionDropout, m.ResidualDropout, m.EmbeddingDropout = 0, 0, 0
	m.EOSTokenID, m.PadTokenID = 0, 1
	c.Optimizer.Name, c.Optimizer.LearningRate, c.Optimizer.WeightDecay, c.Optimizer.Eps = "adamw", 3e-4, 0.1, 1e-8
	clip := 1.0
	c.MaxGradNorm = &clip
	c.SoftmaxAuxiliaryLoss = true
	c.GlobalTrainBatchSize, c.DeviceTrainMicrobatchSize = s.B, s.B
	c.Precision = arithmetic
	return c
}

// machineReport says what a figure was measured on.
type machineReport struct {
	Kernels     string  `json:"kernels"`
	Threads     int     `json:"threads"`
	PeakFP32    float64 `json:"peak_fp32_gflops"`            // of multiply-adds
	PeakPairs   float64 `json:"peak_pairs_gflops,omitempty"` // of the dot product of bf16 pairs, where there is one
	PeakBF16    float64 `json:"peak_bf16_gflops"`            // of products under amp_bf16: the better of the two
	PeakInt8    float64 `json:"peak_int8_gops"`              // of products under int8: of dot products of bytes, or of the kernel in use
	MemoryReads float64 `json:"memory_read_gb_per_second"`
	BF16Fault   string  `json:"bf16_fault,omitempty"` // why the processor's dot product is not used
}

func measureMachine() machineReport {
	p := kernel.MeasurePeak()
	m := machineReport{kernel.CPU(), parallel.Threads(), p.FMA, p.Pairs, p.Of(numeric.AMPBF16), p.Of(numeric.Int8), p.Read, ""}
	if fault := kernel.DotFault(); fault != nil {
		m.BF16Fault = fault.Error()
	}
	return m
}

func (m machineReport) peak(arithmetic numeric.Precision) float64 {
	switch arithmetic {
	case numeric.AMPBF16:
		return m.PeakBF16
	case numeric.Int8:
		return m.PeakInt8
	}
	return m.PeakFP32
}

func (m machineReport) print(out io.Writer) {
	fmt.Fprintf(out, "machine  %s kernels, %d threads; reads memory at %.1f GB/s\n", m.Kernels, m.Threads, m.MemoryReads)
	fmt.Fprintf(out, "peak     %.0f GFLOP/s of float32 multiply-adds", m.PeakFP32)
	if m.PeakPairs > 0 {
		fmt.Fprintf(out, ", %.0f of bf16 pairs", m.PeakPairs)
	}
	if m.PeakInt8 > m.PeakFP32 {
		fmt.Fprintf(out, ", %.0f GOP/s of bytes", m.PeakInt8)
	}
	fmt.Fprintln(out)
	if m.BF16Fault != "" {
		fmt.Fprintf(out, "note     the bf16 dot product is not used: %s\n", m.BF16Fault)
	}
}

// kernelReport is the speed of one kernel at a size.
type kernelReport struct {
	Name         string  `json:"name"`
	Microseconds float64 `json:"microseconds"`
	GFLOPS       float64 `json:"gflops,omitempty"`
	Share        float64 `json:"share_of_peak,omitempty"`
	GBPerSecond  float64 `json:"gb_per_second,omitempty"` // of reads and writes, for kernels without products
}

// benchKernels measures what dominates a training step of the size, each kernel alone.
func (s benchSize) benchKernels(arithmetic numeric.Precision, peak float64) []kernelReport {
	N, C, D, F := s.B*s.T, s.C, s.C/s.heads, s.mlpRatio*s.C/2
	filled := func(rows, cols int) kernel.Matrix {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(i%13)/16 - 0.375
		}
		return kernel.Dense(x, rows, cols)
	}
	// Gradients of weights are summed in pieces of tokens, as in a training step.
	var ends []int
	for e := numeric.Cut; e <= N; e += numeric.Cut {
		ends = append(ends, e)
	}
	var list []kernelReport
	measure := func(name string, flops, bytes float64, f func()) {
		f() // takes its buffers
		// The best time: what else the machine does can only add to it.
		best, total := time.Duration(1<<62), time.Duration(0)
		for n := 0; n < 3 || total < 100*time.Millisecond; n++ {
			begin := time.Now()
			f()
			d := time.Since(begin)
			best, total = min(best, d), total+d
		}
		r := kernelReport{Name: name, Microseconds: float64(best.Nanoseconds()) / 1e3}
		if flops > 0 {
			r.GFLOPS = flops / best.Seconds() / 1e9
			r.Share = r.GFLOPS / peak
		} else {
			r.GBPerSecond = bytes / best.Seconds() / 1e9
		}
		list = append(list, r)
	}
	for _, p := range []struct {
		name    string
		in, out int
	}{{"attention in", C, 3 * C}, {"attention out", C, C}, {"MLP up and gate", C, 2 * F}, {"MLP down", F, C}} {
		x, w, y, dw := filled(N, p.in), filled(p.out, p.in), filled(N, p.out), filled(p.out, p.in)
		flops := 2 * float64(N) * float64(p.in) * float64(p.out)
		shape := fmt.Sprintf("%s %d×%d→%d", p.name, N, p.in, p.out)
		measure(shape, flops, 0, func() { kernel.MatMulNT(y, x, w, nil, arithmetic) })
		measure(shape+", dx", flops, 0, func() { kernel.MatMulNN(x, y, w, nil, arithmetic) })
		measure(shape+", dw", flops, 0, func() { clear(dw.Data); kernel.MatMulTN(dw, y, x, ends, arithmetic) })
	}
	// Three products: logits, dx and dw.
	x, w, dx, dw := filled(N, C), filled(s.V, C), filled(N, C), filled(s.V, C)
	targets, ce, lse := make([]int32, N), make([]float32, N), make([]float32, N)
	head := &kernel.Head{X: x, W: w, Targets: targets, Ends: ends, Precision: arithmetic}
	gradients := &kernel.HeadGradients{Scale: func(int) float32 { return 1 }, DX: dx, DW: &dw}
	measure(fmt.Sprintf("head, loss and gradients %d×%d→%d", N, C, s.V), 6*float64(N)*float64(C)*float64(s.V), 0, func() {
		head.Loss(ce, lse, gradients)
	})
	a := kernel.Attention{H: s.heads, KV: s.heads, D: D, Scale: 0.125, Precision: arithmetic}
	q, k, v, o := filled(N, C), filled(N, C), filled(N, C), filled(N, C)
	do, dq, dk, dv := filled(N, C), filled(N, C), filled(N, C), filled(N, C)
	stats := filled(N, 2*s.heads)
	var segments []kernel.Segment
	var dqkv []kernel.Gradients
	for b := range s.B {
		r := func(m kernel.Matrix) kernel.Matrix { return m.Slice(b*s.T, s.T) }
		segments = append(segments, kernel.Segment{Q: r(q), K: r(k), V: r(v), O: r(o), Stats: r(stats)})
		dqkv = append(dqkv, kernel.Gradients{DO: r(do), DQ: r(dq), DK: r(dk), DV: r(dv)})
	}
	// For each pair and channel two products forward (scores, values) and five backward (scores
	// again, dV, dP, dQ, dK).
	pairs := float64(s.B) * float64(s.T) * float64(s.T+1) / 2 // of a query and a key that it sees
	measure(fmt.Sprintf("attention of %d tokens", s.T), 4*float64(C)*pairs, 0, func() { a.Forward(segments) })
	measure(fmt.Sprintf("attention of %d tokens, backward", s.T), 10*float64(C)*pairs, 0, func() { a.Backward(segments, dqkv) })
	// These are bound by memory. Bytes an element: LayerNorm reads one number and writes one,
	// SwiGLU reads two for each that it writes, AdamW reads p, m, v and the gradient and writes
	// the first three.
	mean, rstd := make([]float32, N), make([]float32, N)
	measure("LayerNorm", 0, 8*float64(N*C), func() { kernel.LayerNorm(o, x, mean, rstd, nil, nil, 1e-5) })
	up, act := filled(N, 2*F), filled(N, F)
	measure("SwiGLU", 0, 12*float64(N*F), func() { kernel.SwiGLU(act, up, false) })
	m, n := filled(s.V, C), filled(s.V, C)
	measure("AdamW", 0, 28*float64(s.V*C), func() {
		kernel.AdamW{LR: 1e-4, WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, Step: 1, Clip: 1}.Update(w.Data, m.Data, n.Data, dw.Data)
	})
	return list
}

func printKernels(out io.Writer, list []kernelReport) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "µs\tGFLOP/s\tof peak\tGB/s\t  kernel\n")
	for _, k := range list {
		if k.GFLOPS > 0 {
			fmt.Fprintf(w, "%.0f\t%.0f\t%.0f %%\t\t  %s\n", k.Microseconds, k.GFLOPS, 100*k.Share, k.Name)
		} else {
			fmt.Fprintf(w, "%.0f\t\t\t%.1f\t  %s\n", k.Microseconds, k.GBPerSecond, k.Name)
		}
	}
	return w.Flush()
}

// median returns the middle one of values.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// printReport prints v as one line of JSON, or calls table.
func printReport(out io.Writer, asJSON bool, v any, table func(out io.Writer) error) error {
	if asJSON {
		return json.NewEncoder(out).Encode(v)
	}
	return table(out)
}
