package cli

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	evaldata "olmo/eval/data"
	"olmo/internal/program"
)

//go:embed licences.txt
var licences string

// buildReport is what `olmo version --json` prints: the record of the build, which a release
// has in report/program.json, and for which machine it was.
type buildReport struct {
	program.Build
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

func (r buildReport) String() string {
	return fmt.Sprintf("%s %s %s/%s", r.Build, r.Go, r.OS, r.Arch)
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

func readBuild() buildReport { return buildReport{program.Read(), runtime.GOOS, runtime.GOARCH} }
