package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the factors of what may stand behind a number of bytes, in lower case.
// A letter alone is the decimal unit, as in Dolma's and OLMo's configs.
var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1e3, "kb": 1e3, "ki": 1 << 10, "kib": 1 << 10,
	"m": 1e6, "mb": 1e6, "mi": 1 << 20, "mib": 1 << 20,
	"g": 1e9, "gb": 1e9, "gi": 1 << 30, "gib": 1 << 30,
	"t": 1e12, "tb": 1e12, "ti": 1 << 40, "tib": 1 << 40,
}

// maxSize bounds sizes, so that the sum of two is still an int64.
const maxSize = math.MaxInt64 / 2

// ParseSize reads a positive number of bytes such as 5GB, 1.5GiB, 512M or 1048576.
// A part of a byte is dropped.
func ParseSize(text string) (int64, error) {
	number := strings.TrimRight(strings.TrimSpace(text), "BbiIKkMmGgTt")
	unit := strings.ToLower(strings.TrimSpace(text)[len(number):])
	factor, known := sizeUnits[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	// The comparison is written so that it fails for NaN.
	if bytes := n * factor; err == nil && known && bytes >= 1 && bytes <= maxSize {
		return int64(bytes), nil
	}
	return 0, fmt.Errorf("%q is no size\nhint: write it as 4GB or 512MiB", text)
}
