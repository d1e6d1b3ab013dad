package verify_test

import (
	"os"
	"testing"
)

func TestZZBig(t *testing.T) {
	dir := os.Getenv("BIG")
	if dir == "" {
		t.Skip()
	}
	out := released(t, newRun(t, "model.d_model=512", "model.n_heads=8", "model.n_layers=4", "model.mlp_hidden_size=2048", "stop_at=10"))
	check(t, os.CopyFS(dir, os.DirFS(out)))
}
