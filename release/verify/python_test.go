package verify_test

import (
	"os/exec"
	"testing"
)

// TestPython: the verifier that shares no code with this one finds nothing in a sound release, and a fault
// in each that was changed without making the list right again.
func TestPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	judge := func(dir string) (string, bool) {
		text, err := exec.Command(python, "../testdata/verify.py", dir).CombinedOutput()
		return string(text), err == nil
	}
	if text, ok := judge(fresh(t)); !ok {
		t.Errorf("a sound release: %s", text)
	}
	for _, overrides := range [][]string{{"world_size=2", "optimizer.name=skip_step_adamw", "optimizer.rolling_interval_length=4"}, {"data.name=packed_fsl", "chain_state_interval=1"}} {
		if testing.Short() {
			break
		}
		if text, ok := judge(released(t, newRun(t, overrides...))); !ok {
			t.Errorf("a sound release with %q: %s", overrides, text)
		}
	}
	for _, a := range attacks {
		if testing.Short() || len(a.careless) == 0 {
			continue
		}
		dir := fresh(t)
		a.attack(t, dir)
		if text, ok := judge(dir); ok {
			t.Errorf("%s: %s", a.name, text)
		}
	}
}
