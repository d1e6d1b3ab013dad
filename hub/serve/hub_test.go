package serve

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"olmo/hub/git"
	"olmo/proof"
	"olmo/release"
)

// contents are the files of a release's branches.
var contents = map[string]string{
	"model/main/README.md":                                       "# A model\n",
	"model/main/config.json":                                     `{"model_type":"olmo2"}`,
	"model/main/model.safetensors":                               "the weights of the last step",
	"model/step2-tokens0B/additional_chat_templates/tools.jinja": "{{ tools }}",
	"model/step2-tokens0B/config.json":                           `{"model_type":"olmo2"}`,
	"model/step2-tokens0B/model.safetensors":                     "the weights of step two",
	"train/chain.jsonl":                                          "{}\n",
	"train/step2/model.safetensors":                              "the weights of step two, and more",
}

// makeRelease makes a folder with what a hub needs of a release.
func makeRelease(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	m := release.Manifest{Name: name, Run: release.Run{Steps: 4}}
	for path, text := range contents {
		write(t, filepath.Join(dir, path), text)
		m.Files = append(m.Files, release.File{Path: path, Size: int64(len(text)), SHA256: proof.Sum([]byte(text))})
	}
	for _, r := range []release.Revision{{Name: "step2-tokens0B", Step: 2}, {Name: "main", Step: 4}} {
		r.Path = "model/" + r.Name
		m.Revisions = append(m.Revisions, r)
	}
	m.Seal()
	var text strings.Builder
	if err := m.Write(&text); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, release.ManifestFile), text.String())
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// start serves a release lab/my-model from a folder that the test may change.
func start(t *testing.T) (address, dir string) {
	t.Helper()
	h := New()
	dir = makeRelease(t, "lab/my-model")
	if err := h.AddRelease(dir); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL, dir
}

// send sends a request and wants an answer with this status.
func send(t *testing.T, method, address, body string, want int, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a.StatusCode != want {
		t.Errorf("%s %s: %s %.300s, want %d", method, address, a.Status, text, want)
	}
	return a, string(text)
}

// get sends a request and reads what comes into v.
func get(t *testing.T, v any, method, address, body string, header ...string) *http.Response {
	t.Helper()
	a, text := send(t, method, address, body, http.StatusOK, header...)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%s %s: %v in %.300s", method, address, err, text)
	}
	return a
}

type refsAnswer struct {
	Branches, Tags []struct{ Name, Ref, TargetCommit string }
}

func (r refsAnswer) commit(name string) string {
	for _, b := range slices.Concat(r.Branches, r.Tags) {
		if b.Name == name {
			return b.TargetCommit
		}
	}
	return ""
}

// TestRefs: each revision is a branch, its files make its commit, and the rest is a branch too.
func TestRefs(t *testing.T) {
	var got, again refsAnswer
	address, _ := start(t)
	get(t, &got, "GET", address+"/api/models/lab/my-model/refs", "")
	var names []string
	for _, b := range got.Branches {
		names = append(names, b.Name+" "+b.Ref)
	}
	if want := []string{"step2-tokens0B refs/heads/step2-tokens0B", "main refs/heads/main", "release refs/heads/release"}; !slices.Equal(names, want) {
		t.Errorf("the branches are %q, want %q", names, want)
	}
	other, _ := start(t)
	get(t, &again, "GET", other+"/api/models/lab/my-model/refs", "")
	for i, b := range got.Branches {
		if !git.IsID(b.TargetCommit) || again.Branches[i].TargetCommit != b.TargetCommit {
			t.Errorf("%s is commit %s, and of another hub %s", b.Name, b.TargetCommit, again.Branches[i].TargetCommit)
		}
	}
	for _, revision := range []string{"", "/revision/main", "/revision/" + got.commit("main")} {
		var about struct {
			ID, SHA  string
			Task     string `json:"pipeline_tag"`
			Siblings []struct {
				Name   string `json:"rfilename"`
				BlobID string
				LFS    *struct {
					SHA256 string
					Size   int
				}
			}
		}
		get(t, &about, "GET", address+"/api/models/lab/my-model"+revision+"?blobs=True", "")
		if about.ID != "lab/my-model" || about.Task != "text-generation" || about.SHA != got.commit("main") || len(about.Siblings) != 3 || about.Siblings[2].LFS == nil || about.Siblings[2].LFS.Size != 28 || about.Siblings[0].BlobID != git.Blob([]byte("# A model\n")).String() {
			t.Errorf("%q is %+v", revision, about)
		}
	}
}

type entryAnswer struct {
	Type, OID, Path string
	Size            int
	LFS             *struct {
		OID         string
		PointerSize int
	}
}

// tree lists a folder, all pages of it.
func tree(t *testing.T, address string) []entryAnswer {
	t.Helper()
	var all []entryAnswer
	for address != "" {
		var page []entryAnswer
		a := get(t, &page, "GET", address, "")
		all = append(all, page...)
		next, _, _ := strings.Cut(strings.TrimPrefix(a.Header.Get("Link"), "<"), ">")
		if next == address {
			t.Fatalf("%s leads to itself", next)
		}
		address = next
	}
	return all
}

func TestTree(t *testing.T) {
	address, _ := start(t)
	at := address + "/api/models/lab/my-model/tree/"
	for _, c := range []struct{ address, want string }{
		{"step2-tokens0B", "additional_chat_templates/ config.json model.safetensors"},
		{"step2-tokens0B?recursive=True", "additional_chat_templates/ additional_chat_templates/tools.jinja config.json model.safetensors"},
		{"step2-tokens0B/additional_chat_templates?recursive=False", "additional_chat_templates/tools.jinja"},
		{"release", "release.json train/"},
		{"release?recursive=true", "release.json train/ train/chain.jsonl train/step2/ train/step2/model.safetensors"},
		{"release/train%2Fstep2", "train/step2/model.safetensors"},
	} {
		var got []string
		for _, e := range tree(t, at+c.address) {
			name := e.Path
			if e.Type == "directory" {
				name += "/"
			}
			got = append(got, name)
			if !git.IsID(e.OID) || (e.LFS != nil) != strings.HasSuffix(name, ".safetensors") {
				t.Errorf("%s: %+v", c.address, e)
			}
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s lists %s, want %s", c.address, got, c.want)
		}
	}
	main := tree(t, at+"main")
	weights := contents["model/main/model.safetensors"]
	pointer := git.Pointer(proof.Sum([]byte(weights)), int64(len(weights)))
	if e := main[2]; e.Size != len(weights) || e.LFS.OID != proof.Sum([]byte(weights)).String() || e.LFS.PointerSize != len(pointer) || e.OID != git.Blob(pointer).String() {
		t.Errorf("the weights are %+v", e)
	}
	var some []entryAnswer
	get(t, &some, "POST", address+"/api/models/lab/my-model/paths-info/main", "paths=config.json&paths=none&expand=False", "Content-Type", "application/x-www-form-urlencoded")
	if len(some) != 1 || some[0].Path != "config.json" {
		t.Errorf("paths-info gives %+v", some)
	}
}

func TestResolve(t *testing.T) {
	address, _ := start(t)
	var r refsAnswer
	get(t, &r, "GET", address+"/api/models/lab/my-model/refs", "")
	weights, config := contents["model/step2-tokens0B/model.safetensors"], contents["model/step2-tokens0B/config.json"]
	for _, revision := range []string{"step2-tokens0B", r.commit("step2-tokens0B")} {
		at := address + "/lab/my-model/resolve/" + revision
		for _, method := range []string{"HEAD", "GET"} {
			a, text := send(t, method, at+"/model.safetensors", "", 200)
			want := map[string]string{
				"ETag": `"` + proof.Sum([]byte(weights)).String() + `"`, "X-Linked-Etag": `"` + proof.Sum([]byte(weights)).String() + `"`,
				"X-Linked-Size": fmt.Sprint(len(weights)), "X-Repo-Commit": r.commit("step2-tokens0B"), "Accept-Ranges": "bytes", "Content-Length": fmt.Sprint(len(weights)),
			}
			for name, value := range want {
				if got := a.Header.Get(name); got != value {
					t.Errorf("%s has %s: %s, want %s", method, name, got, value)
				}
			}
			if method == "GET" && text != weights {
				t.Errorf("the weights are %q", text)
			}
		}
		a, text := send(t, "GET", at+"/config.json", "", 200)
		if got, want := a.Header.Get("ETag"), `"`+git.Blob([]byte(config)).String()+`"`; got != want || text != config {
			t.Errorf("config.json is %q with ETag %s, want %s", text, got, want)
		}
	}
	at := address + "/lab/my-model/resolve/main/model.safetensors"
	a, text := send(t, "GET", at, "", 206, "Range", "bytes=4-10")
	if text != "weights" || a.Header.Get("Content-Range") != "bytes 4-10/28" {
		t.Errorf("the range is %q, %s", text, a.Header.Get("Content-Range"))
	}
	send(t, "GET", at, "", 416, "Range", "bytes=28-")
	send(t, "GET", at, "", 304, "If-None-Match", a.Header.Get("ETag"))
	send(t, "GET", address+"/lab/my-model/resolve/release/train/chain.jsonl", "", 200)
	send(t, "GET", address+"/lab/my-model/resolve/release/release.json", "", 200)
}

// TestNotThere: clients tell the cases apart by X-Error-Code.
func TestNotThere(t *testing.T) {
	address, _ := start(t)
	for _, c := range []struct{ path, code string }{
		{"/api/models/lab/other", "RepoNotFound"},
		{"/api/datasets/lab/my-model", "RepoNotFound"},
		{"/lab/other/resolve/main/config.json", "RepoNotFound"},
		{"/api/models/lab/my-model/revision/step3", "RevisionNotFound"},
		{"/api/models/lab/my-model/revision/" + strings.Repeat("0", 40), "RevisionNotFound"},
		{"/lab/my-model/resolve/step3/config.json", "RevisionNotFound"},
		{"/lab/my-model/resolve/main/none.json", "EntryNotFound"},
		{"/lab/my-model/resolve/main/model/main/config.json", "EntryNotFound"},
		{"/lab/my-model/resolve/release/model/main/config.json", "EntryNotFound"},
		{"/lab/my-model/resolve/main/..%2Fstep2-tokens0B%2Fconfig.json", "EntryNotFound"},
		{"/api/models/lab/my-model/tree/main/none", "EntryNotFound"},
		{"/api/models/lab/my-model/discussions", ""},
		{"/api/whoami-v2", ""},
	} {
		a, text := send(t, "GET", address+c.path, "", 404)
		var body struct{ Error string }
		if got := a.Header.Get("X-Error-Code"); got != c.code || json.Unmarshal([]byte(text), &body) != nil || body.Error == "" {
			t.Errorf("%s: code %q, body %s, want %q", c.path, got, text, c.code)
		}
	}
	a, _ := send(t, "HEAD", address+"/lab/my-model/resolve/main/none.json", "", 404)
	if a.Header.Get("X-Repo-Commit") == "" {
		t.Error("a file that is not there has no commit, which clients keep")
	}
	for _, path := range []string{"/", "/api", "/api/models", "/lab", "//", "/%2e%2e/x", "/lab/my-model/resolve", "/lab/my-model/resolve/main", "/api/lfs/x", "/api/repos"} {
		a, err := http.Get(address + path)
		if err != nil || a.StatusCode >= 500 {
			t.Errorf("%s: %v, %v", path, a.Status, err)
		}
		a.Body.Close()
	}
}

// TestReleaseIsReadOnly: nothing can be sent to a hub without a folder for it, nor to a release.
func TestReleaseIsReadOnly(t *testing.T) {
	address, dir := start(t)
	writable := New()
	if err := writable.AddRelease(dir); err != nil {
		t.Fatal(err)
	}
	if err := writable.TakeUploads(t.TempDir(), ""); err != nil {
		t.Fatal(err)
	}
	defer writable.Close()
	s := httptest.NewServer(writable)
	defer s.Close()
	for _, at := range []string{address, s.URL} {
		for _, path := range []string{"/api/models/lab/my-model/commit/main", "/api/models/lab/my-model/branch/x", "/api/models/lab/my-model/tag/main", "/api/models/lab/my-model/preupload/main", "/lab/my-model.git/info/lfs/objects/batch"} {
			send(t, "POST", at+path, "{}", 403)
		}
		send(t, "DELETE", at+"/api/models/lab/my-model/branch/main", "", 403)
	}
	send(t, "POST", address+"/api/repos/create", `{"name":"x","organization":"lab"}`, 403)
	send(t, "POST", s.URL+"/api/repos/create", `{"name":"My-Model","organization":"lab"}`, 409)
}

// TestDamagedRelease: what is not as release.json says is not served.
func TestDamagedRelease(t *testing.T) {
	weights := filepath.Join("model", "main", "model.safetensors")
	for _, c := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"missing", func(dir string) error { return os.Remove(filepath.Join(dir, weights)) }, "model/main/model.safetensors"},
		{"longer", func(dir string) error { return os.WriteFile(filepath.Join(dir, weights), []byte("more"), 0o666) }, "it has 4 bytes"},
		{"other text", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "model", "main", "README.md"), []byte("# B model\n"), 0o666)
		}, "its hash is not"},
		{"link to a file", func(dir string) error { return link(dir, weights) }, "model/main/model.safetensors"},
		{"link to a folder", func(dir string) error { return link(dir, "train") }, "train"},
		{"no manifest", func(dir string) error { return os.Remove(filepath.Join(dir, "release.json")) }, "release.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := makeRelease(t, "lab/my-model")
			if err := c.damage(dir); err != nil {
				t.Skip(err)
			}
			if err := New().AddRelease(dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// link puts a link to a copy outside in the place of a file or folder.
func link(dir, name string) error {
	outside := filepath.Join(dir+"-outside", filepath.Base(name))
	if err := os.MkdirAll(filepath.Dir(outside), 0o777); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, name), outside); err != nil {
		return err
	}
	return os.Symlink(outside, filepath.Join(dir, name))
}

// TestChangedWhileServed: a file that became another one, or a link, is not given out.
func TestChangedWhileServed(t *testing.T) {
	address, dir := start(t)
	write(t, filepath.Join(dir, "model", "main", "config.json"), "{}")
	if err := link(dir, filepath.Join("model", "main", "model.safetensors")); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{"config.json", "model.safetensors"} {
		a, text := send(t, "GET", address+"/lab/my-model/resolve/main/"+name, "", 500)
		if a.Header.Get("ETag") != "" || strings.Contains(text, "weights") || !strings.Contains(text, name) {
			t.Errorf("%s: %s %s", name, a.Header.Get("ETag"), text)
		}
	}
}

// TestNames: two releases have two names, one may lack an organization.
func TestNames(t *testing.T) {
	h := New()
	for _, name := range []string{"lab/my-model", "bare"} {
		if err := h.AddRelease(makeRelease(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.AddRelease(makeRelease(t, "Lab/my-model")); err == nil {
		t.Error("two releases have one name")
	}
	s := httptest.NewServer(h)
	defer s.Close()
	send(t, "GET", s.URL+"/bare/resolve/main/config.json", "", 200)
	send(t, "GET", s.URL+"/api/models/bare/tree/main", "", 200)
	// The folder itself may be reached through a link: that is the publisher's own.
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(makeRelease(t, "lab/linked"), link); err == nil {
		if err := h.AddRelease(link); err != nil {
			t.Error(err)
		}
	}
	if _, text := send(t, "GET", s.URL, "", 200); !strings.Contains(text, "lab/my-model") || !strings.Contains(text, "step2-tokens0B") {
		t.Errorf("the list of all is %s", text)
	}
}
