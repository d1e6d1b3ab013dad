package strictjson

import (
	"strings"
	"testing"
)

// thing is an object with a value of every kind.
type thing struct {
	name    string
	count   int
	yes     bool
	list    []string
	maybe   *string
	further []string
}

func read(text string) (v thing, err error) {
	err = Read(strings.NewReader(text), ObjectWith(Members{
		"kind": Exactly("thing"), "name": String(&v.name), "?count": Count(&v.count), "?yes": Bool(&v.yes),
		"?list": List(&v.list, String), "?maybe": Nullable(&v.maybe, String), "?any": Any(),
	}, func(what, name string) { v.further = append(v.further, what+"."+name) }))
	return v, err
}

func TestRead(t *testing.T) {
	v, err := read(` {"name":"n","kind":"thing","count":12,"yes":true,"list":["a","b"],"maybe":null,"any":{"deep":[{}]},"more":{"a":[1,{}]}} `)
	if err != nil {
		t.Fatal(err)
	}
	if v.name != "n" || v.count != 12 || !v.yes || strings.Join(v.list, ",") != "a,b" || v.maybe != nil || strings.Join(v.further, ",") != "it.more" {
		t.Errorf("got %+v", v)
	}
	if v, err := read(`{"name":"n","kind":"thing","maybe":"m"}`); err != nil || v.maybe == nil || *v.maybe != "m" {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                               "it ends before its end",
		`{"kind":"thing","name":"n"`:     "it ends before its end",
		`[]`:                             "it is not an object",
		`{"kind":"thing"}`:               "it has no name",
		`{"kind":"thing","Name":"n"}`:    "it has no name",
		`{"kind":"x","name":"n"}`:        `kind is "x", this program reads "thing"`,
		`{"kind":"thing","name":"n"} {}`: "there is more behind its value",
		`{"kind":"thing","name":"n"}}`:   "there is more behind its value",
		`{"kind":"thing","name":"n","a":1,"\u0061":1}`:                                                    `it has "a" twice`,
		`{"kind":"thing","name":"n","x":{"b":1,"b":2}}`:                                                   `a member of it has "b" twice`,
		`{"kind":"thing","name":1}`:                                                                       "name is not a string",
		`{"kind":"thing","name":"n","count":"1"}`:                                                         "count is not a number",
		`{"kind":"thing","name":"n","count":1.0}`:                                                         "count is not a whole number, 0 or more",
		`{"kind":"thing","name":"n","count":-1}`:                                                          "count is not a whole number, 0 or more",
		`{"kind":"thing","name":"n","yes":1}`:                                                             "yes is not true or false",
		`{"kind":"thing","name":"n","list":["a",2]}`:                                                      "list[1] is not a string",
		`{"kind":"thing","name":"n","list":{}}`:                                                           "list is not an array",
		"{\"kind\":\"thing\",\"name\":\"\xff\"}":                                                          "it is not UTF-8",
		`{"kind":"thing","name":"n","?count":1,"?count":1}`:                                               `it has "?count" twice`,
		`{"kind":"thing","name":"n","x":` + strings.Repeat("[", 10001) + strings.Repeat("]", 10001) + `}`: "a member of it nests more than 64 values",
		`{"kind":"thing","name":"n","x":` + strings.Repeat(`{"a":`, 10001):                                "a member of it nests more than 64 values",
	} {
		if _, err := read(text); err == nil || err.Error() != want {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
	// A question mark in a text is a part of a name.
	if v, err := read(`{"kind":"thing","name":"n","?count":1}`); err != nil || v.count != 0 || len(v.further) != 1 {
		t.Errorf("got %+v, %v", v, err)
	}
}
