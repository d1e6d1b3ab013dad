package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"olmo/internal/loopback"
	"olmo/internal/program"
	"olmo/serve"
	"olmo/store"
)

// serveOptions are the flags of 'olmo serve'.
type serveOptions struct {
	models         []string
	host           string
	port           int
	precision      string
	keys           []string
	keyFile        string
	hosts, origins []string
	maxBody        string
	grace          time.Duration
	logFormat      string
	insecure       bool
	parallel       int
	queue          int
	sharePrefixes  bool
	strict         bool
	how            modelFlags
}

func newServeCommand() *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve --model [NAME=]PATH…",
		Short: "Answer the HTTP API of OpenAI with models of this machine",
		Long: `Serve answers the API that OpenAI's clients speak: chat and text completions, streamed or not,
log-probabilities of answers and of prompts, forms that an answer is held to. The same
fingerprint, request and seed give the same answer, whoever else asks at the same time, and the
one that 'olmo generate' gives. What cannot be honoured is refused with a reason.

When it is ready, one line says where: listening on http://HOST:PORT. A request names a model by
NAME, or by the name of its file or folder; with one model it need not. It is this machine's own
without --host; on another address a key is needed, of --api-key-file, --api-key or OLMO_API_KEY.

  curl http://127.0.0.1:8080/v1/completions -d '{"prompt": "Package json", "max_tokens": 20}'

An interrupt takes no further requests and ends when running answers have ended, at most --grace
later.`,
		Example: `  olmo serve --model olmo-quickstart
  olmo serve --model smollm2=smollm2.Q4_1.gguf --precision int8 --port 8081
  olmo serve --model MODEL --host 0.0.0.0 --api-key-file keys`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkFilled(c.Flags()); err != nil {
				return err
			}
			return o.run(c)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.models, "model", nil, "a model, as [NAME=]`PATH`: whatever 'olmo generate' opens; may be given several times")
	f.StringVar(&o.host, "host", "127.0.0.1", "`address` to listen on")
	f.IntVar(&o.port, "port", 8080, "port to listen on; 0: a free one")
	f.StringVar(&o.precision, "precision", "fp32", precisionWords())
	f.IntVar(&o.parallel, "parallel", 32, "answers that are written at once")
	f.IntVar(&o.queue, "queue", 256, "requests that may wait for their turn; 0: none")
	f.StringArrayVar(&o.keys, "api-key", nil, "a key that lets in; may be given several times")
	f.StringVar(&o.keyFile, "api-key-file", "", "`file` of keys that let in: one a line, a name for the log behind it, # comments")
	f.StringArrayVar(&o.hosts, "allowed-host", nil, "a `name` under which the server may be asked besides this machine's own")
	f.StringArrayVar(&o.origins, "cors-origin", nil, "a page's `origin` that may ask, such as https://example.org")
	f.StringVar(&o.maxBody, "max-body", "32MB", "most bytes of a request")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long running answers may take when the server ends")
	f.StringVar(&o.logFormat, "log-format", "text", "the log on standard error: text, json or none")
	f.BoolVar(&o.insecure, "insecure", false, "listen on an address that others reach, without a key")
	f.BoolVar(&o.sharePrefixes, "share-prefixes", false, "let requests with different keys share what their beginnings have in common, which their times then tell")
	f.BoolVar(&o.strict, "strict", false, "refuse fields that are not known, in place of naming them in a header")
	o.how.add(f)
	o.how.addMemory(f)
	o.how.addSpeculate(f)
	return c
}

func (o *serveOptions) run(c *cobra.Command) error {
	if len(o.models) == 0 {
		return usageErrorf("--model is needed")
	}
	arithmetic, err := precisionFlag(o.precision)
	if err != nil {
		return err
	}
	body, err := memoryFlag("max-body", o.maxBody)
	if err != nil {
		return err
	}
	switch {
	case o.port < 0 || o.port > 65535:
		return usageErrorf("--port is %d, it must lie between 0 and 65535", o.port)
	case o.parallel < 1:
		return usageErrorf("--parallel is %d, it must be 1 or more", o.parallel)
	case o.queue < 0:
		return usageErrorf("--queue is %d, it must be 0 or more", o.queue)
	case o.grace < 0:
		return usageErrorf("--grace is %v, it must be 0 or more", o.grace)
	}
	keys, err := o.readKeys(c)
	if err != nil {
		return err
	}
	local := loopback.Is(o.host)
	if !local && len(keys) == 0 && !o.insecure {
		return usageErrorf("--host %s can be reached from elsewhere, and there is no key\nhint: --api-key-file FILE lets in those who have one, --insecure everyone", o.host)
	}
	var log *slog.Logger
	switch o.logFormat {
	case "text":
		log = slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))
	case "json":
		log = slog.New(slog.NewJSONHandler(c.ErrOrStderr(), nil))
	case "none":
	default:
		return usageErrorf("--log-format %q is not known\nhint: one of text, json, none", o.logFormat)
	}
	queue := o.queue
	if queue == 0 {
		queue = -1 // 0 would be the package's default
	}
	s := serve.New(serve.Options{
		Parallel: o.parallel, Queue: queue, MaxBody: body, Keys: keys, Hosts: o.hosts, Local: local, Origins: o.origins,
		SharePrefixes: o.sharePrefixes, Strict: o.strict, Log: log, Version: program.Version,
	})
	l, err := net.Listen("tcp", net.JoinHostPort(o.host, strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("%w\nhint: --port 0 takes a free one", err)
	}
	defer l.Close()
	for _, given := range o.models {
		name, path := namedPath(given)
		if path == given { // the file has named it
			name = strings.TrimSuffix(name, ".gguf")
		}
		if name == "" || path == "" {
			return usageErrorf("--model %s: want PATH, or NAME=PATH", given)
		}
		m, err := openModel(c, path, "", arithmetic, o.how)
		if err != nil {
			return err
		}
		defer m.Close()
		if err := s.Add(name, m); err != nil {
			return err
		}
	}
	h := &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	if log != nil {
		h.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	}
	s.Ready()
	fmt.Fprintf(c.OutOrStdout(), "listening on http://%s\n", l.Addr())
	drained := make(chan error, 1)
	stop := context.AfterFunc(c.Context(), func() {
		s.Drain()
		ctx, cancel := context.WithTimeout(context.Background(), o.grace)
		defer cancel()
		if h.Shutdown(ctx) != nil {
			_ = h.Close()
		}
		drained <- nil
	})
	defer stop()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

// readKeys are those of the flags, the file and the environment.
func (o *serveOptions) readKeys(c *cobra.Command) (keys []serve.Key, err error) {
	add := func(name, secret string) {
		if name == "" {
			name = fmt.Sprintf("key %d", len(keys)+1)
		}
		keys = append(keys, serve.Key{Name: name, Secret: secret})
	}
	for _, k := range o.keys {
		add("", k)
	}
	if len(o.keys) > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s: warning: a key on the command line shows in the list of processes; --api-key-file keeps it\n", c.CommandPath())
	}
	if k := os.Getenv("OLMO_API_KEY"); k != "" {
		add("OLMO_API_KEY", k)
	}
	if o.keyFile == "" {
		return keys, nil
	}
	text, err := store.ReadFile(o.keyFile)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(o.keyFile); err == nil && info.Mode().Perm()&fs.FileMode(0o077) != 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s: warning: others may read %s\nhint: chmod 600 %[2]s\n", c.CommandPath(), o.keyFile)
	}
	found := len(keys)
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		secret, name, _ := strings.Cut(line, " ")
		add(strings.TrimSpace(name), secret)
	}
	if len(keys) == found {
		return nil, fmt.Errorf("%s has no keys\nhint: one a line is due", o.keyFile)
	}
	return keys, nil
}
