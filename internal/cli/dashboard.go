package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"olmo/dashboard"
)

func newDashboardCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "dashboard RUN…",
		Short: "Show training runs on a local page: live curves, samples, what each step read",
		Long: `Dashboard serves a page over training runs: folders of runs, quickstarts or releases,
a folder with such folders below it, or files like metrics.jsonl. It follows runs
that go on, waits for those that have not begun, and takes up new ones. Figures
of 'olmo eval' (results.json) in these folders stand beside the run whose
checkpoint they are about, or alone. Of a release it shows also what release.json
says, what was left out, and the commands that check it and compute its steps again.
Everything the page needs is inside the program; nothing is fetched from
elsewhere.`,
		Example: `  olmo dashboard olmo-quickstart
  olmo dashboard runs-out
  olmo dashboard runs-out/a runs-out/b --addr 8500
  olmo dashboard my-model`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("a run is needed")
			}
			at, err := listenAddress(address)
			if err != nil {
				return err
			}
			h, err := dashboard.Handler(args, &runSource{})
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", at)
			if err != nil {
				return fmt.Errorf("%w\nhint: --addr 0 takes a free port", err)
			}
			fmt.Fprintf(c.OutOrStdout(), "http://%s\n", l.Addr())
			s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
			stop := context.AfterFunc(c.Context(), func() { _ = s.Close() })
			defer stop()
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	}
	c.Flags().StringVar(&address, "addr", "127.0.0.1:8477", "`address` to listen on: a port, or HOST:PORT")
	return c
}

// listenAddress is what --addr means: a port alone is one of this machine's own address,
// which others cannot reach.
func listenAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "127.0.0.1", s
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", usageErrorf("--addr %s: want a port from 0 to 65535, or HOST:PORT", s)
	}
	return net.JoinHostPort(host, port), nil
}
