package stage

import (
	"os"
	"path/filepath"
	"testing"
)

// TestNEFTune: with noise the run is another one, which packing, processes and what is computed again do
// not change.
func TestNEFTune(t *testing.T) {
	losses := func(overrides ...string) string {
		c, err := chats(t, t.TempDir(), append(overrides, "max_train_steps=3")...)
		if err != nil {
			t.Fatal(err)
		}
		tuned(t, c)
		chain, err := os.ReadFile(filepath.Join(c.OutputDir, "chain.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return string(members(chain, "loss"))
	}
	const alpha = "neftune_noise_alpha=5"
	want := losses(alpha)
	if want == losses() {
		t.Error("noise changes nothing")
	}
	for _, more := range [][]string{{"packing=true"}, {"per_device_train_batch_size=1", "num_processes=3"}, {"gradient_checkpointing=true"}} {
		if got := losses(append(more, alpha)...); got != want {
			t.Errorf("%v: losses\n%swant\n%s", more, got, want)
		}
	}
}
