package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"olmo/data"
	"olmo/data/tagger"
)

// workDir is Dolma's work_dir. Complete outputs are known by their names
// here, so nothing needs to be kept elsewhere.
type workDir struct {
	Input  *string `yaml:"input" help:"accepted for Dolma's configs; nothing is copied"`
	Output *string `yaml:"output" help:"accepted for Dolma's configs; outputs themselves tell what is done"`
}

// tagConfig has the keys of Dolma 1.2.1, python/dolma/cli/tagger.py, and models.
type tagConfig struct {
	Documents      []string   `yaml:"documents" help:"documents files, folders or globs"`
	Destination    []string   `yaml:"destination" help:"a folder for each of documents (default <base>/attributes/<experiment or tagger>)"`
	TaggerModules  []string   `yaml:"tagger_modules" help:"Python modules; refused, as this program has none"`
	Taggers        []string   `yaml:"taggers" help:"names of taggers, see 'olmo data list'"`
	Models         []string   `yaml:"models" help:"folders of model and list files, beside those of OLMO_MODELS"`
	Experiment     *string    `yaml:"experiment" help:"name of one attribute file for all taggers"`
	Processes      int        `yaml:"processes" help:"number of workers; the output does not depend on it"`
	IgnoreExisting bool       `yaml:"ignore_existing" help:"tag again what is complete"`
	Debug          bool       `yaml:"debug" help:"accepted for Dolma's configs; no effect"`
	Profile        tagProfile `yaml:"profile"`
	WorkDir        workDir    `yaml:"work_dir"`
	Dryrun         bool       `yaml:"dryrun" help:"print the config and stop"`
}

// tagProfile is for Python's profiler.
type tagProfile struct {
	Enable  bool    `yaml:"enable" help:"accepted for Dolma's configs; no effect"`
	Output  *string `yaml:"output" help:"accepted for Dolma's configs; no effect"`
	Steps   *int    `yaml:"steps" help:"accepted for Dolma's configs; no effect"`
	SortKey string  `yaml:"sort_key" help:"accepted for Dolma's configs; no effect"`
	Lines   int     `yaml:"lines" help:"accepted for Dolma's configs; no effect"`
}

func newDataTagCommand() *cobra.Command {
	return dataVerb[tagConfig]{
		use:   "tag",
		short: "Score documents and spans with taggers, into attribute files",
		long: `For every documents file <base>/documents/X, write <base>/attributes/NAME/X with
one row of attributes per document, in the same order: NAME is the experiment,
or each tagger's own name when no experiment is given.

Files whose attributes are complete are passed over; the same command continues
after an interruption. Bad lines go to <base>/rejects/.`,
		example: `  olmo data tag --documents 'corpus/documents/*.jsonl.gz' --taggers gopher_v2 c4_v2 pii_regex_v2 --processes 4
  olmo data tag --documents corpus/documents --taggers gopher_v2 c4_v2 --experiment exp1`,
		defaults: func() tagConfig {
			return tagConfig{Processes: 1, Profile: tagProfile{SortKey: "tottime", Lines: 100}}
		},
		run: runDataTag,
	}.command()
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
	_, missing, err := data.ExpandGlobs(cfg.Documents)
	if err != nil {
		return err
	}
	for _, m := range missing {
		r.progress.print("warning: no documents match " + m)
	}
	p := new(data.Progress)
	c := tagger.Config{
		Documents: cfg.Documents, Destination: cfg.Destination, Taggers: cfg.Taggers,
		Processes: cfg.Processes, IgnoreExisting: cfg.IgnoreExisting, Strict: r.strict,
		Options: tagger.Options{Dolma: r.compat, Models: cfg.Models}, Progress: p, Warn: r.warnReject(p),
	}
	if cfg.Experiment != nil {
		c.Experiment = *cfg.Experiment
	}
	var report *tagger.Report
	err = r.watch("tag", p, func(ctx context.Context) error {
		report, err = tagger.Run(ctx, c)
		return err
	})
	r.summary("tag", p)
	if err != nil {
		return err
	}
	if report.Documents == 0 && report.Skipped < int64(len(report.Files)) {
		return fmt.Errorf("no document was tagged: the %d input files hold none that can be read\nhint: 'olmo data convert' makes documents of text, HTML and CSV files", len(report.Files))
	}
	return nil
}
