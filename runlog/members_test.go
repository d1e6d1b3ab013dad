package runlog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"olmo/runlog"
)

func TestMembers(t *testing.T) {
	for _, c := range []struct {
		name, line, want string
		whole            bool
	}{
		{"values of all kinds", `{"step":1, "ids" : [1, 2],"o":{"step":7,"a":"}"},"text":"a\"b","x":null}`, `step=1 ids=[1, 2] o={"step":7,"a":"}"} text="a\"b" x=null`, true},
		{"Python's numbers", `{"a": NaN, "b": -Infinity}`, "a=NaN b=-Infinity", true},
		{"nothing in it", " {} \r", "", true},
		{"escaped key", `{"\u0061b":1}`, "ab=1", true},
		{"a member in a text", `{"text":"{\"step\":3,","step":1}`, `text="{\"step\":3," step=1`, true},
		{"torn in a number", `{"step":1,"ids":[1,2`, "step=1", false},
		{"torn in a text", `{"step":1,"text":"abc`, "step=1", false},
		{"something behind it", `{"step":1}{`, "step=1", false},
		{"no object", `[1]`, "", false},
		{"an empty line", ``, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			whole := runlog.Members([]byte(c.line), func(key string, value []byte) { got = append(got, fmt.Sprintf("%s=%s", key, value)) })
			if s := strings.Join(got, " "); s != c.want || whole != c.whole {
				t.Errorf("members %s, whole %t, want %s, %t", s, whole, c.want, c.whole)
			}
		})
	}
}

// FuzzMembers: what encoding/json takes for an object has the same members.
func FuzzMembers(f *testing.F) {
	f.Add([]byte(`{"step":1,"a":[0.5,{"c":null}],"d":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		got := map[string]string{}
		whole := runlog.Members(line, func(key string, value []byte) { got[key] = string(value) })
		var want map[string]json.RawMessage
		if json.Unmarshal(line, &want) != nil || want == nil {
			return
		}
		if !whole || len(got) != len(want) {
			t.Fatalf("%q: members %v, whole %t, want %s", line, got, whole, want)
		}
		for k, v := range want {
			if got[k] != string(v) {
				t.Fatalf("%q: %q is %s, want %s", line, k, got[k], v)
			}
		}
	})
}
