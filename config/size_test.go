package config_test

import (
	"testing"

	"olmo/config"
)

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64 // 0: an error
	}{
		{"1048576", 1 << 20},
		{"300B", 300},
		{"5GB", 5e9},
		{"5gb", 5e9},
		{"4GiB", 4 << 30},
		{"1.5GiB", 3 << 29},
		{" 512 MiB ", 512 << 20},
		{"512M", 512e6},
		{"20KB", 20e3},
		{"2k", 2e3},
		{"1TB", 1e12},
		{"1TiB", 1 << 40},
		{"", 0},
		{"GB", 0},
		{"0", 0},
		{"0.5", 0}, // less than a byte
		{"-5GB", 0},
		{"5XB", 0},
		{"5BG", 0},
		{"5GBB", 0},
		{"NaN", 0},
		{"inf", 0},
		{"9000000TB", 0}, // more than an int64
	} {
		got, err := config.ParseSize(c.text)
		if got != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", c.text, got, err, c.want)
		}
	}
}
