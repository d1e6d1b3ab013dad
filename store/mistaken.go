package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Mistaken knows what Git and servers leave under the name of a file that they did not deliver:
// nothing, a pointer, a web page, a message. Its error says which, and what to do.
func Mistaken(data []byte) error {
	const again = "\nhint: fetch the file again; a server that asks for a login, or an address of a page about the file (…/blob/… instead of …/resolve/…), gives this"
	text := string(bytes.TrimSpace(data[:min(len(data), 512)]))
	begin := strings.ToLower(text)
	switch {
	case len(data) == 0:
		return errors.New("the file is empty: a download that did not begin, or a disk that was full" + again)
	case IsPointer(data):
		return errors.New("this is a pointer of Git LFS, not the file that it stands for\nhint: git lfs pull")
	case strings.HasPrefix(begin, "<!doctype html"), strings.HasPrefix(begin, "<html"), strings.HasPrefix(begin, "<!-- ") && strings.Contains(begin, "<html"):
		return errors.New("this is a web page, not the file that it stands for" + again)
	case strings.HasPrefix(begin, "<?xml"):
		return fmt.Errorf("this is XML, a server's message perhaps, and not the file that it stands for: %.120q%s", text, again)
	}
	return nil
}

// Message knows a short text, as servers answer ("Entry not found"), in place of what a file
// should hold, such as "weights".
func Message(data []byte, what string) error {
	if len(data) > 4096 || !utf8.Valid(data) || bytes.IndexFunc(data, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) >= 0 {
		return nil
	}
	return fmt.Errorf("this is a text, a server's message perhaps, and no %s: %.120q", what, bytes.TrimSpace(data))
}

// IsPointer knows what a clone without Git LFS has in place of large files.
func IsPointer(data []byte) bool {
	return len(data) < 1024 && bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/"))
}
