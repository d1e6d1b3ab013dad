package train_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"olmo/train"
)

// writeRows writes a token file of bytes with rows of these lengths.
func writeRows(t *testing.T, dir string, lengths []int) string {
	t.Helper()
	var ids, rows bytes.Buffer
	at := 0
	z := gzip.NewWriter(&rows)
	for k, n := range lengths {
		for i := range n {
			ids.WriteByte(byte(32 + (k*31+i*i*7+i)%90))
		}
		fmt.Fprintf(z, "%d,%d,row%d,,0\n", at, at+n, k)
		at += n
	}
	path := filepath.Join(dir, "rows.npy")
	if err := errors.Join(z.Close(), os.WriteFile(path, ids.Bytes(), 0o666), os.WriteFile(filepath.Join(dir, "rows.csv.gz"), rows.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRows: rows that happen to be equally long train as the same tokens cut every so many, and
// of others no micro-batch changes a bit.
func TestRows(t *testing.T) {
	dir := t.TempDir()
	same := make([]int, 60)
	for i := range same {
		same[i] = 40
	}
	base := []string{"data.paths=[" + writeRows(t, dir, same) + "]", "data.memmap_dtype=uint8", "data.instance_filter=null", "data.generate_doc_lengths=false", "max_duration=4", "stop_at=4", "model.n_layers=1", "global_train_batch_size=6"}
	chunks := run(t, t.TempDir(), append(base, "data.name=fsl")...)
	if got := run(t, t.TempDir(), append(base, "data.name=rows")...); got != chunks {
		t.Errorf("as rows the run ends with %s, as chunks with %s", got, chunks)
	}
	ragged := []int{40, 3, 17, 2, 39, 8, 25, 1, 12, 40, 55, 6, 31, 19, 4}
	base[0] = "data.paths=[" + writeRows(t, dir, ragged) + "]"
	base = append(base, "data.name=rows", "loss_denominator=labels")
	want := ""
	for _, micro := range []int{1, 2, 6} {
		folder := t.TempDir()
		got := run(t, folder, append(base, fmt.Sprintf("device_train_microbatch_size=%d", micro))...)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("micro-batches of %d: the run ends with %s, others with %s", micro, got, want)
		}
		lines := chainOf(t, folder)
		if len(lines) != 5 {
			t.Errorf("%d lines", len(lines))
		}
	}
	// The mean of means over groups of as many instances as the batch has is that over all labels.
	if got := run(t, t.TempDir(), append(base, "loss_denominator=mean", "loss_group=6", "max_grad_norm=null")...); got != run(t, t.TempDir(), append(base, "max_grad_norm=null")...) {
		t.Error("one group is another mean")
	}
	means := run(t, t.TempDir(), append(base, "loss_denominator=mean", "loss_group=2")...)
	if means == want {
		t.Error("three groups are the mean over all")
	}
	if got := run(t, t.TempDir(), append(base, "loss_denominator=mean", "loss_group=2", "device_train_microbatch_size=1")...); got != means {
		t.Error("micro-batches change the mean of means")
	}
	// Six and nine rows of 15, so an epoch has three batches; a row is cut off at 40 tokens.
	folder := t.TempDir()
	run(t, folder, append(base, "max_duration=3", "stop_at=3", "data.drop_last=false")...)
	log, err := os.ReadFile(filepath.Join(folder, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "\n"); n != 3 || !strings.Contains(string(log), `"throughput/total_tokens":287`) {
		t.Errorf("%d steps: %s", n, log)
	}
	for name, c := range map[string]struct {
		lengths []int
		rows    string
	}{"a gap": {[]int{5, 5}, "0,5,a,,0\n6,10,b,,0\n"}, "an empty row": {[]int{5, 5}, "0,5,a,,0\n5,5,b,,0\n5,10,c,,0\n"}, "less than the file": {[]int{5, 5}, "0,5,a,,0\n"}} {
		bad := t.TempDir()
		path := writeRows(t, bad, c.lengths)
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprint(z, c.rows)
		if err := errors.Join(z.Close(), os.WriteFile(filepath.Join(bad, "rows.csv.gz"), b.Bytes(), 0o666)); err != nil {
			t.Fatal(err)
		}
		cfg, err := train.LoadConfig(tiny, []string{"data.paths=[" + path + "]", "data.memmap_dtype=uint8", "data.name=rows", "data.instance_filter=null", "data.generate_doc_lengths=false"})
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.CheckData(); err == nil || !strings.Contains(err.Error(), "rows.csv.gz") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
