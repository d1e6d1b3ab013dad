package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"testing"
)

// TestExpectedMemory trains size S in processes of their own and compares the peak of
// their memory with what was expected before they started.
func TestExpectedMemory(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("trains a model for seconds, and asks Linux what it takes")
	}
	for _, args := range [][]string{{}, {"--precision", "amp_bf16", "--activation-checkpointing", "whole_layer"}} {
		c := exec.Command(os.Args[0], append([]string{"bench", "train", "--size", "S", "--seconds", "0.01", "--json"}, args...)...)
		c.Args[0] = "olmo"                             // see TestMain
		c.Env = append(os.Environ(), "OLMO_THREADS=2") // on any machine
		text, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		var r benchTrainReport
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if ratio := float64(r.ExpectedRSS) / float64(r.PeakRSS); ratio < 0.9 || ratio > 1.1 {
			t.Errorf("%v: %d bytes expected, %d at the peak", args, r.ExpectedRSS, r.PeakRSS)
		}
	}
}
