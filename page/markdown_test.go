package page

import "testing"

func TestPlain(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"gopher_v2, 3 %", "gopher_v2, 3 %"},
		{"_emphasis_ and **more**", `\_emphasis\_ and \*\*more\*\*`},
		{"[a](javascript:b) <script> &lt;", `\[a\](javascript:b) \<script\> &amp;lt;`},
		{"two\n\n# lines", `two \# lines`},
		{"- no list", `\- no list`},
		{"a\x1b[2J\u202eb", "a\ufffd\\[2J\ufffdb"},
		{"a|b", "a|b"}, // which Row escapes
	} {
		if got := Plain(c.text); got != c.want {
			t.Errorf("Plain(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	var m Markdown
	m.Line("# A")
	m.Item("one")
	m.Item("two")
	m.Table("name|figure:")
	m.Row(Plain(`a\|b`), "1")
	m.Block("```\nx\n")
	want := "# A\n\n- one\n- two\n\n| name | figure |\n|---|--:|\n| a\\\\\\|b | 1 |\n\n````\n```\nx\n````\n"
	if got := m.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
