package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"olmo/hub/git"
	"olmo/proof"
)

// repositories answers what is asked about repositories as a whole: to create one.
func (h *Hub) repositories(c *call) error {
	switch c.r.Method + " " + c.path(0) {
	case "POST create":
	case "DELETE delete":
		return refuse(http.StatusForbidden, "", "this hub removes no repository: that is left to whoever owns its folder")
	default:
		return refuse(http.StatusNotFound, "", "this hub does not know %s %s", c.r.Method, c.r.URL.Path)
	}
	var ask struct {
		Name         string `json:"name"`
		Organization string `json:"organization"`
		Type         string `json:"type"`
		Private      bool   `json:"private"`
		Visibility   string `json:"visibility"`
	}
	if err := c.read(&ask); err != nil {
		return err
	}
	id := ask.Name
	if ask.Organization != "" {
		id = ask.Organization + "/" + ask.Name
	}
	r := &repo{kind: models, id: id, commits: map[git.ID]*commit{}}
	switch ask.Type {
	case "", "model":
	case "dataset":
		r.kind = datasets
	default:
		return refuse(http.StatusBadRequest, "", "type is %q, this hub has models and datasets", ask.Type)
	}
	if ask.Private || ask.Visibility != "" && ask.Visibility != "public" {
		return refuse(http.StatusBadRequest, "", "this hub has no private repositories: who reaches it reads them all")
	}
	if err := checkID(id); err != nil {
		return refuse(http.StatusBadRequest, "", "%q is no name of a repository here: %v", id, err)
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	if other := h.repos[key(r.kind, id)]; other != nil {
		// Clients that take a repository as it is read the address all the same.
		text := fmt.Sprintf("%s is there already", other)
		c.Header().Set("X-Error-Message", plain(text))
		c.Header().Set("Content-Type", "application/json")
		c.WriteHeader(http.StatusConflict)
		return json.NewEncoder(c).Encode(map[string]string{"error": text, "url": base(c.r) + "/" + other.String()})
	}
	first := newCommit(nil, nil, now(), "Initial commit")
	r.dir = h.uploads.folderOf(r)
	if err := r.saveCommit(first); err != nil {
		return err
	}
	branches := []ref{{"main", first.id}}
	if err := r.saveRefs(branches, nil); err != nil {
		return err
	}
	r.commits[first.id], r.branches = first, branches
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.add(r); err != nil {
		return err
	}
	return answer(c, map[string]string{"url": base(c.r) + "/" + r.String(), "name": r.id, "id": r.id})
}

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// checkID is an error where a name is none that a client may give a repository.
func checkID(id string) error {
	org, name, ok := strings.Cut(id, "/")
	if !ok {
		return fmt.Errorf("it has no organization: this hub knows no users, name it ORG/NAME")
	}
	for _, part := range []string{org, name} {
		switch {
		case part == "" || len(part) > 96:
			return fmt.Errorf("a part of it has no letter, or more than 96")
		case strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "":
			return fmt.Errorf("it holds what is none of letters, digits, dots, - and _")
		case strings.Trim(part, "-.") != part || strings.Contains(part, "--") || strings.Contains(part, "..") || strings.HasSuffix(part, ".git"):
			return fmt.Errorf("a part of it begins or ends in - or a dot, holds -- or .., or ends in .git")
		}
	}
	return proof.CheckPath(id)
}
