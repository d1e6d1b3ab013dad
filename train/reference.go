package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"olmo/device"
	"olmo/graph"
	"olmo/model"
	"olmo/store"
	"olmo/tensor"
)

// referencesFormat is the format of a file of reference log-probabilities.
const referencesFormat = "olmo reference log-probabilities 1"

// References are the log-probabilities of the answers of all rows by a model that does not learn: of each
// row the sum over its targets, in nats.
type References struct {
	Format string    `json:"format"`
	Of     string    `json:"of"` // what they follow from: a hash over model and rows
	Sums   []float64 `json:"sums"`
}

// Write writes them into a file, and returns its hash.
func (r *References) Write(path string) (sha256Hex string, err error) {
	r.Format = referencesFormat
	text, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:]), store.WriteFile(path, text)
}

// ReadReferences reads such a file, and returns its hash, too.
func ReadReferences(path string) (*References, string, error) {
	text, err := store.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	var r References
	if err := json.Unmarshal(text, &r); err != nil || r.Format != referencesFormat {
		return nil, "", fmt.Errorf("%s holds no reference log-probabilities", path)
	}
	h := sha256.Sum256(text)
	return &r, hex.EncodeToString(h[:]), nil
}

// references reads the sums of a file that must have a hash.
func references(path, sha256Hex string) ([]float64, error) {
	r, hash, err := ReadReferences(path)
	if err != nil {
		return nil, err
	}
	if hash != sha256Hex {
		return nil, fmt.Errorf("%s is another file: its SHA-256 is %s, the run has %s\nhint: the log-probabilities of another model or other rows would train something else", path, hash, sha256Hex)
	}
	return r.Sums, nil
}

// Scores computes what References holds of the rows of the run's data, by the model l with an adapter
// beside it, if there is one, whose weights it writes to the device. see is told how many instances are
// done.
func (c *Config) Scores(ctx context.Context, l *model.Loaded, adapter *model.PEFT, dev device.Device, see func(done, total int)) ([]float64, error) {
	d, err := c.openData()
	if err != nil {
		return nil, err
	}
	defer d.Close()
	g, m := graph.New(), *l.Config
	if adapter != nil {
		m.Adapters = &adapter.Adapters
	}
	m.Scores(g, 1)
	err = l.EachMatrix(func(p model.Param, row func(r int) (tensor.DType, []byte)) error {
		return dev.Store(p.Name, p.Shape, row)
	})
	if err != nil {
		return nil, err
	}
	p, err := dev.Compile(g, c.options())
	if err != nil {
		return nil, err
	}
	if err := l.EachVector(func(p model.Param, w []float32) error { return dev.Write(p.Name, w) }); err != nil {
		return nil, err
	}
	if adapter != nil {
		for _, p := range m.AdapterParams() {
			w, err := adapter.Weights(p)
			if err == nil {
				err = dev.Write(p.Name, w)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	var sums []float64
	var part []uint32
	for i, n, used := 0, d.Len(), 0; i < n; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part, used = append(part, uint32(i)), used+d.Length(i)
		if i+1 < n && used+d.Length(i+1) <= c.options().Rows {
			continue
		}
		batch, err := d.Batch(part)
		if err != nil {
			return nil, err
		}
		in := item{Batch: batch}
		if err := in.checkIDs(d, l.Config.V); err != nil {
			return nil, err
		}
		b := in.rows(0, in.B)
		if err := p.Run(b); err != nil {
			return nil, err
		}
		ce, row := p.Output("ce"), 0
		for _, s := range b.Segments {
			sum, _ := logProbability(b, ce, row, row+s.Rows)
			sums, row = append(sums, sum), row+s.Rows
		}
		see(i+1, n)
		part, used = part[:0], 0
	}
	return sums, nil
}

// logProbability is that of the targets of rows first … end−1, and how many they are: one sum for the model
// that learns and for the reference, so that the same weights give the same number.
func logProbability(b *graph.Batch, ce []float32, first, end int) (sum float64, tokens int) {
	for row := first; row < end; row++ {
		if b.Targets[row] >= 0 {
			sum -= float64(ce[row])
			tokens++
		}
	}
	return sum, tokens
}
