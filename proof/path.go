package proof

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// CheckPath is an error where a path of a release is not one that every machine can have: parts
// of 1 to 255 bytes between slashes, none of which leads elsewhere or means something to a
// system.
func CheckPath(path string) error {
	switch {
	case !utf8.ValidString(path):
		return errors.New("it is not UTF-8")
	case !norm.NFC.IsNormalString(path):
		return errors.New("it is not in Unicode's normal form C")
	case len(path) > 4096:
		return errors.New("it is longer than 4096 bytes")
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "":
			return errors.New("it has an empty part")
		case part == "." || part == "..":
			return fmt.Errorf("its part %s leads elsewhere", part)
		case len(part) > 255:
			return errors.New("it has a part of more than 255 bytes")
		case strings.ContainsAny(part, `\:`):
			return errors.New(`it has a \ or a colon in it`)
		case strings.ContainsFunc(part, unicode.IsControl):
			return errors.New("it has a control character in it")
		case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
			return errors.New("a part of it ends in a dot or a space")
		case device(part):
			return fmt.Errorf("%s is the name of a device of Windows", part)
		}
	}
	return nil
}

// device tells whether Windows takes a name for a device, whatever its extension.
func device(part string) bool {
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, name := range []string{"COM", "LPT"} {
		if rest, ok := strings.CutPrefix(stem, name); ok && utf8.RuneCountInString(rest) == 1 && strings.Contains("0123456789¹²³", rest) {
			return true
		}
	}
	return false
}

// Fold is the name under which two paths are one on a system to which the case of letters means
// nothing.
func Fold(path string) string { return cases.Fold().String(path) }
