package client_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/hub/client/hubtest"
	"olmo/tensor"
	"olmo/weights"
)

// walk puts steps of a random walk on a hub, each with the weights of the step that of names.
func walk(t *testing.T, s *hubtest.Server, apart, steps int, of func(step int) int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	now := make([]float32, 64*64)
	for i := range now {
		now[i] = float32(r.NormFloat64())
	}
	var all [][]float32
	for range steps {
		for i := range now {
			now[i] += 0.05 * float32(r.NormFloat64())
		}
		all = append(all, slices.Clone(now))
	}
	for step := range steps {
		name := filepath.Join(t.TempDir(), "model.safetensors")
		err := weights.WriteSafetensors(name, []weights.Named{
			{Name: "embed_tokens.weight", Tensor: tensor.FromFloat32([]int{4, 8}, make([]float32, 32))},
			{Name: "norm.weight", Tensor: tensor.FromFloat32([]int{8}, make([]float32, 8))},
			{Name: "proj.weight", Tensor: tensor.FromFloat32([]int{64, 64}, all[of(step)])},
			// What makes files differ that have the same weights.
			{Name: "other.weight", Tensor: tensor.FromFloat32([]int{100, 100}, slices.Repeat([]float32{float32(step)}, 10000))},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s.Put("models/lab/my-model", fmt.Sprintf("step%d", step*apart), map[string]hubtest.Entry{"model.safetensors": {Content: text, LFS: true}})
	}
}

func TestAuditDeep(t *testing.T) {
	identity := func(step int) int { return step }
	swap := func(at, to int) func(int) int {
		return func(step int) int {
			if step == at {
				return to
			}
			return step
		}
	}
	for name, c := range map[string]struct {
		of   func(step int) int
		want []string // kind and revisions
	}{
		"sound":                   {identity, nil},
		"a late one's weights":    {swap(4, 39), []string{"jump step4000"}},
		"the weights before":      {swap(20, 19), []string{"duplicate step19000,step20000"}},
		"the first one's, far on": {swap(30, 0), []string{"jump step30000"}},
	} {
		s := hubtest.Start(t)
		walk(t, s, 1000, 40, c.of)
		a, err := open(t).Audit(t.Context(), request().Repo, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range a.Problems {
			if got = append(got, p.Kind+" "+strings.Join(p.Revisions, ",")); p.Tensor != "proj.weight" {
				t.Errorf("%s: it is about %q", name, p.Tensor)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
		if len(a.Trajectory) != 40 || a.Trajectory[0].Distance != nil || a.Trajectory[1].Distance == nil {
			t.Errorf("%s: %d points", name, len(a.Trajectory))
		}
		if sent := s.Sent(); sent != a.Checked.Bytes || sent > 40*20_000 {
			t.Errorf("%s: %d bytes were sent, %d said", name, sent, a.Checked.Bytes)
		}
	}
}

// TestAuditLineage is the shape of EleutherAI/pythia#203: step 1 does not continue step 0, but
// another run's.
func TestAuditLineage(t *testing.T) {
	s := hubtest.Start(t)
	walk(t, s, 1, 4, func(step int) int { return step })
	other := s.Files("models/lab/my-model", "step0")["model.safetensors"]
	r := rand.New(rand.NewPCG(5, 6))
	name := filepath.Join(t.TempDir(), "model.safetensors")
	values := make([]float32, 64*64)
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	if err := weights.WriteSafetensors(name, []weights.Named{{Name: "proj.weight", Tensor: tensor.FromFloat32([]int{64, 64}, values)}}, nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := open(t).Audit(t.Context(), request().Repo, true, nil)
	if err != nil || !a.OK {
		t.Errorf("one run: %+v, %v", a.Problems, err)
	}
	other.Content = text
	s.Put("models/lab/my-model", "step0", map[string]hubtest.Entry{"model.safetensors": other})
	if a, err = open(t).Audit(t.Context(), request().Repo, true, nil); err != nil {
		t.Fatal(err)
	}
	if len(a.Problems) != 1 || a.Problems[0].Kind != "jump" || !slices.Equal(a.Problems[0].Revisions, []string{"step0", "step1"}) {
		t.Errorf("found %+v", a.Problems)
	}
}
