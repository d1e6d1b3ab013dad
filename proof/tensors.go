package proof

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// Tensors is a line of tensors.jsonl: the hashes of the bytes of all tensors after a step. The last
// line of a step counts.
type Tensors struct {
	Step    int             `json:"step"`
	Weights map[string]Hash `json:"weights"`
	Optim   map[string]Hash `json:"optim"`
}

// maxTensors is the longest line that tensors.jsonl may have, in bytes: that of a model with a hundred
// thousand tensors has some ten millions.
const maxTensors = 64 << 20

// ReadTensors calls each for the lines of the steps that are wanted, and, with an error, for
// those that are none; torn tells that a line has no end. It stops at the first error of each.
func ReadTensors(in io.Reader, wanted func(step int) bool, each func(line int, t *Tensors, torn bool, err error) error) error {
	r := bufio.NewReaderSize(in, 1<<16)
	for n := 1; ; n++ {
		text, torn, err := readLine(r, maxTensors)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var head struct {
			Step *int `json:"step"`
		}
		err = json.Unmarshal(text, &head)
		if err == nil && head.Step == nil {
			err = errors.New("it has no step")
		}
		if err == nil && !wanted(*head.Step) {
			continue
		}
		t := &Tensors{}
		if err == nil {
			err = json.Unmarshal(text, t)
		}
		if err := each(n, t, torn, err); err != nil {
			return err
		}
	}
}
