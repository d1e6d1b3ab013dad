package quickstart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"olmo/data"
)

// recordedCorpus is the SHA-256 of the held-out text of go1.26.8.
const recordedCorpus = "d0bbd560142661a839beffcf469b289a4bd1d965b4d4cee39a3e7a08c9ccc3ea"

// compressors are the programs whose size the model's is set beside: always
// the machine's own, since another encoder may give another size. recorded is
// what they made of the text of recordedCorpus, in bytes: gzip 1.12, xz 5.4.1,
// zstd 1.5.4.
var compressors = []struct {
	name, program string
	args          []string
	recorded      int64
}{
	{"gzip -9", "gzip", []string{"-9", "-n", "-c"}, 229630},
	{"xz -9e", "xz", []string{"-9e", "-T1", "-c"}, 194680},
	{"zstd -19", "zstd", []string{"-19", "--single-thread", "-q", "-c"}, 198235},
}

// Compressed is the size that a compressor gave a text.
type Compressed struct {
	Name string // as a user calls it: gzip -9
	// BitsPerByte is nil where the machine lacks the program.
	BitsPerByte *float64
	// Recorded is the figure of another machine for the very same text, nil
	// for a text that none is kept of. It never stands in for BitsPerByte.
	Recorded *float64
}

// ReadText returns the texts of a split below dataDir, one after the other: of the first
// so many documents, or of all for 0.
func ReadText(dataDir string, s SplitInfo, limit int) ([]byte, error) {
	var text []byte
	count := 0
	for _, name := range s.Files {
		r, err := data.OpenReader(filepath.Join(dataDir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		for limit == 0 || count < limit {
			d, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				r.Close()
				return nil, err
			}
			text = append(text, d.Text...)
			count++
		}
		r.Close()
	}
	return text, nil
}

// Compress gives text to the machine's own gzip, xz and zstd. digest is the
// text's SHA-256 in hexadecimal. A program that is missing leaves its figure
// nil; one that fails is an error.
func Compress(ctx context.Context, text []byte, digest string) ([]Compressed, error) {
	results := make([]Compressed, len(compressors))
	for i, c := range compressors {
		results[i].Name = c.name
		perByte := func(size int64) *float64 {
			bits := 8 * float64(size) / float64(len(text))
			return &bits
		}
		if digest == recordedCorpus {
			results[i].Recorded = perByte(c.recorded)
		}
		program, err := exec.LookPath(c.program)
		if err != nil || len(text) == 0 {
			continue
		}
		command := exec.CommandContext(ctx, program, c.args...)
		command.Stdin = bytes.NewReader(text)
		var size byteCount
		var message bytes.Buffer
		command.Stdout, command.Stderr = &size, &message
		if err := command.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", c.name, err, bytes.TrimSpace(message.Bytes()))
		}
		results[i].BitsPerByte = perByte(int64(size))
	}
	return results, nil
}

// byteCount is a writer that only counts.
type byteCount int64

func (n *byteCount) Write(b []byte) (int, error) {
	*n += byteCount(len(b))
	return len(b), nil
}
