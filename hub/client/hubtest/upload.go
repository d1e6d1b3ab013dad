package hubtest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// upload answers what changes a repository.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, parts []string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.Join(parts, "/") == "api/repos/create" {
		s.create(w, body)
		return
	}
	if i := len(parts) - 4; i >= 2 && parts[i] == "info" && parts[i+3] == "batch" {
		s.batch(w, body)
		return
	}
	if len(parts) != 6 || parts[0] != "api" || s.repos[parts[1]+"/"+parts[2]+"/"+parts[3]] == nil {
		fail(w, http.StatusNotFound, "RepoNotFound")
		return
	}
	name, repo, revision := parts[1]+"/"+parts[2]+"/"+parts[3], s.repos[parts[1]+"/"+parts[2]+"/"+parts[3]], parts[5]
	switch parts[4] {
	case "branch":
		if _, ok := repo.branches[revision]; ok {
			fail(w, http.StatusConflict, "Conflict")
			return
		}
		repo.branches[revision] = repo.branches["main"] // as a hub that knows no empty branches
		reply(w, map[string]any{})
	case "preupload":
		s.preupload(w, body)
	case "commit":
		s.commit(w, name, revision, body)
	default:
		fail(w, http.StatusNotFound, "EntryNotFound")
	}
}

func (s *Server) create(w http.ResponseWriter, body []byte) {
	var q struct {
		Name, Organization, Type string
	}
	if json.Unmarshal(body, &q) != nil || q.Name == "" || strings.Contains(q.Name, "/") {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	name := q.Type + "s/" + q.Organization + "/" + q.Name
	if s.repos[name] != nil {
		fail(w, http.StatusConflict, "Conflict")
		return
	}
	s.put(name, "main", map[string]Entry{".gitattributes": {Content: []byte("*.safetensors filter=lfs\n")}})
	reply(w, map[string]any{"url": s.URL + "/" + q.Organization + "/" + q.Name})
}

func (s *Server) preupload(w http.ResponseWriter, body []byte) {
	var q struct {
		Files []struct {
			Path, Sample string
			Size         int64
		}
	}
	if json.Unmarshal(body, &q) != nil || len(q.Files) > 256 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	list := []any{}
	for _, f := range q.Files {
		mode := "regular"
		if sample, err := base64.StdEncoding.DecodeString(f.Sample); path.Ext(f.Path) == ".safetensors" || err == nil && bytes.IndexByte(sample, 0) >= 0 {
			mode = "lfs"
		}
		list = append(list, map[string]any{"path": f.Path, "uploadMode": mode, "shouldIgnore": path.Base(f.Path) == "ignored"})
	}
	reply(w, map[string]any{"files": list})
}

func (s *Server) batch(w http.ResponseWriter, body []byte) {
	var q struct {
		Operation string
		Objects   []struct {
			OID  string
			Size int64
		}
	}
	if json.Unmarshal(body, &q) != nil || q.Operation != "upload" || len(q.Objects) > 256 {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	list := []any{}
	for _, o := range q.Objects {
		row := map[string]any{"oid": o.OID, "size": o.Size}
		if _, ok := s.blobs[o.OID]; !ok {
			header := map[string]string{}
			if s.PartSize > 0 && o.Size > int64(s.PartSize) {
				header["chunk_size"] = strconv.Itoa(s.PartSize)
				for i := 1; i <= int((o.Size+int64(s.PartSize)-1)/int64(s.PartSize)); i++ {
					header[fmt.Sprintf("%05d", i)] = fmt.Sprintf("%s/%s/%d?signature=%s", s.Store, o.OID, i, s.signed)
				}
			}
			row["actions"] = map[string]any{"upload": map[string]any{"href": s.Store + "/" + o.OID + "?signature=" + s.signed, "header": header}}
		}
		list = append(list, row)
	}
	reply(w, map[string]any{"transfer": "multipart", "objects": list})
}

// receive takes bytes of a large file.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) {
	oid, part, inParts := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	s.mu.Lock()
	breaks := s.faults.BreakPuts > 0 && r.Method == http.MethodPut
	if breaks {
		s.faults.BreakPuts--
	}
	slow := s.faults.Slow
	s.mu.Unlock()
	buf := make([]byte, 64<<10)
	body := bufio.NewReaderSize(r.Body, len(buf))
	var b bytes.Buffer
	for {
		time.Sleep(slow)
		n, err := body.Read(buf)
		b.Write(buf[:n])
		s.mu.Lock()
		s.received += int64(n)
		s.mu.Unlock()
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		if breaks && b.Len() > 50_000 {
			panic(http.ErrAbortHandler)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	whole := b.Bytes()
	switch {
	case r.URL.Query().Get("signature") != s.signed:
		w.WriteHeader(http.StatusForbidden)
		return
	case inParts:
		n, _ := strconv.Atoi(part)
		for len(s.parts[oid]) < n {
			s.parts[oid] = append(s.parts[oid], nil)
		}
		s.parts[oid][n-1] = whole
		w.Header().Set("ETag", strconv.Quote(fmt.Sprintf("part%d", n)))
		return
	case r.Method == http.MethodPost: // that all parts are there
		var q struct {
			OID   string
			Parts []struct {
				PartNumber int
				ETag       string
			}
		}
		if json.Unmarshal(whole, &q) != nil || len(q.Parts) != len(s.parts[oid]) {
			http.Error(w, "parts are missing", http.StatusBadRequest)
			return
		}
		s.received -= int64(len(whole)) // which are none of the file
		for i, p := range q.Parts {
			if p.PartNumber != i+1 || strings.Trim(p.ETag, `"`) != fmt.Sprintf("part%d", i+1) {
				http.Error(w, "another part", http.StatusBadRequest)
				return
			}
		}
		whole = bytes.Join(s.parts[oid], nil)
	}
	if fmt.Sprintf("%x", sha256.Sum256(whole)) != oid {
		http.Error(w, "another hash", http.StatusBadRequest)
		return
	}
	s.blobs[oid] = whole
}

func (s *Server) commit(w http.ResponseWriter, name, revision string, body []byte) {
	was, ok := s.repos[name].commits[s.repos[name].branches[revision]]
	if !ok {
		fail(w, http.StatusNotFound, "RevisionNotFound")
		return
	}
	files := maps.Clone(was)
	for line := range bytes.Lines(body) {
		var row struct {
			Key   string
			Value struct{ Path, Content, Encoding, Algo, OID, Summary string }
		}
		if err := json.Unmarshal(line, &row); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		v := row.Value
		switch row.Key {
		case "header":
		case "file":
			content, err := base64.StdEncoding.DecodeString(v.Content)
			if err != nil || v.Encoding != "base64" {
				http.Error(w, "bad content", http.StatusBadRequest)
				return
			}
			files[v.Path] = Entry{Content: content}
		case "deletedFile":
			delete(files, v.Path)
		case "lfsFile":
			content, ok := s.blobs[v.OID]
			if !ok || v.Algo != "sha256" {
				http.Error(w, "no such object", http.StatusBadRequest)
				return
			}
			files[v.Path] = Entry{Content: content, LFS: true}
		default:
			http.Error(w, "unknown "+row.Key, http.StatusBadRequest)
			return
		}
	}
	reply(w, map[string]any{"commitOid": s.put(name, revision, files), "success": true})
}
