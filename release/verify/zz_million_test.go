package verify_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"olmo/proof"
	"olmo/release/verify"
	"olmo/train"

	"github.com/klauspost/compress/gzip"
)

func TestZZMillion(t *testing.T) {
	const steps = 1_000_000
	dir := os.Getenv("MILLION")
	if dir == "" {
		t.Skip()
	}
	run := filepath.Join(dir, "run")
	if !exists(run) {
		os.RemoveAll(dir)
		var docs []string
		for i := range 4000 {
			docs = append(docs, fmt.Sprintf("document %d of the first file says nothing new, and goes on like that for a while, so that there are more tokens", i))
		}
		writeTokens(t, filepath.Join(dir, "tokens", "a.npy"), docs)
		writeTokens(t, filepath.Join(dir, "tokens", "sub", "b.npy"), docs)
		write(t, filepath.Join(dir, "tokens", "tokenizer.json"), []byte(`{"added_tokens":[]}`))
		write(t, filepath.Join(dir, "tokens", "train.yaml"), []byte(settings))
		goOn(t, filepath.Join(dir, "tokens", "train.yaml"), "save_folder="+run, "max_duration=1000000", "stop_at=1", "save_interval=1000000000", "no_pre_train_checkpoint=true")
		first, err := os.ReadFile(filepath.Join(run, "chain.jsonl"))
		check(t, err)
		l, err := proof.ParseLine(first[:indexByte(first)])
		check(t, err)
		cfg, err := train.LoadRun(run, nil)
		check(t, err)
		course, err := cfg.Course(train.State{})
		check(t, err)
		cf, _ := os.Create(filepath.Join(run, "chain.jsonl"))
		lf, _ := os.Create(filepath.Join(run, "metrics.jsonl"))
		zf, _ := os.Create(filepath.Join(run, "data-indices", "rank0.tsv.gz"))
		c, lg, z := bufio.NewWriter(cf), bufio.NewWriter(lf), gzip.NewWriter(zf)
		c.Write(first[:indexByte(first)+1])
		before := l.Hash
		for range steps {
			p, err := course.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			var b []byte
			for _, i := range p.Instances {
				b = binary.LittleEndian.AppendUint32(b, i)
			}
			h := proof.Sum(b)
			batch, err := course.Data().Batch(p.Instances)
			check(t, err)
			tk, err := course.Data().Hash(&batch)
			check(t, err)
			line := proof.Line{Step: p.Step, Instances: &h, Tokens: &tk, Loss: 1.2345 / float64(p.Step), GradNorm: 0.3}
			text, err := line.Seal(before)
			check(t, err)
			before = line.Hash
			c.Write(append(text, '\n'))
			fmt.Fprintf(lg, `{"step":%d,"chain":"%v","energy/kWh":0.00123,"energy/kg_CO2e":0.1,"epoch":%d,"optim/clipping_rate":0,"optim/learning_rate_group0":%v,"optim/learning_rate_group1":%v,"optim/total_grad_norm":0.3,"throughput/device/tokens_per_second":123.4,"throughput/device/batches_per_second":1.2,"throughput/total_tokens":%d,"throughput/total_training_Gflops":12.3,"train/CrossEntropyLoss":%v,"train/Perplexity":3.4}`+"\n", p.Step, line.Hash, p.Epoch, p.Rates[0], p.Rates[min(1, len(p.Rates)-1)], p.Tokens, line.Loss)
			fmt.Fprintf(z, "%d", p.Step)
			for _, i := range p.Instances {
				fmt.Fprintf(z, "\t%d", i)
			}
			fmt.Fprint(z, "\n")
		}
		c.Flush()
		lg.Flush()
		z.Close()
		for _, f := range []*os.File{cf, lf, zf} {
			f.Close()
		}
		os.RemoveAll(filepath.Join(run, "step1"))
	}
	began := time.Now()
	_, r := verified(t, run, verify.Options{})
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%v, %+v, %d MB, %v", time.Since(began), r.Checked, m.Sys>>20, r.Notes)
	for i, p := range r.Problems {
		if i < 5 {
			t.Logf("%+v", p)
		}
	}
}

func indexByte(b []byte) int {
	for i, c := range b {
		if c == '\n' {
			return i
		}
	}
	return -1
}
