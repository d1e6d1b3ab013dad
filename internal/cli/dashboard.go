package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"olmo/dashboard"
)

func newDashboardCommand() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use:   "dashboard RUN…",
		Short: "Show training runs on a local page: live curves, samples, comparison",
		Long: `Dashboard serves a page over one or more runs, which are folders with a
metrics.jsonl, or such files. It follows runs that go on. Everything the page
needs is inside the program; nothing is fetched from elsewhere.`,
		Example: `  olmo dashboard olmo-quickstart
  olmo dashboard runs-out/a runs-out/b --addr 127.0.0.1:8500`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageErrorf("a run is needed")
			}
			h, err := dashboard.Handler(args)
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", address)
			if err != nil {
				return fmt.Errorf("%w\nhint: --addr 127.0.0.1:0 takes a free port", err)
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
	c.Flags().StringVar(&address, "addr", "127.0.0.1:8477", "`address` to listen on")
	return c
}
