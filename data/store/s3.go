package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func isS3(scheme string) bool { return scheme == "s3" || scheme == "s3a" || scheme == "gs" }

// server is where a scheme's buckets are and who asks, from the environment
// and the files of the AWS command line.
type server struct {
	scheme, endpoint, region, profile string
}

func serverOf(scheme string) server {
	s := server{scheme: scheme, profile: os.Getenv("AWS_PROFILE")}
	if scheme == "gs" {
		// Google's own variable for another server than its own.
		s.endpoint, s.region = os.Getenv("STORAGE_EMULATOR_HOST"), "auto"
		if s.endpoint == "" {
			s.endpoint = "https://storage.googleapis.com"
		}
	} else {
		file := awsConfig(s.profile)
		s.endpoint = first(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), file["endpoint_url"])
		s.region = first(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), file["region"])
		if s.endpoint != "" && s.region == "" {
			s.region = "us-east-1" // else every bucket would be asked for its region
		}
	}
	if s.endpoint != "" && !strings.Contains(s.endpoint, "://") {
		s.endpoint = "http://" + s.endpoint
	}
	return s
}

func first(values ...string) string {
	i := slices.IndexFunc(values, func(v string) bool { return v != "" })
	if i < 0 {
		return ""
	}
	return values[i]
}

// awsConfig reads the settings of a profile in ~/.aws/config.
func awsConfig(profile string) map[string]string {
	out := map[string]string{}
	name := os.Getenv("AWS_CONFIG_FILE")
	if name == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return out
		}
		name = filepath.Join(home, ".aws", "config")
	}
	f, err := os.Open(name)
	if err != nil {
		return out
	}
	defer f.Close()
	section, want := "", "[profile "+profile+"]"
	if profile == "" || profile == "default" {
		want = "[default]"
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			section = line
		} else if key, value, ok := strings.Cut(line, "="); ok && section == want {
			out[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return out
}

// credentials takes, in this order, the keys of the environment, those of
// ~/.aws/credentials, the role of the machine, or none.
func (s server) credentials() *credentials.Credentials {
	if id, key := os.Getenv("GS_ACCESS_KEY_ID"), os.Getenv("GS_SECRET_ACCESS_KEY"); s.scheme == "gs" && id != "" && key != "" {
		return credentials.NewStaticV4(id, key, "")
	}
	from := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{Profile: s.profile}}
	// Only Amazon's machines have a role, and asking for it takes seconds
	// elsewhere.
	if s.endpoint == "" && os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		from = append(from, &credentials.IAM{})
	}
	c := credentials.NewChainCredentials(from)
	// A network that swallows the question must not hold everything up.
	soon := &credentials.CredContext{Client: &http.Client{Timeout: 3 * time.Second}}
	if v, err := c.GetWithContext(soon); err == nil && (v.AccessKeyID != "" || v.SignerType != credentials.SignatureAnonymous) {
		return c
	}
	return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
}

var (
	clientsMu sync.Mutex
	clients   = map[server]*minio.Core{}
)

// client makes one client for each server, which keeps its connections.
func client(scheme string) (*minio.Core, error) {
	s := serverOf(scheme)
	clientsMu.Lock()
	defer clientsMu.Unlock()
	if c := clients[s]; c != nil {
		return c, nil
	}
	host, secure := "s3.amazonaws.com", true
	if s.endpoint != "" {
		u, err := url.Parse(s.endpoint)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the endpoint %q is no address\nhint: write it as https://host:port", s.endpoint)
		}
		host, secure = u.Host, u.Scheme != "http"
	}
	c, err := minio.NewCore(host, &minio.Options{
		Creds: s.credentials(), Secure: secure, Region: s.region, Transport: transport,
		MaxRetries: 1, // again does it, for bodies that break off too
	})
	if err != nil {
		return nil, err
	}
	clients[s] = c
	return c, nil
}

// object is a file in a bucket; path is bucket/key.
type object struct {
	scheme, path string
}

// open finds the client, the bucket and the key.
func (o *object) open() (c *minio.Core, bucket, key string, err error) {
	bucket, key, _ = strings.Cut(o.path, "/")
	if bucket == "" {
		return nil, "", "", fmt.Errorf("%s://%s names no bucket", o.scheme, o.path)
	}
	c, err = client(o.scheme)
	return c, bucket, key, err
}

// failure turns an answer of the server into an error of this package.
func (o *object) failure(err error) error {
	if err == nil {
		return nil
	}
	var res minio.ErrorResponse
	if !errors.As(err, &res) {
		return err
	}
	switch {
	case res.Code == minio.NoSuchBucket:
		bucket, _, _ := strings.Cut(o.path, "/")
		return fmt.Errorf("there is no bucket %s: %w", bucket, missing(o.scheme+"://"+o.path))
	case res.StatusCode == http.StatusNotFound:
		return missing(o.scheme + "://" + o.path)
	case res.StatusCode == http.StatusPreconditionFailed:
		return ErrChanged
	case res.StatusCode == 0 && res.Code != "":
		return &statusError{http.StatusBadRequest, res.Code + ": " + res.Message}
	case res.StatusCode == 0:
		return err
	}
	text := strings.TrimSpace(http.StatusText(res.StatusCode) + " (" + res.Code + ") " + res.Message)
	switch {
	case res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusUnauthorized:
		text += "\nhint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; gs:// takes HMAC keys in GS_ACCESS_KEY_ID and GS_SECRET_ACCESS_KEY"
	case res.StatusCode == http.StatusMovedPermanently, res.StatusCode == http.StatusTemporaryRedirect, res.Code == "AuthorizationHeaderMalformed":
		return &statusError{http.StatusBadRequest, text + "\nhint: set AWS_REGION to the bucket's region"}
	}
	return &statusError{res.StatusCode, text}
}

func objectInfo(i minio.ObjectInfo) Info {
	return Info{Size: i.Size, ModTime: i.LastModified, Version: i.ETag}
}

func (o *object) head(ctx context.Context) (Info, error) {
	c, bucket, key, err := o.open()
	if err != nil {
		return Info{}, err
	}
	if key == "" {
		return Info{Dir: true}, nil
	}
	info, err := c.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	return objectInfo(info), o.failure(err)
}

func (o *object) get(ctx context.Context, off, n int64, version string) (io.ReadCloser, Info, int64, error) {
	c, bucket, key, err := o.open()
	if err != nil {
		return nil, Info{}, 0, err
	}
	if key == "" {
		return nil, Info{}, 0, &statusError{http.StatusBadRequest, "it is a bucket, want a file"}
	}
	opts := minio.GetObjectOptions{}
	if version != "" {
		if err := opts.SetMatchETag(version); err != nil {
			return nil, Info{}, 0, err
		}
	}
	if off > 0 || n >= 0 {
		opts.Set("Range", fmt.Sprintf("bytes=%d-", off))
		if n >= 0 {
			opts.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
		}
	}
	body, info, header, err := c.GetObject(ctx, bucket, key, opts)
	if err != nil {
		return nil, Info{}, 0, o.failure(err)
	}
	out := objectInfo(info)
	if r := header.Get("Content-Range"); r != "" {
		if _, total, ok := strings.Cut(r, "/"); ok {
			if _, err := fmt.Sscan(total, &out.Size); err != nil {
				out.Size = -1
			}
		}
		off = 0
	}
	return body, out, off, nil
}

// partSize is what is sent at once, and held in memory by each upload, in bytes. S3
// allows 10,000 parts, so that an object may have 84 GB.
const (
	partSize = 8 << 20
	maxParts = 10_000
)

// upload writes an object. What fits into a part is sent as a whole by Commit;
// more goes in parts, which become the object when the last is there. One part
// is sent while the next is filled, so a file takes two parts of memory.
type upload struct {
	*object
	name        string
	core        *minio.Core
	bucket, key string
	part, next  []byte
	id          string
	parts       []minio.CompletePart
	size        int64
	sent        chan sentPart // the part under way
}

// sentPart is the answer to a part.
type sentPart struct {
	etag string
	err  error
}

func createObject(o *object, name string) (Writer, error) {
	c, bucket, key, err := o.open()
	if err == nil && (key == "" || strings.HasSuffix(key, "/")) {
		err = errors.New("it names no file")
	}
	if err != nil {
		return nil, err
	}
	return &upload{object: o, name: name, core: c, bucket: bucket, key: key}, nil
}

func (u *upload) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		take := min(len(b), partSize-len(u.part))
		u.part = append(u.part, b[:take]...)
		b = b[take:]
		if len(u.part) == partSize {
			if err := u.send(); err != nil {
				return 0, err
			}
		}
	}
	u.size += int64(n)
	return n, nil
}

// wait waits for the part under way.
func (u *upload) wait() error {
	if u.sent == nil {
		return nil
	}
	p := <-u.sent
	u.sent = nil
	u.parts = append(u.parts, minio.CompletePart{PartNumber: len(u.parts) + 1, ETag: p.etag})
	return p.err
}

// send starts to send the part that was filled.
func (u *upload) send() error {
	if err := u.wait(); err != nil {
		return err
	}
	if u.id == "" {
		// What an interrupted run has left of this file is paid for until it
		// is removed. A server that cannot tell is none the worse.
		_ = limited(func(ctx context.Context) error { return u.core.RemoveIncompleteUpload(ctx, u.bucket, u.key) })
		err := again(func() error {
			return limited(func(ctx context.Context) (err error) {
				u.id, err = u.core.NewMultipartUpload(ctx, u.bucket, u.key, minio.PutObjectOptions{})
				return u.failure(err)
			})
		})
		if err != nil {
			return err
		}
	}
	if len(u.parts) == maxParts {
		return fmt.Errorf("the file is larger than %d parts of %d bytes\nhint: write smaller shards", maxParts, partSize)
	}
	part, number, sent := u.part, len(u.parts)+1, make(chan sentPart, 1)
	u.part, u.next, u.sent = u.next[:0], part, sent
	go func() {
		sum := md5.Sum(part)
		opts := minio.PutObjectPartOptions{
			Md5Base64: base64.StdEncoding.EncodeToString(sum[:]), Sha256Hex: u.payloadHash(part),
			DisableContentSha256: true, // of chunks, which not all servers know
		}
		var done minio.ObjectPart
		err := again(func() error {
			return within(sending, func(ctx context.Context) (err error) {
				done, err = u.core.PutObjectPart(ctx, u.bucket, u.key, u.id, number, bytes.NewReader(part), int64(len(part)), opts)
				return u.failure(err)
			})
		})
		sent <- sentPart{done.ETag, err}
	}()
	return nil
}

// payloadHash is the hash that signs a body where TLS does not protect it.
func (u *upload) payloadHash(b []byte) string {
	if u.core.EndpointURL().Scheme == "https" {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Seal sends all that is not sent yet, as the last part.
func (u *upload) Seal() error {
	if len(u.part) > 0 {
		if err := u.send(); err != nil {
			return err
		}
	}
	if err := u.wait(); err != nil {
		return err
	}
	u.part, u.next = nil, nil
	return nil
}

func (u *upload) Commit() error {
	var err error
	if u.id == "" {
		sum := md5.Sum(u.part)
		err = again(func() error {
			return within(sending, func(ctx context.Context) error {
				_, err := u.core.PutObject(ctx, u.bucket, u.key, bytes.NewReader(u.part), int64(len(u.part)),
					base64.StdEncoding.EncodeToString(sum[:]), u.payloadHash(u.part), minio.PutObjectOptions{DisableContentSha256: true})
				return u.failure(err)
			})
		})
	} else {
		if len(u.part) > 0 {
			err = u.send()
		}
		if e := u.wait(); err == nil {
			err = e
		}
		if err == nil {
			n := 0
			err = again(func() error {
				n++
				return within(sending, func(ctx context.Context) error {
					_, err := u.core.CompleteMultipartUpload(ctx, u.bucket, u.key, u.id, u.parts, minio.PutObjectOptions{})
					if err = u.failure(err); n > 1 && errors.Is(err, fs.ErrNotExist) {
						// The answer to an earlier try was lost: the upload is
						// an object already, or Stat below fails.
						err = nil
					}
					return err
				})
			})
		}
		if err != nil {
			u.Abort()
		}
	}
	if err != nil {
		return err
	}
	info, err := statRemote(u.object, u.name)
	if err == nil && info.Size != u.size {
		err = fmt.Errorf("%d bytes were written, the server has %d", u.size, info.Size)
	}
	return err
}

func (u *upload) Abort() {
	_ = u.wait() // the file is given up anyway
	if u.id != "" {
		_ = limited(func(ctx context.Context) error { return u.core.AbortMultipartUpload(ctx, u.bucket, u.key, u.id) })
		u.id = ""
	}
}

func removeObject(o *object, name string) error {
	c, bucket, key, err := o.open()
	if err == nil {
		err = again(func() error {
			return limited(func(ctx context.Context) error {
				return o.failure(c.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{}))
			})
		})
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", name, err)
	}
	return nil
}

func listObjects(o *object, name string, deep bool) ([]string, error) {
	c, bucket, prefix, err := o.open()
	if err != nil {
		return nil, err
	}
	var names []string
	err = again(func() error {
		names = names[:0]
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for info := range c.Client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: deep}) {
			if info.Err != nil {
				return o.failure(info.Err)
			}
			if !strings.HasSuffix(info.Key, "/") { // else a folder, or a mark for one
				names = append(names, o.scheme+"://"+bucket+"/"+info.Key)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", name, err)
	}
	slices.Sort(names)
	return names, nil
}
