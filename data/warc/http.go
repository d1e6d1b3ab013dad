package warc

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
)

// text reads a header's bytes: UTF-8, or else Latin-1.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	s, err := charmap.ISO8859_1.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(s)
}

// splitHTTP cuts an HTTP response into header and body. Content without a
// status line is all body.
func splitHTTP(content []byte) (Header, []byte) {
	h := Header{}
	if !bytes.HasPrefix(content, []byte("HTTP/")) {
		return h, content
	}
	last := ""
	for first := true; ; first = false {
		line, rest, ok := bytes.Cut(content, []byte("\n"))
		content = rest
		line = bytes.TrimRight(line, "\r")
		if len(line) > 0 && !first {
			last = h.add(line, last)
		}
		if !ok || len(line) == 0 {
			return h, content
		}
	}
}

var errTooLong = fmt.Errorf("the page has more than the %d bytes allowed", MaxRecord)

// decodeBody undoes the encodings of a body. Many archives hold it decoded
// already and keep the header's fields, so what does not fit is taken as it is.
func decodeBody(h Header, body []byte) ([]byte, error) {
	if strings.Contains(strings.ToLower(h["transfer-encoding"]), "chunked") {
		if b, ok := dechunk(body); ok {
			body = b
		}
	}
	names := strings.Split(strings.ToLower(h["content-encoding"]), ",")
	for i := len(names) - 1; i >= 0; i-- {
		b, err := decompress(strings.TrimSpace(names[i]), body)
		if errors.Is(err, errTooLong) {
			return nil, err
		}
		if b != nil {
			body = b
		}
	}
	return body, nil
}

// dechunk joins the chunks of a body; false when it has none. A last chunk
// that is cut short is kept.
func dechunk(body []byte) ([]byte, bool) {
	var out []byte
	for rest := body; ; {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if len(bytes.TrimSpace(rest)) == 0 && out != nil {
			return out, true
		}
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if !ok || err != nil {
			return nil, false
		}
		if n == 0 {
			return out, true
		}
		if int(n) > len(after) {
			return append(out, after...), out != nil
		}
		out = append(out, after[:n]...)
		rest = bytes.TrimPrefix(bytes.TrimPrefix(after[n:], []byte("\r")), []byte("\n"))
	}
}

// decompress undoes one encoding. It gives nil where the body is not so
// encoded; of one that is cut short or damaged it keeps what can be read.
func decompress(name string, body []byte) ([]byte, error) {
	var r io.Reader
	var err error
	framed := true // it begins with bytes that tell it from other text
	switch name {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		// With the frame of zlib, as the standard says, or without.
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err, framed = flate.NewReader(bytes.NewReader(body)), nil, false
		}
	case "br":
		r, framed = brotli.NewReader(bytes.NewReader(body)), false
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err == nil {
			defer z.Close()
			r = z
		}
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = io.Copy(&out, io.LimitReader(r, MaxRecord+1))
	switch {
	case out.Len() > MaxRecord:
		return nil, errTooLong
	case err != nil && (out.Len() == 0 || !framed && err != io.ErrUnexpectedEOF):
		return nil, err
	}
	return out.Bytes(), nil
}
