package tokens

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"olmo/data/store"
)

// TreeNames names the files of a run as a tree and a release name them: by the path below the
// deepest folder that holds all of them, with slashes between its parts. The order of the paths,
// what is named twice and the folder that they are named from change nothing, and no two
// files have one name. A link is a file, or a folder, by its own name, wherever it leads to.
//
// Of addresses the user and the query are left out, which may be secret. Where two addresses
// differ in nothing else, each name ends in digits of the SHA-256 of its address.
func TreeNames(paths []string) []string {
	if len(paths) == 0 {
		return nil
	}
	full := make([][]string, len(paths))
	for i, path := range paths {
		full[i] = strings.Split(absolute(path), "/")
	}
	folder := full[0][:len(full[0])-1]
	for _, parts := range full {
		n := 0
		for n < len(folder) && n < len(parts)-1 && folder[n] == parts[n] {
			n++
		}
		folder = folder[:n]
	}
	names := make([]string, len(paths))
	address, several := map[string]string{}, map[string]bool{}
	for i, path := range paths {
		name := strings.Join(full[i][len(folder):], "/")
		names[i] = name
		if store.Remote(path) {
			if first, ok := address[name]; ok && first != path {
				several[name] = true
			}
			address[name] = path
		}
	}
	for i, path := range paths {
		if several[names[i]] {
			sum := sha256.Sum256([]byte(path))
			names[i] += "-" + hex.EncodeToString(sum[:8])
		}
	}
	return names
}

// absolute is where a file lies, with slashes: scheme, server and path of an address; file, and
// the path from the root, of one of this machine.
func absolute(path string) string {
	if scheme, rest, ok := strings.Cut(path, "://"); ok && store.Remote(path) {
		if !strings.HasPrefix(scheme, "http") {
			return scheme + "/" + rest // a key of S3 may hold any character
		}
		rest, _, _ = strings.Cut(rest, "#")
		rest, _, _ = strings.Cut(rest, "?")
		server, below, _ := strings.Cut(rest, "/")
		return scheme + "/" + server[strings.LastIndexByte(server, '@')+1:] + "/" + below
	}
	// Behind a link, .. leads elsewhere than the text says: up to the last of them the way is
	// asked of the disk. So equal names are one file.
	full := path
	if folder, err := os.Getwd(); err == nil && !filepath.IsAbs(path) && strings.Contains(path, "..") {
		full = folder + "/" + path
	}
	if at := strings.LastIndex(filepath.ToSlash(full), "/../"); at >= 0 {
		if folder, err := filepath.EvalSymlinks(full[:at+len("/..")]); err == nil {
			full = folder + full[at+len("/.."):]
		}
	}
	if abs, err := filepath.Abs(full); err == nil {
		full = abs
	}
	volume := filepath.VolumeName(full)
	return "file/" + strings.Trim(strings.ReplaceAll(filepath.ToSlash(volume), ":", "")+filepath.ToSlash(full[len(volume):]), "/")
}
