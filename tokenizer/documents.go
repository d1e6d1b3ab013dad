package tokenizer

import "strings"

// Line is what a line of a JSONL file says that concerns tokenizers.
type Line struct {
	ID      []byte // the field id as JSON, nil for none
	Text    string
	HasText bool
	IDs     []int32
	HasIDs  bool
}

// ParseLine reads a JSON object with the fields text, ids and id, any of which
// may be missing; others are passed over.
func ParseLine(line []byte) (Line, error) {
	r := &jsonReader{data: strings.TrimRight(string(line), "\r\n"), line: true}
	var out Line
	err := r.object(func(key string, at int) error {
		switch key {
		case "text":
			s, err := r.str()
			if err != nil {
				return err
			}
			out.Text, out.HasText = s, true
		case "ids":
			out.HasIDs = true
			out.IDs = out.IDs[:0]
			return r.array(func() error {
				id, err := r.anyID()
				out.IDs = append(out.IDs, id)
				return err
			})
		default:
			raw, err := r.raw()
			if key == "id" {
				out.ID = raw
			}
			return err
		}
		return nil
	})
	if err == nil && r.peek() != 0 {
		err = r.unexpected("the end of the line")
	}
	return out, err
}
