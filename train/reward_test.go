package train_test

import (
	"strings"
	"testing"

	"olmo/train"
)

// TestRewardHead: a model without logits is none to train on the next token.
func TestRewardHead(t *testing.T) {
	_, err := train.LoadConfig(tiny, []string{"model.reward_head=true"})
	if err == nil || !strings.Contains(err.Error(), "is a reward model") {
		t.Errorf("%v", err)
	}
}
