package quickstart

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Article 1 of the Universal Declaration of Human Rights, which is free of copyright.
var articles = map[string]string{
	"en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
	"de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
	"fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
	"es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
	"nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
	"pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
	"tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
	"ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
	"ja": "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
	"zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
}

func TestLanguages(t *testing.T) {
	corpus := func(codes ...string) (out []document) {
		for _, c := range codes {
			out = append(out, document{text: articles[c]})
		}
		return out
	}
	for code := range articles {
		if got, shares, err := languagesOf(corpus(code, code)); err != nil || got != code || len(shares) != 1 {
			t.Errorf("%s: language %q, shares %v, %v", code, got, shares, err)
		}
	}
	for _, c := range []struct {
		documents []document
		want      string
		card      []string
	}{
		{corpus("de", "de", "de", "de", "de", "de", "fr"), "de", []string{"de"}},
		{corpus("de", "fr"), several, []string{"de", "fr"}},
		{[]document{{text: "7 3.14 -- 29 == 44;"}, {text: "%%% 0x1f"}}, "zxx", []string{"zxx"}},
	} {
		got, shares, err := languagesOf(c.documents)
		info := CorpusInfo{Language: got, Languages: shares}
		card := info.CardLanguages()
		slices.Sort(card)
		if err != nil || got != c.want || !slices.Equal(card, c.card) {
			t.Errorf("%q: language %q, shares %v, card %v, %v; want %s", c.documents[0].text, got, shares, card, err, c.want)
		}
	}
}

func TestMainLanguage(t *testing.T) {
	for _, c := range []struct {
		shares []LanguageShare
		want   string
	}{
		{nil, unsure},
		{[]LanguageShare{{"de", 0.8}, {unsure, 0.2}}, "de"},
		{[]LanguageShare{{unsure, 0.9}, {"de", 0.1}}, unsure},
		{[]LanguageShare{{"de", 0.5}, {"fr", 0.3}, {unsure, 0.2}}, several},
		{[]LanguageShare{{"de", 0.5}, {"fr", 0.2}, {unsure, 0.3}}, unsure},
	} {
		if got := mainLanguage(c.shares); got != c.want {
			t.Errorf("mainLanguage(%v) = %s, want %s", c.shares, got, c.want)
		}
	}
}

func TestPrompts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Der alte Hund schläft heute wieder unter dem Baum.", "Der alte Hund schläft heute wieder"},
		{"# Notes of a day\n\nIt rained.", "Notes of a day"},
		{"---\n42\n> «Il pleut», dit-elle.", "«Il pleut», dit-elle."},
		{"すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて", "すべての人間は、生れなが"},
		{"Donaudampfschifffahrtsgesellschaftskapitän war er lange.", "Donaudampfsc"},
		{"¿Qué hora es?", "¿Qué hora es?"},
		{"1234\n--\n", ""},
		{"", ""},
	} {
		if got := beginning(c.text); got != c.want {
			t.Errorf("beginning(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	var documents []document
	for i := range 100 {
		documents = append(documents, document{text: fmt.Sprintf("Text number %d begins here.", i)})
	}
	if got := promptsOf(documents); len(got) != promptCount || got[0] != "Text number 0 begins here." {
		t.Errorf("prompts of 100 documents: %q", got)
	}
	if got := promptsOf(documents[:1]); len(got) != 1 {
		t.Errorf("prompts of one document: %q", got)
	}
	if got := promptsOf([]document{{text: "Same words here."}, {text: "Same words here."}, {text: strings.Repeat("=", 9)}}); len(got) != 1 {
		t.Errorf("prompts of equal documents: %q", got)
	}
}
