package serve

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"olmo/proof"
	"olmo/store"
)

// room is a hub that takes uploads into a folder.
type room struct {
	t     *testing.T
	hub   *Hub
	dir   string
	token string // sent with requests
	*httptest.Server
}

func open(t *testing.T, dir, token string) *room {
	t.Helper()
	h := New()
	if err := h.TakeUploads(dir, token); err != nil {
		t.Fatal(err)
	}
	h.uploads.partSize = 16
	r := &room{t, h, dir, token, httptest.NewServer(h)}
	t.Cleanup(r.close)
	return r
}

func (r *room) close() {
	r.Server.Close()
	r.hub.Close()
}

// send sends a request, to a path or an address of the hub's, wants this status, and returns
// the answer's members.
func (r *room) send(method, path, body string, want int) (map[string]any, http.Header) {
	r.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = r.URL + path
	}
	q, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != want {
		r.t.Fatalf("%s %s: %s %.300s %v, want %d", method, path, a.Status, text, err, want)
	}
	var v map[string]any
	_ = json.Unmarshal(text, &v)
	return v, a.Header
}

// create creates lab/x.
func (r *room) create() {
	r.t.Helper()
	if v, _ := r.send("POST", "/api/repos/create", `{"name":"x","organization":"lab","visibility":"public","type":"model"}`, 200); v["url"] != r.URL+"/lab/x" {
		r.t.Fatalf("the repository is %v", v)
	}
}

// batch asks where a content is sent to.
func (r *room) batch(content string) map[string]any {
	r.t.Helper()
	v, _ := r.send("POST", "/lab/x.git/info/lfs/objects/batch",
		fmt.Sprintf(`{"operation":"upload","transfers":["basic","multipart"],"objects":[{"oid":"%s","size":%d}],"hash_algo":"sha256","ref":{"name":"main"}}`, proof.Sum([]byte(content)), len(content)), 200)
	return v["objects"].([]any)[0].(map[string]any)
}

// action is the answer of batch to a content that the hub lacks.
func (r *room) action(content string) (href string, header map[string]any) {
	r.t.Helper()
	upload := r.batch(content)["actions"].(map[string]any)["upload"].(map[string]any)
	header, _ = upload["header"].(map[string]any)
	return upload["href"].(string), header
}

// lines is a commit as huggingface_hub sends it.
func lines(edits ...string) string {
	return `{"key":"header","value":{"summary":"Upload","description":""}}` + "\n" + strings.Join(edits, "\n") + "\n"
}

func small(path, text string) string {
	return fmt.Sprintf(`{"key":"file","value":{"content":"%s","path":%q,"encoding":"base64"}}`, base64.StdEncoding.EncodeToString([]byte(text)), path)
}

func lfs(path, text string) string {
	return fmt.Sprintf(`{"key":"lfsFile","value":{"path":%q,"algo":"sha256","oid":"%s","size":%d}}`, path, proof.Sum([]byte(text)), len(text))
}

func deleted(kind, path string) string {
	return fmt.Sprintf(`{"key":%q,"value":{"path":%q}}`, kind, path)
}

// files are those of a branch with their contents.
func (r *room) files(branch string) map[string]string {
	r.t.Helper()
	v, _ := r.send("GET", "/api/models/lab/x/revision/"+branch, "", 200)
	all := map[string]string{}
	for _, s := range v["siblings"].([]any) {
		name := s.(map[string]any)["rfilename"].(string)
		a, err := http.Get(r.URL + "/lab/x/resolve/" + branch + "/" + name)
		if err != nil {
			r.t.Fatal(err)
		}
		text, _ := io.ReadAll(a.Body)
		a.Body.Close()
		all[name] = string(text)
	}
	return all
}

func (r *room) want(branch string, want map[string]string) {
	r.t.Helper()
	if got := r.files(branch); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s holds %q, want %q", branch, got, want)
	}
}

// TestUpload goes the way of huggingface_hub: create, preupload, batch, upload, commit; and a
// hub that is started again has it all.
func TestUpload(t *testing.T) {
	r := open(t, t.TempDir(), "")
	r.create()
	r.send("POST", "/api/repos/create", `{"name":"x","organization":"lab"}`, 409)
	r.send("POST", "/api/models/lab/x/branch/step2", `{}`, 200)
	r.send("POST", "/api/models/lab/x/branch/step2", `{}`, 409)
	v, _ := r.send("POST", "/api/models/lab/x/preupload/step2", `{"files":[
		{"path":"README.md","size":5,"sample":"dGV4dA=="},{"path":"w.safetensors","size":9,"sample":""},
		{"path":"noise","size":4,"sample":"AP8A/w=="},{"path":"long.txt","size":2000000,"sample":"dGV4dA=="}]}`, 200)
	var modes []string
	for _, f := range v["files"].([]any) {
		modes = append(modes, f.(map[string]any)["uploadMode"].(string))
	}
	if want := []string{"regular", "lfs", "lfs", "lfs"}; !slices.Equal(modes, want) {
		t.Errorf("files are sent as %q, want %q", modes, want)
	}
	href, _ := r.action("weights")
	r.send("PUT", href, "weights", 200)
	r.send("PUT", href, "weights", 200)
	if a := r.batch("weights"); a["actions"] != nil || a["error"] != nil {
		t.Errorf("a content that is there is wanted again: %v", a)
	}
	v, _ = r.send("POST", "/api/models/lab/x/commit/step2", lines(small("README.md", "text\n"), lfs("w.safetensors", "weights"), small("sub/a", "")), 200)
	first := v["commitOid"].(string)
	want := map[string]string{"README.md": "text\n", "w.safetensors": "weights", "sub/a": ""}
	r.want("step2", want)
	r.want(first, want)
	r.want("main", map[string]string{})

	v, _ = r.send("POST", "/api/models/lab/x/preupload/step2", `{"files":[{"path":"w.safetensors","size":7,"sample":""}]}`, 200)
	if got := v["files"].([]any)[0].(map[string]any)["oid"]; got != proof.Sum([]byte("weights")).String() {
		t.Errorf("the hub says that the weights are %v", got)
	}
	// The same once more is no commit, as after an answer that was lost.
	v, _ = r.send("POST", "/api/models/lab/x/commit/step2", lines(lfs("w.safetensors", "weights")), 200)
	if v["commitOid"] != first {
		t.Error("a commit that changes nothing was made")
	}
	r.send("POST", "/api/models/lab/x/tag/step2", `{"tag":"v1"}`, 200)
	r.send("POST", "/api/models/lab/x/commit/step2", lines(deleted("deletedFile", "README.md"), deleted("deletedFolder", "sub/"), lfs("copy.bin", "weights")), 200)
	now := map[string]string{"w.safetensors": "weights", "copy.bin": "weights"}

	r.close()
	r = open(t, r.dir, "")
	r.want("step2", now)
	r.want("v1", want)
	var list []map[string]any
	a, err := http.Get(r.URL + "/api/models/lab/x/commits/step2")
	if err == nil {
		err = json.NewDecoder(a.Body).Decode(&list)
	}
	if err != nil || len(list) != 3 || list[1]["id"] != first || list[2]["title"] != "Initial commit" {
		t.Errorf("the commits are %v, %v", list, err)
	}
	r.send("DELETE", "/api/models/lab/x/tag/v1", "", 200)
	r.send("DELETE", "/api/models/lab/x/tag/v1", "", 404)
	r.send("DELETE", "/api/models/lab/x/branch/step2", "", 200)
	r.send("DELETE", "/api/models/lab/x/branch/main", "", 403)
	r.want(first, want)
	r.send("DELETE", "/api/repos/delete", `{"name":"x","organization":"lab"}`, 403)
}

// TestParts: a large content comes in parts, which outlive the hub.
func TestParts(t *testing.T) {
	r := open(t, t.TempDir(), "")
	r.create()
	content := strings.Repeat("0123456789", 10) // seven parts of 16 bytes
	href, header := r.action(content)
	if header["chunk_size"] != "16" || len(header) != 8 {
		t.Fatalf("the parts are %v", header)
	}
	part := func(n int) string { return content[16*(n-1) : min(16*n, len(content))] }
	for n := range 7 {
		if n != 4 {
			if _, h := r.send("PUT", header[fmt.Sprintf("%05d", n+1)].(string), part(n+1), 200); h.Get("ETag") == "" {
				t.Error("a part has no ETag")
			}
		}
	}
	r.send("POST", href, `{}`, 400) // part 5 is missing
	r.send("PUT", header["00005"].(string), "short", 400)
	r.close()
	r = open(t, r.dir, "")
	_, address, _ := strings.Cut(header["00005"].(string), "/api/")
	r.send("PUT", "/api/"+address, part(5), 200) // signed by the hub before
	href, _ = r.action(content)
	r.send("POST", href, `{}`, 200)
	r.send("POST", href, `{}`, 200)
	r.send("POST", "/api/models/lab/x/commit/main", lines(lfs("large.bin", content)), 200)
	r.want("main", map[string]string{"large.bin": content})
	if left, _ := filepath.Glob(filepath.Join(r.dir, "parts", "*")); len(left) > 0 {
		t.Errorf("there are %v", left)
	}

	// A part with a wrong byte: nothing gets the name, and the parts are sent again.
	other := strings.Repeat("x", 100)
	href, header = r.action(other)
	for n := range 7 {
		r.send("PUT", header[fmt.Sprintf("%05d", n+1)].(string), part(n+1), 200)
	}
	r.send("POST", href, `{}`, 400)
	r.wantNo(other)
}

// wantNo wants that a content is not there.
func (r *room) wantNo(content string) {
	r.t.Helper()
	if _, ok := r.hub.uploads.size(proof.Sum([]byte(content))); ok {
		r.t.Errorf("%.20q is there", content)
	}
	_ = filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (store.IsTemporary(d.Name()) || strings.Contains(path, "parts"+string(filepath.Separator))) {
			r.t.Errorf("there is %s", path)
		}
		return err
	})
}

// TestBadUploads: what is not what it claims to be is refused, and leaves nothing.
func TestBadUploads(t *testing.T) {
	r := open(t, t.TempDir(), "")
	r.create()
	href, _ := r.action("weights")
	for _, body := range []string{"", "weight", "weights!", "Weights"} {
		r.send("PUT", href, body, 400)
		r.wantNo("weights")
	}
	for _, wrong := range []string{
		strings.Replace(href, "size=7", "size=8", 1), strings.Replace(href, "part=0", "part=1", 1), strings.Replace(href, "signature=", "signature=0", 1),
		strings.Replace(href, "/api/lfs/", "/api/lfs/..%2F", 1), r.URL + "/api/lfs/" + strings.Repeat("0", 64),
	} {
		r.send("PUT", wrong, "weights", 403)
	}
	r.send("POST", href, "", 405)
	for _, batch := range []string{`{"operation":"download","objects":[]}`, `{"operation":"upload","hash_algo":"md5"}`, `[]`, `{`, strings.Repeat("[", 20000)} {
		r.send("POST", "/lab/x.git/info/lfs/objects/batch", batch, 400)
	}
	for _, o := range []string{`{"oid":"../x","size":1}`, `{"oid":"` + strings.Repeat("0", 64) + `","size":-1}`, `{"oid":"` + strings.Repeat("0", 64) + `","size":9000000000000000000}`} {
		v, _ := r.send("POST", "/lab/x.git/info/lfs/objects/batch", `{"operation":"upload","objects":[`+o+`]}`, 200)
		if a := v["objects"].([]any)[0].(map[string]any); a["error"] == nil || a["actions"] != nil {
			t.Errorf("%s is wanted: %v", o, a)
		}
	}
	r.send("POST", "/api/models/lab/x/commit/main", lines(small("a/b", "x")), 200)
	for _, c := range []struct {
		name   string
		commit string
		want   int
	}{
		{"content that was not uploaded", lines(lfs("w.bin", "weights")), 400},
		{"outside", lines(small("../x", "x")), 400},
		{"absolute", lines(small("/x", "x")), 400},
		{"backslash", lines(small(`..\x`, "x")), 400},
		{"a device", lines(small("NUL", "x")), 400},
		{"no path", lines(small("", "x")), 400},
		{"no base64", lines(`{"key":"file","value":{"content":"%","path":"x","encoding":"base64"}}`), 400},
		{"another encoding", lines(`{"key":"file","value":{"content":"x","path":"x","encoding":"rot13"}}`), 400},
		{"another key", lines(`{"key":"chmod","value":{"path":"x"}}`), 400},
		{"no JSON", lines(`{`), 400},
		{"deep", lines(strings.Repeat("[", 100000)), 400},
		{"no header", small("x", "x"), 400},
		{"letter case", lines(small("x", "1"), small("X", "2")), 400},
		{"file and folder", lines(small("a", "1")), 400},
		{"nothing to delete", lines(deleted("deletedFile", "none")), 404},
		{"a folder is no file", lines(deleted("deletedFile", "a")), 404},
		{"an earlier commit", `{"key":"header","value":{"summary":"x","parentCommit":"` + strings.Repeat("0", 40) + `"}}` + "\n" + small("x", "x"), 412},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := *r
			r.t = t
			r.send("POST", "/api/models/lab/x/commit/main", c.commit, c.want)
			r.want("main", map[string]string{"a/b": "x"})
		})
	}
	r.send("POST", "/api/models/lab/x/commit/none", lines(small("x", "x")), 404)
	r.send("POST", "/api/models/lab/x/commit/main?create_pr=1", lines(small("x", "x")), 400)
	for _, id := range []string{`"name":"x"`, `"name":"..","organization":"lab"`, `"name":"x","organization":"../.."`, `"name":"a b","organization":"lab"`, `"name":"nul","organization":"lab"`, `"name":"x/y","organization":"lab"`, `"name":"y","organization":"lab","private":true`, `"name":"y","organization":"lab","type":"space"`} {
		r.send("POST", "/api/repos/create", "{"+id+"}", 400)
	}
	for _, name := range []string{"..%2F..%2Fx", "refs%2Fpr%2F1", strings.Repeat("a", 40), "a%20b", "%00"} {
		r.send("POST", "/api/models/lab/x/branch/"+name, "{}", 400)
	}
	r.send("POST", "/api/models/lab/x/branch/y", `{"startingPoint":"none"}`, 404)
}

// TestToken: with a token uploads need it, and reading does not.
func TestToken(t *testing.T) {
	r := open(t, t.TempDir(), "secret")
	r.create()
	href, _ := r.action("weights")
	for _, token := range []string{"", "wrong", "secret2"} {
		r.token = token
		r.send("POST", "/api/repos/create", `{"name":"y","organization":"lab"}`, 401)
		r.send("POST", "/api/models/lab/x/commit/main", lines(small("x", "x")), 401)
		r.send("POST", "/lab/x.git/info/lfs/objects/batch", `{"operation":"upload"}`, 401)
		r.send("GET", "/api/models/lab/x", "", 200)
		r.send("PUT", href, "weights", 200) // clients send no token to an address that is signed
	}
	q, _ := http.NewRequest("POST", r.URL+"/api/repos/create", strings.NewReader(`{"name":"y","organization":"lab"}`))
	q.Header.Set("Authorization", "Bearer secret")
	q.Header.Set("Origin", "http://evil.example")
	if a, err := http.DefaultClient.Do(q); err != nil || a.StatusCode != 403 {
		t.Errorf("a page of another site creates a repository: %v, %v", a, err)
	}
}

// TestFaults: whatever step of writing fails, the branch has all of a commit or nothing of it,
// and a hub that is started again agrees.
func TestFaults(t *testing.T) {
	full := errors.New("no space left on device")
	for n := 1; ; n++ {
		r := open(t, t.TempDir(), "")
		r.create()
		r.send("POST", "/api/models/lab/x/commit/main", lines(small("a", "1")), 200)
		step := 0
		undo := store.InjectFaults(func(store.Op, string) error {
			if step++; step == n {
				return full
			}
			return nil
		})
		a, err := http.Post(r.URL+"/api/models/lab/x/commit/main", "", strings.NewReader(lines(small("a", "2"), small("b", "3"))))
		undo()
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		before, after := map[string]string{"a": "1"}, map[string]string{"a": "2", "b": "3"}
		want := after
		if a.StatusCode != 200 {
			want = before
		}
		r.want("main", want)
		r.close()
		r = open(t, r.dir, "")
		if got := r.files("main"); fmt.Sprint(got) != fmt.Sprint(before) && fmt.Sprint(got) != fmt.Sprint(after) {
			t.Errorf("after a fault in step %d main holds %q", n, got)
		}
		r.close()
		if step < n {
			break
		}
		if a.StatusCode == 200 {
			t.Errorf("a fault in step %d was not told", n)
		}
	}
}

// TestChangedStore: a folder whose files do not fit together is not served.
func TestChangedStore(t *testing.T) {
	for _, c := range []struct {
		name, file, from, to, want string
	}{
		{"a commit", "commits/*.json", `"a"`, `"b"`, "was changed"},
		{"a commit that leads outside", "commits/*.json", `"a"`, `"../a"`, "leads elsewhere"},
		{"refs", "refs.json", `"main": "`, `"main": "0`, "refs.json"},
		{"a commit that is gone", "refs.json", "", "", "names the commit of main"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, t.TempDir(), "")
			r.create()
			r.send("POST", "/api/models/lab/x/commit/main", lines(small("a", "1")), 200)
			r.close()
			names, _ := filepath.Glob(filepath.Join(r.dir, "models", "lab", "x", c.file))
			for _, name := range names {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				changed := strings.ReplaceAll(string(text), c.from, c.to)
				if c.from == "" {
					changed = `{"branches":{"main":"` + strings.Repeat("0", 40) + `"},"tags":{}}`
				}
				if err := os.WriteFile(name, []byte(changed), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if err := New().TakeUploads(r.dir, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	// A key that a crash left half is made anew, and is nobody else's.
	r := open(t, t.TempDir(), "")
	r.close()
	name := filepath.Join(r.dir, "key")
	if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	r = open(t, r.dir, "")
	if st, err := os.Stat(name); err != nil || st.Size() != 32 || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", st, err)
	}
	var held *store.HeldError
	if err := New().TakeUploads(r.dir, ""); !errors.As(err, &held) {
		t.Errorf("two hubs write into one folder: %v", err)
	}
}

// FuzzCommit: no commit makes the hub fall over, or name a path that leads outside.
func FuzzCommit(f *testing.F) {
	f.Add(lines(small("a", "1"), deleted("deletedFolder", "b")))
	f.Add(lines(lfs("a", "1")))
	f.Add("{}\n[]\nnull\n")
	h := New()
	if err := h.TakeUploads(f.TempDir(), ""); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(h.Close)
	ask := func(path, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader(body)))
		return w
	}
	ask("/api/repos/create", `{"name":"x","organization":"lab"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if w := ask("/api/models/lab/x/commit/main", body); w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		c, err := h.lookup(h.repos[key(models, "lab/x")], "main")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.files {
			if err := proof.CheckPath(f.Path); err != nil {
				t.Errorf("%q: %v", f.Path, err)
			}
		}
	})
}
