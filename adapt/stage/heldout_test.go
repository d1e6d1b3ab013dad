package stage

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/runlog"
)

// TestHeldOutRows: with a rate of 0 the rows that train, held out as well, have the loss of the step; in
// other micro-batches to the bit.
func TestHeldOutRows(t *testing.T) {
	type plan interface {
		Plan(context.Context, Host) (*Run, error)
	}
	pairs := func(t *testing.T, load func(path string, overrides []string) (plan, error), dir string, overrides ...string) plan {
		t.Helper()
		if _, err := judges(t, dir); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "reward.yaml")
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "gradient_accumulation_steps: 4\n", "")), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := load(path, overrides)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		name string
		load func(t *testing.T, dir string, overrides ...string) plan
		rows string // file
		n    string
		keys []string
	}{
		{"sft", func(t *testing.T, dir string, overrides ...string) plan {
			c, err := chats(t, dir, overrides...)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}, "chats.jsonl", "20", nil},
		{"dpo", func(t *testing.T, dir string, overrides ...string) plan {
			return pairs(t, func(p string, o []string) (plan, error) { return LoadDPO(p, o) }, dir, overrides...)
		}, "pairs.jsonl", "18", []string{"logps/chosen", "logps/rejected", "rewards/accuracy", "rewards/margin"}},
		{"reward", func(t *testing.T, dir string, overrides ...string) plan {
			return pairs(t, func(p string, o []string) (plan, error) { return LoadReward(p, o) }, dir, overrides...)
		}, "pairs.jsonl", "17", []string{"rewards/accuracy", "rewards/margin", "rewards/chosen", "rewards/rejected"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var first runlog.Record
			for _, batch := range []int{0, 1} {
				dir := t.TempDir()
				p := c.load(t, dir, "dataset_mixer_eval_list=["+filepath.Join(dir, c.rows)+", '1.0']", "learning_rate=0", "max_train_steps=2", "per_device_train_batch_size="+c.n, "shuffle=false", "gradient_accumulation_steps=1")
				r, err := p.Plan(t.Context(), host(t))
				if err != nil {
					t.Fatal(err)
				}
				if batch > 0 {
					r.Train.Evaluators[0].DeviceEvalBatchSize = &batch
				}
				train1(t, r)
				records, err := runlog.Read(filepath.Join(r.Config.OutputDir, "metrics.jsonl"))
				if err != nil || len(records) != 2 {
					t.Fatalf("%d records, %v", len(records), err)
				}
				last := records[1]
				for _, key := range append([]string{"loss"}, c.keys...) {
					got, ok := last["eval/heldout/"+key].(float64)
					of := key
					if key == "loss" {
						of = "train_loss"
					}
					if want := last[of].(float64); !ok || math.Abs(got-want) > 1e-12*math.Abs(want) {
						t.Errorf("eval/heldout/%s is %v, of the same rows training has %v", key, last["eval/heldout/"+key], want)
					}
					if first != nil && first["eval/heldout/"+key] != last["eval/heldout/"+key] {
						t.Errorf("eval/heldout/%s is %v in other batches, it was %v", key, last["eval/heldout/"+key], first["eval/heldout/"+key])
					}
				}
				first = last
			}
		})
	}
}
