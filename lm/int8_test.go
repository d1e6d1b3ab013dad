package lm_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"olmo/lm"
	"olmo/model"
	"olmo/numeric"
	"olmo/tensor"
)

// TestInt8Digest: the logits of a whole model under int8, for every type of blocks, read at once and token by token
// with the cache, are the same bits with every set of kernels and on every architecture. A child process runs each.
func TestInt8Digest(t *testing.T) {
	if os.Getenv("OLMO_TEST_INT8") != "" {
		fmt.Printf("digest %x\n", int8Digest(t))
		return
	}
	const want = "04e3727496342de9bec2908be69c8bd592c2c6c7877dcc71328fcd40812f43ae"
	for _, cpu := range []string{"", "avx512bf16", "avx512vnni", "avx512", "avx2", "neondot", "neon", "generic"} {
		t.Run(cpu, func(t *testing.T) {
			c := exec.Command(os.Args[0], "-test.run=^TestInt8Digest$")
			c.Env = append(os.Environ(), "OLMO_TEST_INT8=1", "OLMO_CPU="+cpu, "OLMO_THREADS=2")
			out, err := c.CombinedOutput()
			if bytes.Contains(out, []byte("this machine lacks")) {
				t.Skipf("this machine lacks %s", cpu)
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, got, _ := strings.Cut(string(out), "digest ")
			if got, _, _ = strings.Cut(got, "\n"); got != want {
				t.Errorf("digest %s, want %s", got, want)
			}
		})
	}
}

func int8Digest(t *testing.T) []byte {
	c := &model.Config{
		Family: "llama", Layers: 1, C: 256, H: 4, KV: 2, D: 64, F: 256, V: 96, VocabSize: 96, T: 16, NormEps: 1e-5,
		Norm: model.NormKind{RMS: true, Weight: true}, RopeTheta: 1e4, EOS: 0, BOS: -1, PAD: -1,
	}
	sum := sha256.New()
	for _, d := range []tensor.DType{tensor.Q8_0, tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K} {
		m, err := lm.Open(writeGGUF(t, c, d), lm.Options{Precision: numeric.Int8})
		if err != nil {
			t.Fatal(err)
		}
		x, _, err := m.Logits(t.Context(), [][]int32{{5, 9, 2, 57, 3, 95, 0, 11}, {1, 1, 8, 30, 61, 7, 7, 2}}, lm.LogitsOptions{})
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(x.Data)
		fmt.Fprint(sum, textOf(t, m))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return sum.Sum(nil)
}
