package cli

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	evaldata "olmo/eval/data"
)

// version is the release that this source becomes; CHANGELOG.md has its entry.
const version = "0.1.0"

//go:embed licences.txt
var licences string

// buildReport is what `olmo version --json` prints.
type buildReport struct {
	Version  string `json:"version"`
	Revision string `json:"revision"` // empty when the build knew no version control
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func (r buildReport) String() string {
	revision := ""
	if r.Revision != "" {
		revision = " (" + r.Revision + ")"
	}
	return fmt.Sprintf("olmo %s%s %s %s/%s", r.Version, revision, r.Go, r.OS, r.Arch)
}

func newVersionCommand() *cobra.Command {
	var asJSON, showLicences bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and with --licences the terms of everything inside",
		Example: `  olmo version
  olmo version --json
  olmo version --licences`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON && showLicences {
				return usageErrorf("--json and --licences cannot be combined")
			}
			if showLicences {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s%s%s", licences, licenceHeading("Embedded data"), evaldata.Licences())
				return err
			}
			report := readBuild()
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(report)
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), report)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.Flags().BoolVar(&showLicences, "licences", false, "print the licence texts of the program, its modules and its data")
	return c
}

// licenceHeading separates the texts that --licences prints.
func licenceHeading(name string) string {
	rule := strings.Repeat("=", 80)
	return rule + "\n" + name + "\n" + rule + "\n\n"
}

// readBuild collects what the linker recorded about this binary.
func readBuild() buildReport {
	report := buildReport{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				report.Revision = s.Value
			}
		}
	}
	return report
}
