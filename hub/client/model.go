package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Scheme is how the name of a model on a hub begins: hf:ORG/NAME or hf:ORG/NAME@REVISION.
const Scheme = "hf:"

// ParseModel reads the name of a model on a hub; without a revision it is that of main.
func ParseModel(name string) (Repo, string, error) {
	full, revision, given := strings.Cut(strings.TrimPrefix(name, Scheme), "@")
	if !given {
		revision = "main"
	}
	r, err := ParseRepo("model", full)
	if err == nil {
		err = checkRevision(revision)
	}
	if err != nil {
		return Repo{}, "", fmt.Errorf("the model %s: %w\nhint: a model of a hub is hf:ORG/NAME or hf:ORG/NAME@REVISION", name, err)
	}
	return r, revision, nil
}

// Model plans to have the files of a model that opening it needs: those beside its config.json,
// with weights as safetensors. When the hub does not answer, what the cache has must do, and
// Warn is told.
func (h *Hub) Model(ctx context.Context, name string) (*Plan, error) {
	repo, revision, err := ParseModel(name)
	if err != nil {
		return nil, err
	}
	r := Request{
		Repo: repo, Revision: revision,
		Only:    []string{"*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"},
		Exclude: []string{"*/*"},
	}
	p, err := h.Plan(ctx, r)
	if err != nil && !h.Offline && IsUnreachable(err) && ctx.Err() == nil {
		cached := &Hub{Options: h.Options}
		cached.Offline = true
		if q, none := cached.Plan(ctx, r); none == nil {
			why, _, _ := strings.Cut(err.Error(), "\n") // without its hint
			h.Warn(fmt.Sprintf("the hub does not answer (%s): %s is taken as it was last fetched, at %s", why, name, q.Commit))
			p, err = q, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.Files, func(f File) bool { return strings.HasSuffix(f.Path, ".safetensors") }) {
		return nil, errors.New(name + " has no weights as safetensors beside its config.json\nhint: 'olmo hub get' fetches all files of it, of which one may be a .gguf")
	}
	return p, nil
}
