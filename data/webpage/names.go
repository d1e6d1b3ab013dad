package webpage

import (
	"strings"
	"sync"
)

// marks are what the class and id of an element say it is.
type marks uint32

const (
	bodyName    marks = 1 << iota // the page's main content, by a name used for nothing else
	articleName                   // may be part of an article
	hiddenName
	skipName // a way to another part of the page, or another page
	signInName
	socialName
	logoName
	adName
	junkName
	landmarkName // of an id alone
	headerName
	footerName
	navName
	relatedName
	searchName
	sidebarName
	modalName
	galleryName
	printName
)

func (m marks) has(any marks) bool { return m&any != 0 }

// classifier tells marks from names, which it remembers: a site has few.
type classifier struct {
	classes, ids map[string]marks
}

// maxNames bounds what is remembered: a hostile site may have a new class in every
// element. Then all are forgotten, which costs time and no result.
const maxNames = 1 << 14

// of gives the marks of a class and those of an id, in one.
func (c *classifier) of(class, id string) marks {
	return remember(&c.classes, class) | remember(&c.ids, id)
}

func remember(names *map[string]marks, s string) marks {
	if s == "" {
		return 0
	}
	if m, ok := (*names)[s]; ok {
		return m
	}
	if *names == nil || len(*names) >= maxNames {
		*names = map[string]marks{}
	}
	m := marksOf(s)
	if len(s) <= 256 {
		(*names)[strings.Clone(s)] = m
	}
	return m
}

// A name is words joined by - and _. The tables hold words run together, as
// names come with and without the joints: side-bar, side_bar and sidebar.
var (
	bodyNames = set("article-body articleBody contentBody article-text main-content postcontent post-content single-post")

	// Words that count wherever they stand in a name.
	wordMarks = sync.OnceValue(func() map[string]marks {
		m := map[string]marks{}
		put := func(mark marks, words ...string) {
			for _, w := range words {
				m[w] |= mark
			}
		}
		put(articleName, list("article entry post story singlepost content maincontent body text page")...)
		put(relatedName, list("trends trending recommended featured popular editorpicks editorspicks related readnext")...)
		put(relatedName, joined("related", "links articles posts guides stories")...)
		put(signInName, list("login signin signup account userinfo userprofile usersettings useractions")...)
		return m
	})

	// Words with which a name begins.
	firstMarks = sync.OnceValue(func() map[string]marks {
		m := map[string]marks{}
		for _, w := range list("googlead googleads widead wideads advert advertise advertisement advertiselink sponsor sponsored promoted paid banner widebanner donate") {
			m[w] = adName
		}
		return m
	})

	// Whole names.
	wholeMarks = sync.OnceValue(func() map[string]marks {
		m := map[string]marks{}
		put := func(mark marks, names []string) {
			for _, n := range names {
				m[n] |= mark
			}
		}
		put(headerName, joined("l m wp global page site full sticky", "header", "- wrap wrapper bar"))
		put(footerName, joined("- global page site", "footer copyright cookie consent legal fcontainer", "- wrap wrapper container banner notice bar consent"))
		const before = "- l m wp main site page sub article global sticky"
		put(navName, joined(before, "nav navigation navbar", "- bar menu container wrapper"))
		put(navName, joined(before, "menu menuitem dropdown breadcrumb breadcrumbs"))
		put(navName, joined(before, "link links", "bar box list container section wrapper"))
		put(searchName, joined("search", "- bar facility box"))
		put(sidebarName, joined("- l wp global sticky", "sidebar sidebars sidebox stickybar stickybars stickybox onethird"))
		put(modalName, joined("- wp p", "modal popup lightbox", "- window pane box"))
		put(galleryName, list("gallery carousel"))
		put(hiddenName, joined("- is visually", "displaynone hidden invisible collapsed h0 nocontent expandable", "- xs sm lg xl 2xl"))
		return m
	})

	landmarkNames = set(strings.Join(joined("- l wp global page site full sticky", "head foot header footer right"), " "))
	socialNames   = sync.OnceValue(func() map[string]bool {
		return set(strings.Join(joined("social socialmedia socialsearch share sharedaddy syndication newsletter sharing follow email like likes feedback givefeedback engagement brandengagement facebook twitter subscribe wa jp aptffollow",
			"- post link links section icon icons btn button buttons target"), " "))
	})
	skipNames   = joined("- link", "skip skipto skiplink scrollup scrolldown next prev previous permalink pagination skiptocontent skiptomaincontent")
	socialAfter = list("mobile desktop l m c")
)

func list(words string) []string { return strings.Fields(words) }

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range list(words) {
		m[w] = true
	}
	return m
}

// joined runs each word of the first part together with each of the others;
// "-" stands for no word.
func joined(parts ...string) []string {
	out := []string{""}
	for _, p := range parts {
		var next []string
		for _, o := range out {
			for _, w := range list(p) {
				next = append(next, o+strings.TrimPrefix(w, "-"))
			}
		}
		out = next
	}
	return out
}

// maxWords bounds how many words of a name make one of the tables' words.
const maxWords = 3

// marksOf reads a class attribute, or an id.
func marksOf(s string) (m marks) {
	tokens := strings.Fields(s)
	for i, token := range tokens {
		if bodyNames[token] {
			m |= bodyName
		}
		m |= nameMarks(strings.ToLower(token), i == len(tokens)-1)
	}
	if id := strings.ToLower(s); landmarkNames[strings.NewReplacer("-", "", "_", "").Replace(id)] {
		m |= landmarkName
	}
	return m
}

func nameMarks(token string, lastToken bool) (m marks) {
	words, starts := split(token)
	if len(words) == 0 {
		return 0
	}
	all := strings.Join(words, "")
	begins := starts[0] == 0 // with a word, not with a joint
	if begins && token[len(token)-1] != '-' && token[len(token)-1] != '_' {
		m |= wholeMarks()[all]
	}
	for i := range words {
		social := i == 0 && begins || isSocialStart(token, starts[i])
		acc := ""
		for j := i; j < len(words) && j < i+maxWords; j++ {
			acc += words[j]
			m |= wordMarks()[acc]
			if i == 0 && begins {
				m |= firstMarks()[acc]
			}
			if social && socialNames()[acc] {
				m |= socialName
			}
		}
	}
	for _, n := range skipNames {
		if rest, ok := strings.CutPrefix(all, n); ok && begins && (rest == "" || strings.HasPrefix(rest, "post") || strings.HasPrefix(rest, "article")) {
			m |= skipName
		}
	}
	switch {
	case words[0] != "ad" || !begins:
	case len(words) == 1 && lastToken, len(words) > 1 && token[2] == '_' && strings.Trim(words[1], "0123456789abcdef") == "":
		m |= adName
	}
	if strings.HasSuffix(token, "logo") {
		m |= logoName
	}
	if strings.HasPrefix(token, "print-") || strings.HasPrefix(token, "print_") {
		m |= printName
	}
	for _, w := range words {
		if strings.HasSuffix(w, "spinner") {
			m |= junkName
		}
	}
	if strings.HasPrefix(token, "short-view-count") {
		m |= junkName
	}
	return m
}

// split cuts a name at its joints and says where each word starts.
func split(token string) (words []string, starts []int) {
	start := 0
	for i := 0; i <= len(token); i++ {
		if i < len(token) && token[i] != '-' && token[i] != '_' {
			continue
		}
		if i > start {
			words, starts = append(words, token[start:i]), append(starts, start)
		}
		start = i + 1
	}
	return words, starts
}

// isSocialStart says whether a word at i of a name may be one of
// socialNames: after a double joint, or what such names begin with.
func isSocialStart(token string, i int) bool {
	before := token[:i]
	if strings.HasSuffix(before, "--") || strings.HasSuffix(before, "__") {
		return true
	}
	for _, w := range socialAfter {
		if strings.HasSuffix(before, w+"-") {
			return true
		}
	}
	return false
}
