package verify

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"olmo/release"
	"olmo/train"
)

// judgeComplete finds what every release has and this one does not list, not even among what was left out:
// who takes a file away and its entry too would otherwise be told nothing.
func (v *verifier) judgeComplete() {
	if v.release == nil {
		return
	}
	lacks := func(name string) {
		v.problem(Manifest, name, "%s has no entry for %s, neither among files nor in left_out", release.ManifestFile, name)
	}
	listed := map[string]bool{}
	withTensors := map[string]bool{} // folders, by whether they have an entry of tensors
	for _, list := range [][]release.File{v.release.Files, v.release.LeftOut} {
		for i := range list {
			name := list[i].Path
			listed[name] = true
			dir := path.Dir(name)
			withTensors[dir] = withTensors[dir] || isTensors(name)
		}
	}
	for _, name := range []string{chainFile, tensorsFile, recipeFile, configFile, logFile} {
		if !listed[v.train+name] {
			lacks(v.train + name)
		}
	}
	if v.release.Data.DocumentsRoot != nil && !listed[manifestPath] {
		lacks(manifestPath)
	}
	for i := range v.parts {
		if v.parts[i].cfg == nil {
			continue
		}
		for _, at := range slices.Concat(v.parts[i].cfg.TokenFiles(), v.parts[i].cfg.Data.LabelMaskPaths) {
			name, err := filepath.Rel(v.dir, at)
			if name = filepath.ToSlash(name); err == nil && !listed[name] {
				lacks(name)
				listed[name] = true // of several parts
			}
		}
	}
	models := map[string]bool{}
	for _, r := range v.release.Revisions {
		if models[r.Path] = true; !withTensors[r.Path] {
			lacks(r.Path + "/" + train.ModelFile)
		}
	}
	for _, dir := range sortedKeys(withTensors) {
		if path.Dir(dir) == release.ModelFolder && !models[dir] && v.holds(dir) {
			v.problem(Manifest, dir, "%s is there, and no revision of %s", dir, release.ManifestFile)
		}
	}
}

// holds tells whether files of a folder are in the release, and not left out.
func (v *verifier) holds(dir string) bool {
	for i := range v.release.Files {
		if strings.HasPrefix(v.release.Files[i].Path, dir+"/") {
			return true
		}
	}
	return false
}
