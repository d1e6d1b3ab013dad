package store

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func isWeb(scheme string) bool { return scheme == "https" || scheme == "http" }

// transport is shared by all requests. Bodies come as they are stored: a file
// that ends in .gz must not be unpacked on the way.
var transport = &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	DialContext:           (&net.Dialer{Timeout: 20 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
	ForceAttemptHTTP2:     true,
	MaxIdleConns:          256,
	MaxIdleConnsPerHost:   64,
	IdleConnTimeout:       90 * time.Second,
	TLSHandshakeTimeout:   20 * time.Second,
	ResponseHeaderTimeout: stall,
	DisableCompression:    true,
}

var web = &http.Client{Transport: transport}

// page is a file on a web server, by its address.
type page string

func (p page) ask(ctx context.Context, method string, header func(http.Header)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, string(p), nil)
	if err != nil {
		return nil, err
	}
	header(req.Header)
	res, err := web.Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode/100 == 2:
		return res, nil
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone:
		err = missing(string(p))
	case res.StatusCode == http.StatusPreconditionFailed:
		err = ErrChanged
	default:
		err = &statusError{res.StatusCode, http.StatusText(res.StatusCode)}
	}
	res.Body.Close()
	return nil, err
}

func pageInfo(res *http.Response) Info {
	info := Info{Size: res.ContentLength, Version: res.Header.Get("ETag")}
	if t, err := http.ParseTime(res.Header.Get("Last-Modified")); err == nil {
		info.ModTime = t
	}
	return info
}

func (p page) head(ctx context.Context) (Info, error) {
	res, err := p.ask(ctx, http.MethodHead, func(http.Header) {})
	if err != nil {
		return Info{}, err
	}
	res.Body.Close()
	return pageInfo(res), nil
}

func (p page) get(ctx context.Context, off, n int64, version string) (io.ReadCloser, Info, int64, error) {
	res, err := p.ask(ctx, http.MethodGet, func(h http.Header) {
		if off > 0 || n >= 0 {
			end := ""
			if n >= 0 {
				end = strconv.FormatInt(off+n-1, 10)
			}
			h.Set("Range", fmt.Sprintf("bytes=%d-%s", off, end))
		}
		// A weak tag is no tag to a server that compares strongly.
		if version != "" && !strings.HasPrefix(version, "W/") {
			h.Set("If-Match", version)
		}
	})
	if err != nil {
		return nil, Info{}, 0, err
	}
	info := pageInfo(res)
	if res.StatusCode == http.StatusPartialContent {
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if info.Size, err = strconv.ParseInt(total, 10, 64); err != nil {
			info.Size = -1
		}
		off = 0
	}
	if version != "" && info.Version != "" && info.Version != version {
		res.Body.Close()
		return nil, Info{}, 0, ErrChanged
	}
	return res.Body, info, off, nil
}
