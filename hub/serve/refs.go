package serve

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"olmo/hub/git"
	"olmo/proof"
)

// set gives a repository new branches and tags, on the disk first. made is a commit that they
// name and that none named before, or nil. h.writing is held.
func (h *Hub) set(r *repo, branches, tags []ref, made *commit) error {
	sortRefs(branches)
	sortRefs(tags)
	if err := r.saveRefs(branches, tags); err != nil {
		return err
	}
	commits := map[git.ID]*commit{}
	for _, x := range slices.Concat(branches, tags) {
		if commits[x.commit] = r.commits[x.commit]; made != nil && x.commit == made.id {
			commits[x.commit] = made
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.branches, r.tags, r.commits = branches, tags, commits
	return nil
}

// checkRef is an error where a name is none for a branch or tag: clients make files of them.
func checkRef(name string) error {
	err := proof.CheckPath(name)
	switch {
	case err != nil:
	case strings.HasPrefix(name, "refs/"):
		err = fmt.Errorf("names below refs/ are the hub's own")
	case git.IsID(name):
		err = fmt.Errorf("it looks like a commit")
	case strings.ContainsAny(name, " ~^?*["):
		err = fmt.Errorf("it holds a space or one of ~^?*[")
	}
	if err != nil {
		return refuse(http.StatusBadRequest, "", "%q is no name of a branch or tag: %v", name, err)
	}
	return nil
}

func (h *Hub) createBranch(c *call) error {
	var ask struct {
		From string `json:"startingPoint"`
	}
	if err := c.read(&ask); err != nil {
		return err
	}
	from := ask.From
	if from == "" {
		from = "main"
	}
	name := c.path(1)
	return h.create(c, &c.repo.branches, name, from)
}

func (h *Hub) createTag(c *call) error {
	var ask struct {
		Tag string `json:"tag"`
	}
	if err := c.read(&ask); err != nil {
		return err
	}
	return h.create(c, &c.repo.tags, ask.Tag, c.path(1))
}

// create adds a branch or tag to those of the repository.
func (h *Hub) create(c *call, to *[]ref, name, from string) error {
	if err := checkRef(name); err != nil {
		return err
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	at, err := h.lookup(c.repo, from)
	if err != nil {
		return err
	}
	if find(c.repo.branches, name) >= 0 || find(c.repo.tags, name) >= 0 {
		return refuse(http.StatusConflict, "", "%s has a branch or tag %s already", c.repo, name)
	}
	branches, tags := slices.Clone(c.repo.branches), slices.Clone(c.repo.tags)
	added := ref{name, at.id}
	if to == &c.repo.branches {
		branches = append(branches, added)
	} else {
		tags = append(tags, added)
	}
	if err := h.set(c.repo, branches, tags, at); err != nil {
		return err
	}
	return answer(c, map[string]any{"success": true, "ref": name, "commit": at.id})
}

func (h *Hub) deleteBranch(c *call) error {
	name := c.path(1)
	if name == "main" {
		return refuse(http.StatusForbidden, "", "main stays")
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	branches := slices.DeleteFunc(slices.Clone(c.repo.branches), func(r ref) bool { return r.name == name })
	if len(branches) == len(c.repo.branches) {
		return refuse(http.StatusNotFound, "RevisionNotFound", "%s has no branch %s", c.repo, name)
	}
	if err := h.set(c.repo, branches, slices.Clone(c.repo.tags), nil); err != nil {
		return err
	}
	return answer(c, map[string]bool{"success": true})
}

func (h *Hub) deleteTag(c *call) error {
	name := c.path(1)
	h.writing.Lock()
	defer h.writing.Unlock()
	tags := slices.DeleteFunc(slices.Clone(c.repo.tags), func(r ref) bool { return r.name == name })
	if len(tags) == len(c.repo.tags) {
		return refuse(http.StatusNotFound, "RevisionNotFound", "%s has no tag %s", c.repo, name)
	}
	if err := h.set(c.repo, slices.Clone(c.repo.branches), tags, nil); err != nil {
		return err
	}
	return answer(c, map[string]bool{"success": true})
}
