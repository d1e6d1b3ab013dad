package warc

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
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
// status line is all body. Responses before the last one, such as "100 Continue" and a
// proxy's "200 Connection established", are passed over: else the last one's header would stand
// in the text.
func splitHTTP(content []byte) (Header, []byte) {
	for {
		h, body := splitResponse(content)
		before := strings.HasPrefix(h[status], "1") || strings.HasSuffix(strings.ToLower(h[status]), "connection established") || len(h) == 1
		if !before || !statusLine().Match(body) {
			return h, body
		}
		content = body
	}
}

// status is the field in which splitResponse keeps what stands behind the version in a status line.
const status = ":status"

var statusLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^HTTP/[0-9.]+ +[1-5][0-9][0-9]\b`)
})

func splitResponse(content []byte) (Header, []byte) {
	h := Header{}
	if !bytes.HasPrefix(content, []byte("HTTP/")) {
		return h, content
	}
	last := ""
	for first := true; ; first = false {
		line, rest, ok := bytes.Cut(content, []byte("\n"))
		if line = bytes.TrimRight(line, "\r"); !first && bytes.HasPrefix(line, []byte("<")) && !bytes.Contains(line, []byte(">:")) {
			return h, content // the empty line before the page is missing
		}
		content = rest
		if first {
			_, code, _ := bytes.Cut(line, []byte(" "))
			h[status] = text(bytes.TrimSpace(code))
		} else if len(line) > 0 {
			last = h.addHTTP(line, last)
		}
		if !ok || len(line) == 0 {
			return h, content
		}
	}
}

// status is the number of a response's status, 0 of none.
func (h Header) status() int {
	number, _, _ := strings.Cut(h[status], " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return n
}

// checkWhole is an error when a record or its response says that the body is cut. A body with
// fewer bytes than its Content-Length is, unless it was coded for its way: many archives
// keep the length of what they have decoded.
func checkWhole(record, h Header, body []byte) error {
	if reason := record["warc-truncated"]; reason != "" {
		return fmt.Errorf("the body is cut: warc-truncated: %s", reason)
	}
	if h["transfer-encoding"] != "" || h["content-encoding"] != "" || len(body) == 0 {
		return nil
	}
	if want, err := strconv.Atoi(h["content-length"]); err == nil && want > len(body) {
		return fmt.Errorf("the body is cut: it has %d bytes, content-length says %d", len(body), want)
	}
	return nil
}

// addHTTP is add, but that a list of codings may come in several fields.
func (h Header) addHTTP(line []byte, last string) string {
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch key := strings.ToLower(string(bytes.TrimSpace(name))); key {
	case "transfer-encoding", "content-encoding":
		if before, ok := h[key]; ok {
			h[key] = before + ", " + text(bytes.TrimSpace(value))
			return key
		}
	}
	return h.add(line, last)
}

var errTooLong = fmt.Errorf("the page has more than the %d bytes allowed", MaxRecord)

// decodeBody undoes the codings of a body, which its fields list in the order in which
// they were applied. Many archives hold it decoded already and keep the fields, so what
// is not coded as they say is taken as it is; what is, and is damaged or cut short, is an
// error: half of a page, or garbled text, would be taken for a good one.
func decodeBody(h Header, body []byte) ([]byte, error) {
	for _, field := range []string{"transfer-encoding", "content-encoding"} {
		codings := strings.Split(strings.ToLower(h[field]), ",")
		for _, coding := range slices.Backward(codings) {
			b, err := undo(strings.TrimSpace(coding), body)
			if errors.Is(err, errTooLong) {
				return nil, err
			}
			if err != nil {
				return nil, fmt.Errorf("the body is damaged: %s: %s: %w", field, strings.TrimSpace(coding), err)
			}
			body = b
		}
	}
	return body, nil
}

// undo undoes one coding. A body that is not so coded stays as it is.
func undo(coding string, body []byte) ([]byte, error) {
	switch coding {
	case "chunked":
		return dechunk(body)
	case "gzip", "x-gzip":
		if !bytes.HasPrefix(body, gzipMagic) {
			return body, nil
		}
		return gunzip(body)
	case "zstd":
		if !bytes.HasPrefix(body, zstdMagic) {
			return body, nil
		}
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		return readPage(z)
	case "deflate":
		// With the frame of zlib, as the standard says, or without.
		z, err := zlib.NewReader(bytes.NewReader(body))
		if err == nil {
			return orAsItIs(body, z)
		}
		return orAsItIs(body, flate.NewReader(bytes.NewReader(body)))
	case "br":
		return orAsItIs(body, brotli.NewReader(bytes.NewReader(body)))
	}
	return body, nil
}

// readPage reads all of a page, up to what one may have.
func readPage(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, MaxRecord+1))
	if len(out) > MaxRecord {
		return nil, errTooLong
	}
	return out, err
}

// orAsItIs reads what r makes of a body. Nothing at the beginning of these codings
// tells them from other bytes, so a body that cannot be read and looks like a text is
// one.
func orAsItIs(body []byte, r io.Reader) ([]byte, error) {
	out, err := readPage(r)
	if err == nil || errors.Is(err, errTooLong) || !looksLikeText(body) {
		return out, err
	}
	return body, nil
}

// looksLikeText tells whether the beginning of a body holds none of the bytes that no
// text holds; UTF-16 with a mark is one too.
func looksLikeText(body []byte) bool {
	if bytes.HasPrefix(body, []byte("\xff\xfe")) || bytes.HasPrefix(body, []byte("\xfe\xff")) {
		return true
	}
	return !bytes.ContainsFunc(body[:min(len(body), 4096)], func(c rune) bool {
		return c < '\t' || c > '\r' && c < ' ' && c != '\x1b'
	})
}

// gunzip reads the members of a body. What is behind the last one, such as padding,
// is passed over, and so is a checksum that is missing when all of the text is there.
func gunzip(body []byte) ([]byte, error) {
	in := bytes.NewReader(body)
	z, err := gzip.NewReader(in)
	var out []byte
	for err == nil {
		z.Multistream(false)
		start := len(body) - in.Len()
		var text []byte
		if text, err = readPage(z); errors.Is(err, io.ErrUnexpectedEOF) {
			all, allErr := readPage(flate.NewReader(bytes.NewReader(body[start:])))
			if allErr == nil && len(all) == len(text) {
				return append(out, text...), nil
			}
		}
		if err != nil {
			break
		}
		if out = append(out, text...); len(out) > MaxRecord {
			return nil, errTooLong
		}
		if !bytes.HasPrefix(body[len(body)-in.Len():], gzipMagic) {
			return out, nil
		}
		err = z.Reset(in)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

var (
	errChunks    = errors.New("the chunks do not follow each other")
	errLastChunk = errors.New("the last chunk is missing, which says that the body is whole")
)

// dechunk joins the chunks of a body; one that does not begin with a chunk stays as it
// is. Without the last one, of no bytes, the connection was cut between two chunks.
func dechunk(body []byte) ([]byte, error) {
	out := []byte{}
	for rest, first := body, true; ; first = false {
		if !first && len(bytes.TrimSpace(rest)) == 0 {
			return nil, errLastChunk
		}
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		ended := bytes.HasSuffix(line, []byte("\r"))
		switch {
		case (!ok || err != nil) && first:
			return body, nil
		case !ok || err != nil:
			return nil, errChunks
		case n == 0:
			return out, nil
		case int(n) > len(after) && first && !ended:
			return body, nil // a text whose first line could be a number
		case int(n) > len(after):
			return nil, io.ErrUnexpectedEOF
		}
		out = append(out, after[:n]...)
		after = after[n:]
		rest = bytes.TrimPrefix(bytes.TrimPrefix(after, []byte("\r")), []byte("\n"))
		switch {
		case len(rest) < len(after) || len(after) == 0:
		case first && !ended:
			return body, nil
		default:
			return nil, errChunks
		}
	}
}
