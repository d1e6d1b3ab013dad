package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"olmo/config"
	"olmo/data"
	"olmo/data/store"
)

// Dolma's resolvers for configs (1.2.1, python/dolma/cli/resolvers.py).
func init() {
	one := func(args []string) (string, error) {
		if len(args) != 1 {
			return "", fmt.Errorf("takes one argument, got %d", len(args))
		}
		return args[0], nil
	}
	config.AddResolver("d.cache", func(args []string) (any, error) {
		path, err := one(args)
		if err == nil && store.Remote(path) {
			path, err = cached(path)
		}
		return path, err
	})
	config.AddResolver("d.glob", func(args []string) (any, error) {
		pattern, err := one(args)
		if err != nil {
			return nil, err
		}
		files, missing, err := data.ExpandGlobs([]string{pattern})
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("no file matches %s", pattern)
		}
		return files, err
	})
	config.AddResolver("d.processes", func(args []string) (any, error) {
		n := 0
		if len(args) > 0 && args[0] != "" {
			var err error
			if n, err = strconv.Atoi(args[0]); err != nil {
				return nil, fmt.Errorf("takes a number, got %q", args[0])
			}
		}
		return max(1, runtime.NumCPU()-n), nil
	})
}

func newDataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "Curate a corpus: tag, deduplicate, mix, tokenize, as Dolma does on its own files",
		Long: `The data verbs read and write the files of the Dolma toolkit and take its
configs and flags: -c FILE.yaml before or after the verb, --key.sub VALUE over
it, lists as --documents A B C, switches as --x and --no-x. In a config
${other.key}, ${oc.env:VAR}, ${d.glob:PATTERN} and ${d.processes:N} are filled
in; --dryrun prints the result and stops.

Documents, attributes, outputs and configs may be s3:// or gs:// addresses, with
globs, and what is only read https://. Keys and servers come from AWS_PROFILE,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, … and ~/.aws; for
gs:// HMAC keys from GS_ACCESS_KEY_ID and GS_SECRET_ACCESS_KEY.

Where Dolma has a bug the default is the right behaviour and --compat dolma
reproduces the bug. A bad line goes to a rejects file; --strict fails on it.`,
		Example: `  olmo data tag --documents 'corpus/documents/*.gz' --taggers gopher_v2 c4_v2
  olmo data tag --documents 's3://bucket/corpus/documents/*.zst' --taggers c4_v2 --endpoint-url http://localhost:9000
  olmo data -c mix.yaml mix
  olmo data dedupe -c dedupe.yaml --processes 8`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.PersistentFlags().StringP("config", "c", "", "YAML or JSON config `file`; flags override it")
	c.PersistentFlags().String("compat", "", "reproduce the bugs of `dolma`")
	c.PersistentFlags().Bool("strict", false, "fail on the first bad line instead of writing it to a rejects file")
	c.PersistentFlags().String("endpoint-url", "", "`server` of s3:// addresses, in place of AWS_ENDPOINT_URL")
	c.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if url, _ := c.Flags().GetString("endpoint-url"); url != "" {
			return os.Setenv("AWS_ENDPOINT_URL_S3", url)
		}
		return nil
	}
	for _, build := range dataVerbs {
		c.AddCommand(build())
	}
	return c
}

// cached fetches a remote file into the user's cache and returns its path there.
func cached(name string) (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep %s in: %w", name, err)
	}
	sum := sha256.Sum256([]byte(name))
	dest := filepath.Join(dir, "olmo", "files", hex.EncodeToString(sum[:8]), path.Base(name))
	if !store.Exists(dest) {
		_, err = store.Download(context.Background(), name, dest, store.Want{}, nil)
	}
	return dest, err
}

// dataVerbs lists the verbs of the data group, each a file data_VERB.go.
var dataVerbs = []func() *cobra.Command{
	newDataWarcCommand,
	newDataConvertCommand,
	newDataTagCommand,
	newDataDedupeCommand,
	newDataDecontaminateCommand,
	newDataMixCommand,
	newDataCurateCommand,
	newDataTokensCommand,
	newDataInspectCommand,
	newDataOrderCommand,
	newDataStatCommand,
	newDataListCommand,
	newDataModelsCommand,
}

// dataVerb describes a verb of the data group whose flags are the keys of its
// config C: every field of C that is a scalar, a list of strings or a struct
// of such becomes a flag with a dotted name, from the yaml tags; the help is
// in the help tags. A field called dryrun stops the verb after the config is
// printed.
type dataVerb[C any] struct {
	use, short, long, example string
	defaults                  func() C
	run                       func(r *dataRun, cfg C) error
}

// dataRun is what a data verb gets beside its config.
type dataRun struct {
	*cobra.Command
	compat, strict bool
	progress       *progress
	shown          []byte // the resolved config, until the work begins
}

func (v dataVerb[C]) command() *cobra.Command {
	c := &cobra.Command{Use: v.use, Short: v.short, Long: v.long, Example: v.example, Args: noArgs}
	shown := v.defaults()
	addConfigFlags(c.Flags(), "", reflect.ValueOf(&shown).Elem())
	c.RunE = func(c *cobra.Command, _ []string) error {
		r := &dataRun{Command: c, progress: newProgress(c.ErrOrStderr())}
		compat, _ := c.Flags().GetString("compat")
		switch compat {
		case "dolma":
			r.compat = true
		case "":
		default:
			return usageErrorf("--compat %s is unknown\nhint: --compat dolma is the only one", compat)
		}
		r.strict, _ = c.Flags().GetBool("strict")
		if err := checkLists(c.Flags()); err != nil {
			return err
		}
		cfg := v.defaults()
		name, text := "flags", []byte(nil)
		if file, _ := c.Flags().GetString("config"); file != "" {
			var err error
			if text, err = store.ReadFile(file); err != nil {
				return fmt.Errorf("reading config: %w", err)
			}
			name = file
		}
		if err := config.Parse(name, text, configOverrides(c.Flags()), &cfg); err != nil {
			if e, ok := errors.AsType[*config.Error](err); ok && e.File == "override" && e.Key != "" {
				return overrideError(c.Flags(), e)
			}
			return err
		}
		if err := checkLimits(reflect.ValueOf(&cfg), "", c.Flags().Changed); err != nil {
			return err
		}
		dry, err := r.showConfig(&cfg)
		if dry || err != nil {
			return err
		}
		return v.run(r, cfg)
	}
	return c
}

// Annotations of the flags that stand for keys of a config.
const (
	keyAnnotation   = "olmo-key"
	rawAnnotation   = "olmo-raw"   // the value is a number or a boolean, not text
	falseAnnotation = "olmo-false" // --no-x
)

// addConfigFlags adds a flag for every key below prefix.
func addConfigFlags(flags *pflag.FlagSet, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			addConfigFlags(flags, prefix, v.Field(i))
			continue
		}
		if key == "" || key == "-" {
			continue
		}
		key = prefix + key
		help := f.Tag.Get("help")
		field := v.Field(i)
		if field.Kind() == reflect.Pointer {
			if field.IsNil() {
				field = reflect.New(field.Type().Elem())
				if d, ok := field.Interface().(interface{ SetDefaults() }); ok {
					d.SetDefaults()
				}
			}
			field = field.Elem()
		}
		annotate := func(name string, more ...string) {
			a := flags.Lookup(name).Annotations
			if a == nil {
				a = map[string][]string{}
			}
			a[keyAnnotation] = []string{key}
			for _, m := range more {
				a[m] = nil
			}
			flags.Lookup(name).Annotations = a
		}
		switch field.Kind() {
		case reflect.Struct:
			addConfigFlags(flags, key+".", field)
		case reflect.Bool:
			flags.Bool(key, field.Bool(), help)
			annotate(key, rawAnnotation)
			no := "no-" + key
			flags.Bool(no, false, "switch "+key+" off")
			flags.Lookup(no).Hidden = true
			annotate(no, falseAnnotation)
		case reflect.Slice:
			switch field.Type().Elem().Kind() {
			case reflect.String:
				listFlag(flags, new([]string), key, help)
				annotate(key)
			case reflect.Int:
				listFlag(flags, new([]string), key, help)
				annotate(key, rawAnnotation)
			}
		case reflect.String:
			flags.String(key, field.String(), help)
			annotate(key)
		default:
			n := newNumberFlag(f, field.Interface())
			flags.Var(n, key, n.shown(help))
			annotate(key, rawAnnotation)
		}
	}
}

// configOverrides turns the flags that were given into overrides key=value,
// whose values are YAML.
func configOverrides(flags *pflag.FlagSet) []string {
	var out []string
	flags.Visit(func(f *pflag.Flag) {
		key, ok := f.Annotations[keyAnnotation]
		if !ok {
			return
		}
		value := f.Value.String()
		if _, ok := f.Annotations[falseAnnotation]; ok {
			value = strconv.FormatBool(value != "true")
		} else if list, ok := f.Value.(pflag.SliceValue); ok {
			words := slices.Clone(list.GetSlice())
			if _, ok := f.Annotations[rawAnnotation]; !ok {
				for i, s := range words {
					words[i] = quoteYAML(s)
				}
			}
			value = "[" + strings.Join(words, ", ") + "]"
		} else if _, ok := f.Annotations[rawAnnotation]; !ok {
			value = quoteYAML(value)
		}
		out = append(out, key[0]+"="+value)
	})
	return out
}

// quoteYAML writes text as a JSON string, which YAML reads as the same text.
func quoteYAML(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(b)
}

// showConfig prints the resolved config, keys sorted: for a dry run, which it
// reports, on standard output; else on standard error, but only when the work
// begins, so that what is wrong with a call is not lost behind it.
func (r *dataRun) showConfig(cfg any) (dry bool, err error) {
	text, err := yaml.Marshal(cfg)
	if err != nil {
		return false, err
	}
	var keys map[string]any
	if err := yaml.Unmarshal(text, &keys); err != nil {
		return false, err
	}
	if text, err = yaml.Marshal(keys); err != nil {
		return false, err
	}
	if dry, _ = keys["dryrun"].(bool); dry {
		_, err = r.OutOrStdout().Write(text)
		return dry, err
	}
	r.shown = text
	return false, nil
}

// configAfter is how long a stage may look for its inputs before the config and the stage's
// name are printed.
const configAfter = time.Second

// watch shows p on the progress line while work runs, under the stage's name. What fails
// before the first document is its error alone, without the config before it.
func (r *dataRun) watch(stage string, p *data.Progress, work func(ctx context.Context) error) error {
	begin := sync.OnceFunc(func() {
		_, _ = r.ErrOrStderr().Write(r.shown)
		r.progress.begin(stage)
	})
	began := time.Now()
	stop, stopped := make(chan struct{}), make(chan struct{})
	memory := boundMemory()
	defer memory.end()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				memory.adjust()
				if p.Documents.Load() > 0 || time.Since(began) > configAfter {
					begin()
				}
				r.progress.update(step{
					done: float64(p.BytesDone.Load()) / 1e6, total: float64(p.Bytes.Load()) / 1e6, unit: "MB",
					note: fmt.Sprintf("%d documents", p.Documents.Load()),
				})
			}
		}
	}()
	err := work(r.Context())
	close(stop)
	<-stopped
	if err != nil {
		if p.Documents.Load() > 0 {
			begin()
		}
		r.progress.fail()
	} else {
		begin()
		r.progress.end()
	}
	return err
}

// execution says how a stage runs.
func (r *dataRun) execution(processes int, p *data.Progress) data.Execution {
	return data.Execution{Processes: processes, Strict: r.strict, Compat: r.compat, Progress: p, Log: r.progress.print}
}

// summary ends a stage's report: what was read, skipped and rejected.
func (r *dataRun) summary(stage string, p *data.Progress) {
	if p.Files.Load() == 0 {
		return // it failed before there was anything to sum up
	}
	line := fmt.Sprintf("%s: %d documents in %d of %d files", stage, p.Documents.Load(), p.FilesDone.Load(), p.Files.Load())
	if n := p.FilesSkipped.Load(); n > 0 {
		line += fmt.Sprintf(", %d files were complete already", n)
	}
	if n := p.Rejected.Load(); n > 0 {
		line += fmt.Sprintf(", %d bad lines in the rejects files", n)
	}
	r.progress.print(line)
}
