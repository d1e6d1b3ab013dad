package packed_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"

	"olmo/packed"
)

// What is not packed is given as it is.
func TestPlain(t *testing.T) {
	for _, text := range []string{"", "B", "BZh91AY", "plain text"} {
		r, err := packed.NewReader(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != text || err != nil {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
}

// A whole file is unpacked whatever its name, up to so many bytes; what is damaged, cut or
// packed in another way is an error that names it.
func TestReadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, "text"); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	gz := b.String()
	for _, c := range []struct{ file, want, err string }{
		{"text", "text", ""},
		{gz, "text", ""},
		{gz + gz, "texttext", ""},
		{gz + gz + gz, "", "f: it has more than the 8 bytes allowed when it is unpacked"},
		{"123456789", "", "f: it has more than the 8 bytes allowed"},
		{gz[:len(gz)-4], "", "f: unpacking it: unexpected EOF"},
		{"\xfd7zXZ\x00\x00\x04", "", "f: it is xz, which is not read\nhint: "},
	} {
		if err := os.WriteFile("f", []byte(c.file), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := packed.ReadFile("f", 8)
		if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%q is %q, %v, want %q, %s", c.file, got, err, c.want, c.err)
		}
	}
}
