package proof

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestReadTensors(t *testing.T) {
	h := Sum(nil).String()
	text := `{"step":1,"weights":{"a":"` + h + `"},"optim":{}}
{"step":2,"weights":{},"optim":{}}
noise
{"weights":{}}
{"step":1,"weights":{},"optim":{"m":"` + h + `"}}
{"step":1,"wei`
	var got []string
	err := ReadTensors(strings.NewReader(text), func(step int) bool { return step == 1 }, func(line int, l *Tensors, torn bool, err error) error {
		got = append(got, fmt.Sprint(line, len(l.Weights), len(l.Optim), torn, err != nil))
		return nil
	})
	if want := []string{"1 1 0 false false", "3 0 0 false true", "4 0 0 false true", "5 0 1 false false", "6 0 0 true true"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	stop := errors.New("stop")
	if err := ReadTensors(strings.NewReader(text), func(int) bool { return true }, func(int, *Tensors, bool, error) error { return stop }); err != stop {
		t.Errorf("an error of each: %v", err)
	}
	if err := ReadTensors(io.LimitReader(endless{}, 1<<30), nil, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a line of 1 GB: %v", err)
	}
}
