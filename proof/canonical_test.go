package proof

import (
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		// RFC 8785, section 3.2.2 and 3.2.3.
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji","\u0080":"Control","\u00f6":"o"}`:           "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"o\",\"€\":\"Euro Sign\",\"😀\":\"Emoji\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		`[-0, 1e21, 1e20, 1e-6, 1e-7, 9007199254740993, "<&>\u2028"]`: "[0,1e+21,100000000000000000000,0.000001,1e-7,9007199254740992,\"<&>\u2028\"]",
	} {
		got, err := Canonical([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
	for _, wrong := range []string{``, `{"a":1,"a":2}`, `{"a":1} 2`, `1e999`, "\"\xff\"", `{"a":{"b":1,"b":1}}`, strings.Repeat("[", 100000), strings.Repeat("[", 20<<20), strings.Repeat(`{"a":`, 5<<20)} {
		if got, err := Canonical([]byte(wrong)); err == nil {
			t.Errorf("%.40q is written as %s", wrong, got)
		}
	}
}
