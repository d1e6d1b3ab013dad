package warc

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

var (
	urlFrame = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^['"<]+|[/'">]+$`)
	})
	urlScheme = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	})
	urlEdges = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)^www\d*\.|/+$`)
	})
)

// Characters of a URL that stand for themselves beside letters and digits.
const (
	pathPlain  = "-._~!$&'()*+,/:;=@[]"
	queryPlain = "-._~!$'()*,/:;?@[]"
)

// NormalizeURL gives one form to the addresses of one page: host in ASCII and
// small letters without www, no scheme, default port and fragment, dot segments
// resolved, the query sorted, escapes only where they are needed.
//
// Dolma 1.2.1, python/dolma/warc/utils.py, UrlNormalizer, with w3lib 2.5.0 and
// url-normalize 3.1.0.
func NormalizeURL(url string) string {
	url = urlFrame().ReplaceAllString(strings.TrimSpace(url), "")
	url = strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(url)
	scheme := ""
	if m := urlScheme().FindString(url); m != "" && strings.HasPrefix(url[len(m):], "//") {
		scheme, url = strings.ToLower(m[:len(m)-1]), url[len(m):]
	}
	url, _, _ = strings.Cut(strings.TrimPrefix(url, "//"), "#")
	url, query, _ := strings.Cut(url, "?")
	url = strings.ReplaceAll(url, `\`, "/")
	host, path, _ := strings.Cut(url, "/")
	out := normalHost(host, scheme) + normalPath("/"+path)
	if query = normalQuery(query); query != "" {
		out += "?" + query
	}
	return urlEdges().ReplaceAllString(out, "")
}

func normalHost(host, scheme string) string {
	user := ""
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		user, host = host[:i+1], host[i+1:]
	}
	port := ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i:]
	}
	if port == ":" || port == ":80" && scheme == "http" || port == ":443" && scheme == "https" || port == ":21" && scheme == "ftp" {
		port = ""
	}
	host = strings.Trim(strings.ToLower(host), ".")
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	return user + host + port
}

func normalPath(path string) string {
	path = unescape(path, "/?;", false)
	var parts []string
	segments := strings.Split(path, "/")
	for _, s := range segments {
		switch s {
		case "", ".":
		case "..":
			parts = parts[:max(0, len(parts)-1)]
		default:
			parts = append(parts, escape(s, pathPlain, false))
		}
	}
	path = "/" + strings.Join(parts, "/")
	switch segments[len(segments)-1] {
	case "", ".", "..":
		if len(parts) > 0 {
			path += "/"
		}
	}
	return path
}

func normalQuery(query string) string {
	var pairs [][2]string
	for field := range strings.SplitSeq(query, "&") {
		if field != "" {
			k, v, _ := strings.Cut(field, "=")
			pairs = append(pairs, [2]string{unescape(k, "", true), unescape(v, "", true)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var out strings.Builder
	for i, p := range pairs {
		if i > 0 {
			out.WriteByte('&')
		}
		out.WriteString(escape(p[0], queryPlain, true))
		out.WriteByte('=')
		out.WriteString(escape(p[1], queryPlain, true))
	}
	return out.String()
}

// kept marks a byte whose escape stays one.
const kept = "\x00%"

// unescape undoes escapes, but those of the bytes in keep, and brings text
// into Unicode's form C.
func unescape(s, keep string, plus bool) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '+' && plus {
			c = ' '
		}
		if c == '%' && i+2 < len(s) && unhex(s[i+1]) < 16 && unhex(s[i+2]) < 16 {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if strings.IndexByte(keep, c) >= 0 {
				out.WriteString(kept)
				out.WriteString(strings.ToUpper(s[i-1 : i+1]))
				continue
			}
		}
		out.WriteByte(c)
	}
	if s = out.String(); utf8.ValidString(s) {
		return norm.NFC.String(s)
	}
	return s
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

func escape(s, plain string, plus bool) string {
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', strings.IndexByte(plain, c) >= 0:
			out.WriteByte(c)
		case c == ' ' && plus:
			out.WriteByte('+')
		case strings.HasPrefix(s[i:], kept):
			out.WriteByte('%')
			i++
		default:
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
		}
	}
	return out.String()
}
