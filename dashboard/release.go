package dashboard

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"olmo/proof"
	"olmo/release"
	"olmo/store"
)

// Where a release has its run, and the record of its steps.
const (
	trainFolder = "train"
	chainName   = "chain.jsonl"
)

// released is the folder of the release that a run's folder lies in, or nothing.
func released(folder string) string {
	dir := filepath.Dir(folder)
	if filepath.Base(folder) == trainFolder && exists(filepath.Join(dir, release.ManifestFile)) {
		return dir
	}
	return ""
}

// releaseAnswer is what the page shows of a release: what release.json says, and which of its
// files are here. Nothing is hashed; that is what the command to verify is for.
type releaseAnswer struct {
	Verify  string `json:"verify"` // commands, as one writes them where the dashboard was begun
	Serve   string `json:"serve"`
	Problem string `json:"problem,omitempty"` // why release.json cannot be shown; then nothing below is

	Name      string             `json:"name"`
	Program   string             `json:"program"`
	Run       release.Run        `json:"run"`
	Data      release.Data       `json:"data"`
	Tokenizer *release.Tokenizer `json:"tokenizer"`
	Files     int                `json:"files"`
	Bytes     int64              `json:"bytes"` // of the files
	FilesRoot proof.Hash         `json:"files_root"`
	Signed    bool               `json:"signed"` // has a release.sig, which nobody has checked here

	Steps        []releasedStep `json:"steps"`                   // that have a model or a checkpoint, and the last one
	CannotReplay string         `json:"cannot_replay,omitempty"` // which steps, and why
	LeftOut      []absent       `json:"left_out"`                // by folder
	Missing      []absent       `json:"missing"`                 // listed, but not here or of another size
}

// releasedStep is a step with a model, a checkpoint or both.
type releasedStep struct {
	Step        int         `json:"step"`
	Revisions   []string    `json:"revisions"`
	WeightsRoot *proof.Hash `json:"weights_root"` // of the model, nil without one
	Model       string      `json:"model"`        // here, left out, not here; empty without one
	Checkpoint  string      `json:"checkpoint"`   // likewise
	// Replay is the command for the segment that ends here; empty where none does, or where it
	// cannot be computed.
	Replay string `json:"replay,omitempty"`
}

// absent are files of one folder.
type absent struct {
	Path  string `json:"path"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Where the files of a model or checkpoint are.
const (
	here    = "here"
	leftOut = "left out"
	notHere = "not here"
)

// release answers with the release that a run lies in.
func (d *server) release(w http.ResponseWriter, q *http.Request) {
	r := d.of(w, q)
	if r == nil {
		return
	}
	dir := released(r.folder)
	if dir == "" {
		http.NotFound(w, q)
		return
	}
	answer(w, aboutRelease(dir))
}

func aboutRelease(dir string) *releaseAnswer {
	word := shellWord(filepath.ToSlash(dir))
	a := &releaseAnswer{Verify: "olmo verify " + word, Serve: "olmo hub serve " + word, Steps: []releasedStep{}}
	m, err := release.Open(dir)
	if err != nil {
		a.Problem = err.Error()
		return a
	}
	a.Name, a.Program, a.Run, a.Data, a.Tokenizer = m.Name, m.Program, m.Run, m.Data, m.Tokenizer
	a.Files, a.FilesRoot, a.Signed = len(m.Files), m.FilesRoot, exists(filepath.Join(dir, release.SignatureFile))
	left, missing, where := map[string]*absent{}, map[string]*absent{}, map[string]string{}
	for _, f := range m.LeftOut {
		count(left, &f)
		where[folderOf(f.Path)] = leftOut
	}
	for _, f := range m.Files {
		a.Bytes += f.Size
		folder := folderOf(f.Path)
		st, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.Path)))
		switch {
		case err != nil || !st.Mode().IsRegular() || st.Size() != f.Size:
			count(missing, &f)
			if where[folder] != leftOut {
				where[folder] = notHere
			}
		case where[folder] == "":
			where[folder] = here
		}
	}
	a.LeftOut, a.Missing = byPath(left), byPath(missing)
	a.Steps = stepsOf(m, where)
	a.replays(dir, word, where)
	return a
}

// folderOf is the folder of which a file is a part: model/main, train/step10, data/tokens.
func folderOf(path string) string {
	if parts := strings.SplitN(path, "/", 3); len(parts) == 3 {
		return parts[0] + "/" + parts[1]
	}
	return path
}

func count(by map[string]*absent, f *release.File) {
	folder := folderOf(f.Path)
	if by[folder] == nil {
		by[folder] = &absent{Path: folder}
	}
	by[folder].Files++
	by[folder].Bytes += f.Size
}

func byPath(by map[string]*absent) []absent {
	list := []absent{}
	for _, path := range slices.Sorted(maps.Keys(by)) {
		list = append(list, *by[path])
	}
	return list
}

var checkpointPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^` + trainFolder + `/step(0|[1-9]\d*)$`)
})

// stepsOf lists the steps of models and checkpoints, and the last step of the run.
func stepsOf(m *release.Manifest, where map[string]string) []releasedStep {
	by := map[int]*releasedStep{}
	at := func(step int) *releasedStep {
		if by[step] == nil {
			by[step] = &releasedStep{Step: step, Revisions: []string{}}
		}
		return by[step]
	}
	at(m.Run.Steps)
	for _, r := range m.Revisions {
		s := at(r.Step)
		s.Revisions, s.WeightsRoot = append(s.Revisions, r.Name), &r.WeightsRoot
		if is := cmp.Or(where[r.Path], notHere); s.Model == "" || s.Model == here {
			s.Model = is
		}
	}
	for path, is := range where {
		if name := checkpointPath().FindStringSubmatch(path); name != nil {
			if n, err := strconv.Atoi(name[1]); err == nil && n <= m.Run.Steps {
				at(n).Checkpoint = is
			}
		}
	}
	list := []releasedStep{}
	for _, step := range slices.Sorted(maps.Keys(by)) {
		list = append(list, *by[step])
	}
	return list
}

// replays gives each segment, the steps between two states that are here, the command that
// computes it again; what comes behind the last state is one, too.
func (a *releaseAnswer) replays(dir, word string, where map[string]string) {
	for _, folder := range []string{"data/tokens", "data/masks"} {
		if is := where[folder]; is != "" && is != here {
			a.CannotReplay = fmt.Sprintf("No step can be computed again: the files of %s are %s.", folder, is)
			return
		}
	}
	first, err := firstLine(filepath.Join(dir, trainFolder, chainName))
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("the record, " + trainFolder + "/" + chainName + ", is not here")
	}
	if err != nil {
		a.CannotReplay = fmt.Sprintf("No step can be computed again: %v.", err)
		return
	}
	from := -1
	if first.Step == 0 && first.From == nil {
		from = 0 // the recipe makes the first state, but not that of a run that grew out of another
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.Step < first.Step || s.Checkpoint != here && s.Step < a.Run.Steps {
			continue
		}
		switch {
		case from >= 0 && s.Step > from:
			s.Replay = fmt.Sprintf("olmo replay %s --step %d..%d", word, from+1, s.Step)
		case from < 0 && s.Step > first.Step:
			a.CannotReplay = fmt.Sprintf("Steps up to %d cannot be computed again: the state before them, %s/step%d, is not here.", s.Step, trainFolder, first.Step)
		}
		from = s.Step
	}
}

// firstLine reads the line of a chain that stands before the first step.
func firstLine(path string) (*proof.Line, error) {
	f, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, _, err := proof.ReadLine(bufio.NewReader(f))
	if err == nil {
		var l *proof.Line
		if l, err = proof.ParseLine(text); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[\w@%+=:,./][\w@%+=:,./-]*$`)
})

// shellWord writes a path so that a shell takes it as one word, and no program as a flag.
func shellWord(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	if plainWord().MatchString(path) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
