package tokens

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestWidth(t *testing.T) {
	t.Chdir(t.TempDir())
	const four = "0,1,a,f,1\r\n1,4,\"b\r\n7,9,c\",f,2\r\n"
	for _, c := range []struct {
		name, places string // of a file of 8 bytes
		read         DType
		want         string // in the error
	}{
		{"right", four, Uint16, ""},
		{"smaller", four, Uint8, "as uint16"},
		{"larger", four, Uint32, "as uint16"},
		{"cut off", "0,20,a,f,1\n", Uint16, "4 tokens as uint16"},
		{"a part of a name looks like a row", "0,1,a,f,1\n1,4,\"b\n7,9\",f,2\n", Uint8, "as uint16"},
		{"longer than its places", "0,3,a,f,1\n", Uint16, ""},
		{"no rows", "", Uint8, ""},
		{"no CSV", "hello", Uint8, ""},
		{"more columns", "0,4,a,f,1,7,8", Uint8, "as uint16"},
		{"a long name", "0,4," + strings.Repeat("x", 3*rowTail/4) + ",f,1\n", Uint8, "as uint16"},
		{"many rows", strings.Repeat("0,0,a,f,1\n", 1<<19) + "0,4,a,f,1\n", Uint8, "as uint16"},
	} {
		if err := os.WriteFile("t.npy", make([]byte, 8), 0o666); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		fmt.Fprint(z, c.places)
		z.Close()
		if err := os.WriteFile("t.csv.gz", b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := Open("t.npy", c.read)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		err = f.CheckWidth()
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		_, err = OpenDataset(DatasetConfig{Paths: []string{"t.npy"}, DType: c.read, ChunkSize: 1})
		if (err != nil) != (c.want != "") {
			t.Errorf("%s: a data set of it: %v", c.name, err)
		}
	}
	// Packed or not, damaged or not there: nothing to compare with.
	f, err := Open("t.npy", Uint8)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.WriteFile("t.csv.gz", []byte("no gzip"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.CheckWidth(); err != nil {
		t.Error(err)
	}
	os.Remove("t.csv.gz")
	if err := f.CheckWidth(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile("t.csv", []byte("0,4,a,f,1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.CheckWidth(); err == nil {
		t.Error("a .csv that is not packed says nothing")
	}
}
