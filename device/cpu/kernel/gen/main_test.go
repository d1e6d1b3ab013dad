package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestCommitted: what is in the repository is what gen writes.
func TestCommitted(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what gen writes; run go generate ./device/cpu/kernel", name)
		}
	}
}

// The bytes that GNU as gives for vdpbf16ps %zmm3,%zmm2,%zmm1 and so on (binutils 2.40).
func TestVDPBF16PS(t *testing.T) {
	cases := []struct {
		x, y, sum int
		want      string
	}{
		{3, 2, 1, "BYTE $0x62; BYTE $0xf2; BYTE $0x6e; BYTE $0x48; BYTE $0x52; BYTE $0xcb"},
		{31, 17, 9, "BYTE $0x62; BYTE $0x12; BYTE $0x76; BYTE $0x40; BYTE $0x52; BYTE $0xcf"},
	}
	for _, c := range cases {
		if got := vdpbf16ps(c.x, c.y, c.sum); got[:len(c.want)] != c.want {
			t.Errorf("vdpbf16ps(%d, %d, %d) = %s, want %s", c.x, c.y, c.sum, got, c.want)
		}
	}
}

// Likewise for vcvtne2ps2bf16 %zmm3,%zmm2,%zmm1 and %zmm31,%zmm17,%zmm9.
func TestVCVTNE2PS2BF16(t *testing.T) {
	for _, c := range []struct {
		low, high, to int
		want          string
	}{
		{3, 2, 1, "BYTE $0x62; BYTE $0xf2; BYTE $0x6f; BYTE $0x48; BYTE $0x72; BYTE $0xcb"},
		{31, 17, 9, "BYTE $0x62; BYTE $0x12; BYTE $0x77; BYTE $0x40; BYTE $0x72; BYTE $0xcf"},
	} {
		if got := vcvtne2ps2bf16(c.low, c.high, c.to); got[:len(c.want)] != c.want {
			t.Errorf("vcvtne2ps2bf16(%d, %d, %d) = %s, want %s", c.low, c.high, c.to, got, c.want)
		}
	}
}
