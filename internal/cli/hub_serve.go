package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"olmo/hub/serve"
	"olmo/internal/loopback"
)

func newHubServeCommand() *cobra.Command {
	var address, writable, token string
	c := &cobra.Command{
		Use:   "serve RELEASE…",
		Short: "Serve releases to the libraries of Hugging Face, in a closed room",
		Long: `Serve is a hub for this machine, or for a closed room: with HF_ENDPOINT set to its address,
huggingface_hub, transformers and 'olmo hub get' fetch from it. Each revision of a release is a
branch under the release's name; what is no model (logs, states, data, release.json, its
signature) is the branch "release". Only files that release.json names are served, and nothing is
fetched from elsewhere.

With --writable the hub takes uploads into DIR: repositories, branches, tags and commits, of
huggingface_hub (with HF_HUB_DISABLE_XET=1) and 'olmo hub put'. Each file is kept under its
SHA-256, once, and gets its name only when that is right. Releases take none.

Whoever reaches the address reads everything. It is this machine's own without --addr; uploads
on another need a token: that of --token, else of HF_TOKEN.`,
		Example: `  olmo hub serve my-model
  olmo hub serve my-model other-model --addr 0.0.0.0:8411
  olmo hub serve --writable uploads`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFilled(c.Flags()); err != nil {
				return err
			}
			if len(args) == 0 && writable == "" {
				return usageErrorf("a release is needed\nhint: 'olmo release' makes one; --writable DIR takes uploads instead")
			}
			at, err := listenAddress(address)
			if err != nil {
				return err
			}
			if token != "" && writable == "" {
				return usageErrorf("--token is for uploads\nhint: --writable DIR takes them")
			}
			if host, _, _ := net.SplitHostPort(at); writable != "" && token == "" && !loopback.Is(host) {
				if token = os.Getenv("HF_TOKEN"); token == "" {
					return usageErrorf("--addr %s can be reached from elsewhere, and --writable takes uploads\nhint: --token TOKEN lets in those who have it", address)
				}
			}
			h := serve.New()
			defer h.Close()
			for _, dir := range args {
				if err := h.AddRelease(dir); err != nil {
					return err
				}
			}
			if writable != "" {
				if err := h.TakeUploads(writable, token); err != nil {
					return err
				}
				if err := h.Unlocked(); err != nil {
					fmt.Fprintf(c.ErrOrStderr(), "olmo hub serve: warning: %v\n", err)
				}
			}
			return runHub(c, h, at)
		},
	}
	f := c.Flags()
	f.StringVar(&address, "addr", "127.0.0.1:8411", "`address` to listen on: a port, or HOST:PORT")
	f.StringVar(&writable, "writable", "", "take uploads, into this folder (made when missing)")
	f.StringVar(&token, "token", "", "uploads need this token")
	return c
}

// hubGrace is how long requests may take that are there when the hub is stopped.
const hubGrace = 30 * time.Second

// runHub answers requests until the command is interrupted.
func runHub(c *cobra.Command, h *serve.Hub, at string) error {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return fmt.Errorf("%w\nhint: --addr 0 takes a free port", err)
	}
	fmt.Fprintf(c.OutOrStdout(), "listening on http://%s\n", l.Addr())
	for _, name := range h.Repositories() {
		fmt.Fprintf(c.ErrOrStderr(), "olmo hub serve: %s\n", visible(name))
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	drained := make(chan error, 1)
	stop := context.AfterFunc(c.Context(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), hubGrace)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			_ = s.Close()
		}
		drained <- nil
	})
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}
