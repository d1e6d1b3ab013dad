package tagger

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"olmo/data"
)

// urlLists names, for each tagger of URLs in Dolma 1.2.1 (python/dolma/
// taggers/url.py): its kind, its name, the folder of its list files below
// dolma-artifacts.org, and the files.
//
//go:embed urllists.txt
var urlLists string

func init() {
	for line := range strings.Lines(urlLists) {
		f := strings.Fields(line)
		kind, name, folder, files := f[0], f[1], f[2], f[3:]
		for i := range files {
			files[i] = folder + files[i]
		}
		about := "1 where metadata.url is in a list"
		needs := "dolma-artifacts.org/" + strings.Join(files, " ")
		if kind == "adblock" {
			registerNeeding(name, about, "an engine for ad-block rules", nil)
			continue
		}
		registerNeeding(name, about, needs, func(o Options) (Tagger, error) { return newURLTagger(name, kind, files, o) }, files...)
	}
}

// urlTagger marks documents whose address is listed.
type urlTagger struct {
	kind  string
	dolma bool
	list  map[string]bool
}

// urlListCache keeps the lists that are loaded, for all goroutines.
var urlListCache sync.Map // name and files to func() (map[string]bool, error)

func newURLTagger(name, kind string, files []string, o Options) (Tagger, error) {
	u := &urlTagger{kind: kind, dolma: o.Compat}
	var paths []string
	for _, f := range files {
		p, err := o.findModel(f)
		if err != nil {
			return nil, err
		}
		paths = append(paths, p)
	}
	key := fmt.Sprint(name, o.Compat, paths)
	load, _ := urlListCache.LoadOrStore(key, sync.OnceValues(func() (map[string]bool, error) {
		list := map[string]bool{}
		for _, p := range paths {
			if err := u.read(p, list); err != nil {
				return nil, err
			}
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("the lists %s are empty", strings.Join(paths, ", "))
		}
		return list, nil
	}))
	var err error
	u.list, err = load.(func() (map[string]bool, error))()
	return u, err
}

func (u *urlTagger) Tag(t *Text, out *Spans) error {
	var meta struct {
		URL *string `json:"url"`
	}
	if err := t.metadata(&meta); err != nil {
		return err
	}
	if meta.URL != nil && slices.ContainsFunc(u.clean(*meta.URL), func(s string) bool { return u.list[s] }) {
		out.Add("url", 0, t.Len, 1)
	}
	return nil
}

// clean gives the forms of an address that are looked up.
func (u *urlTagger) clean(url string) []string {
	url = strings.ToLower(trimSpace(url))
	if url == "" {
		return nil
	}
	host, port, path := splitURL(url)
	if u.kind == "link" {
		if port != "" {
			host += ":" + port
		}
		return []string{strings.TrimRight(host+path, "/")}
	}
	if host == "" {
		return nil
	}
	if u.dolma {
		host = strings.TrimLeft(host, "w.") // str.lstrip takes a set
	} else {
		host = strings.TrimPrefix(host, "www.")
	}
	forms := []string{host, "www." + host}
	if u.kind != "domain" {
		for _, h := range forms[:2:2] {
			if strings.Count(h, ".") > 2 {
				parts := strings.Split(h, ".")
				h = strings.Join(parts[len(parts)-2:], ".")
			}
			forms = append(forms, h)
		}
	}
	return forms
}

// splitURL cuts an address, with or without a scheme.
func splitURL(url string) (host, port, path string) {
	if _, rest, ok := strings.Cut(url, "://"); ok && !strings.ContainsAny(url[:strings.Index(url, "://")], "/.?#") {
		url = rest
	} else {
		url = strings.TrimPrefix(url, "//")
	}
	end := strings.IndexAny(url, "/?#")
	if end < 0 {
		end = len(url)
	}
	authority, rest := url[:end], url[end:]
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:i], authority[i+1:]
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	return host, port, rest
}

var (
	urlPattern   = `((?:[a-z0-9\-_]+\.?){2,}|localhost|localdomain)`
	addressAndIP = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([0-9a-f.:]+)[\s\x1c-\x1f\x85\xa0]+` + urlPattern)
	})
	addressOnly = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^` + urlPattern)
	})
	adblockHost = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\|+` + urlPattern + `\^`)
	})
)

// read adds a list file's entries: addresses, hosts-file lines, ad-block
// hosts, or Wikidata's answers.
func (u *urlTagger) read(path string, list map[string]bool) error {
	r, err := data.OpenReader(path)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		line, err := r.NextLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text := string(line.Bytes)
		switch u.kind {
		case "wikidata", "cleaned":
			if err := u.readAnswer(text, list); err != nil {
				return fmt.Errorf("%s:%d: %w", path, line.Number, err)
			}
		case "link":
			if text = strings.ToLower(trimSpace(text)); !strings.HasPrefix(text, "#") {
				list[text] = true
			}
		default:
			u.readEntry(text, list)
		}
	}
}

// readEntry adds what a line of a list names; lines of no known form are
// passed over, as the reference does.
func (u *urlTagger) readEntry(text string, list map[string]bool) {
	text = strings.ToLower(trimSpace(text))
	if text == "" || strings.IndexByte("#;!", text[0]) >= 0 {
		return
	}
	add := func(url string) {
		for _, s := range u.clean(url) {
			list[s] = true
		}
	}
	if m := addressAndIP().FindStringSubmatch(text); m != nil {
		ip, err := netip.ParseAddr(m[1])
		if err != nil {
			return
		}
		// Dolma means to leave out the machine's own address, but its
		// pattern is spelled so that it never matches.
		if u.dolma || !ip.IsLoopback() && !ip.IsUnspecified() {
			list[m[1]] = true
		}
		if m[2] != "localhost" && m[2] != "localdomain" {
			add(m[2])
		}
		return
	}
	if addressOnly().MatchString(text) {
		add(text)
		return
	}
	if m := adblockHost().FindStringSubmatch(text); m != nil {
		list[m[1]] = true
	}
}

// readAnswer adds the addresses of a Wikidata answer, a JSON list of rows.
func (u *urlTagger) readAnswer(text string, list map[string]bool) error {
	var rows []struct {
		URL         string  `json:"url"`
		Description *string `json:"description"`
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		return err
	}
	for _, row := range rows {
		// Dolma has the rule for the cleaned list and never asks it.
		if u.kind == "cleaned" && !u.dolma && !cleanEntry(row.URL, row.Description) {
			continue
		}
		for _, s := range u.clean(row.URL) {
			u.readEntry(s, list)
		}
	}
	return nil
}

// What a description or an address must not hold in the cleaned list.
var (
	uncleanWords = strings.Split("sex,adult,satire,gossip,tabloid,tracker,dating,image,humor,joke,comedy,porn,social media,freemium,betting,"+
		"casino,gambling,celebrity,4chan,camming,escort,hentai,imageboard,image hosting,crowdfunding,nudity,comic,online database,company,website", ",")
	uncleanDomains = strings.Fields(".xxx .adult .sex .porn .sexy .dating .cam .tube .chat")
)

func cleanEntry(url string, description *string) bool {
	if description == nil {
		return false
	}
	low := strings.ToLower(*description)
	return !slices.ContainsFunc(uncleanWords, func(w string) bool { return strings.Contains(low, w) }) &&
		!slices.ContainsFunc(uncleanDomains, func(d string) bool { return strings.Contains(url, d) })
}
