package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tagger"
)

// workDir is Dolma's work_dir. What is complete is recorded beside the outputs
// here, so nothing needs to be kept elsewhere.
type workDir struct {
	Input  *string `yaml:"input" help:"accepted for Dolma's configs; nothing is copied"`
	Output *string `yaml:"output" help:"accepted for Dolma's configs; outputs themselves tell what is done"`
}

// tagConfig has the keys of Dolma 1.2.1, python/dolma/cli/tagger.py, and models.
type tagConfig struct {
	tagger.Config `yaml:",inline"`
	TaggerModules []string   `yaml:"tagger_modules" help:"Python modules; refused, as this program has none"`
	Debug         bool       `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	Profile       tagProfile `yaml:"profile"`
	WorkDir       workDir    `yaml:"work_dir"`
	Dryrun        bool       `yaml:"dryrun" help:"print the config and stop"`
}

// tagProfile is for Python's profiler.
type tagProfile struct {
	Enable  bool    `yaml:"enable" help:"accepted for Dolma's configs; no effect"`
	Output  *string `yaml:"output" help:"accepted for Dolma's configs; no effect"`
	Steps   *int    `yaml:"steps" limits:".." help:"accepted for Dolma's configs; no effect"`
	SortKey string  `yaml:"sort_key" help:"accepted for Dolma's configs; no effect"`
	Lines   int     `yaml:"lines" limits:".." help:"accepted for Dolma's configs; no effect"`
}

func newDataTagCommand() *cobra.Command {
	c := dataVerb[tagConfig]{
		use:   "tag",
		short: "Score documents and spans with taggers, into attribute files",
		long: `For every documents file <base>/documents/X, write <base>/attributes/NAME/X with
one row of attributes per document, in the same order: NAME is the experiment,
or each tagger's own name when no experiment is given.

What an earlier run made of the same documents is not made again; the same command
continues after an interruption. Bad lines go to <base>/rejects/.`,
		example: `  olmo data tag --documents 'corpus/documents/*.jsonl.gz' --taggers gopher_v2 c4_v2 pii_regex_v2 --processes 4
  olmo data tag --documents corpus/documents --taggers gopher_v2 c4_v2 --experiment exp1`,
		defaults: func() tagConfig {
			c := tagConfig{Profile: tagProfile{SortKey: "tottime", Lines: 100}}
			c.Processes = 1
			return c
		},
		run: runDataTag,
	}.command()
	c.Flags().Bool("json", false, "print the report as JSON")
	return c
}

func runDataTag(r *dataRun, cfg tagConfig) error {
	if len(cfg.Documents) == 0 {
		return usageErrorf("no documents are given\nhint: --documents 'corpus/documents/*.gz'")
	}
	if len(cfg.Taggers) == 0 {
		return usageErrorf("no taggers are given\nhint: --taggers gopher_v2; 'olmo data list' shows all")
	}
	if len(cfg.TaggerModules) > 0 {
		return usageErrorf("tagger_modules names Python modules, which this program cannot load\nhint: 'olmo data list' shows the taggers it has")
	}
	p := new(data.Progress)
	cfg.Execution = r.execution(cfg.Processes, p)
	var report *tagger.Report
	err := r.watch("tag", p, func(ctx context.Context) (err error) {
		report, err = tagger.Run(ctx, cfg.Config)
		return err
	})
	if err == nil && r.json() {
		return json.NewEncoder(r.OutOrStdout()).Encode(report)
	}
	r.summary("tag", p)
	return err
}
