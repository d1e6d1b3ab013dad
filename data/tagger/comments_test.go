package tagger

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What pygments calls a comment in each language stands between ‹ and ›.
func TestComments(t *testing.T) {
	for language, texts := range map[string][]string{
		"c": {
			"int a; ‹// one\n›int b; ‹/* two\n lines */› c;",
			"‹// goes on \\\n here\n›int x;",
			"char *s = \"// no /* no */\"; ‹/* é東京 */›",
			"char *s = \"a\\\" // no\"; ‹// yes\n›",
			"char *s = \"two \\\n lines // no\"; ‹// yes\n›",
			"char *s = \"open // no\n‹// yes\n›",
			"c = '\"'; ‹// a\n›c = '\\''; ‹// b\n›c = '\\x41'; ‹// c\n›c = 'é'; ‹/* d */›",
			"#define A 1 ‹// a\n›int b;",
			"#define A ‹/* a */› 2 ‹/* b */›\nint b; ‹// c\n›",
			"#define A 1 \\\n  2 ‹// a\n›int c; ‹/* d */›",
			"#include <stdio.h>\n‹// a\n›",
			"#include <stdio.h> ‹tail›\nint a;",
			"#include \"own.h\" ‹/* a */›\nint a;",
			"#if 0\nint a; // no\n/* no */\n#endif\n‹// yes\n›",
			"#if 0\n#if 1\n// no\n#endif\n// no\n#else\n‹// yes\n›#endif\n",
			"#if 0\n// no\n#elif 1\n‹// yes\n›#endif\n",
			"#if 1\n‹// yes\n›#endif\n",
			"#if 0\n// no",
			"  ‹/* lead */› #define A\n‹// a\n›",
			"‹/* does not end\n›",
			"a / b; a /= 2; ‹/**/›",
			"x = 1;\n\n  #define B 2\n‹// b\n›",
			"#error \"never; \\\n include <a.h> ‹instead\"›\n‹/* b */›",
			// The list of parameters ends at the first bracket, in a comment or not.
			"int f(int a, // cut (off)\n int b);\n‹// b\n›", "int f(int a, // cut (off)\n int b) {\n‹// b\n›}", "int f(int a, ‹// it's (not)\n› int b);",
			"int f(int a, ‹/* (a) */› int b) { }", "void ‹// a\n›f(int a) ‹// b\n›{ }", "static int f(void) ‹// it's\n›{ return 0; ‹// don't\n›}",
			"x = f(a, ‹// (b)\n› c);", "struct s {\n int a; ‹// it's\n›};", "x = 1'000; ‹// it's '\n›", "a: f(b, ‹// (c)\n› d);",
			// White space, words and numbers as pygments parts them.
			"x;\n \f  #define A ‹// b\n›int c;", "\u0085\n#define A ‹// b\n›", "x = 1;\n\f a: ‹// it's\n›", "f(a);\n\n  out: g('a, ‹// b\n› c);",
			"int f(void) {\n switch (a) {\n case '\"': ‹// b\n›  return u8\"// c\"; ‹// d\n› }\n}", "x = 0x1'f'\"; // a\n\"; // b\n",
			"long \\u00e9x(int a, // (b)\n c) { ‹// d\n›}", "int f(int a, # b\n c); ‹// d\n›", "  ‹/* a */› ‹/* b */› #define c ‹// d\n›",
			"‹/* a */› #include <b> ‹c›\nint d;", "a b(c) ‹// d\n›;\n", "a(\n#define x ‹// y\n›);", "int f(int a,\n#if 0\n // no\n#endif\n b);",
		},
		"c++": {
			"s = R\"x(// no)\" )x\"; ‹// yes\n›", "namespace x { ‹// a\n›int f(int a, // cut (off)\n int b);\n}", "auto l = [](int a) { return a; }; ‹// it's\n›",
			"template <class T> ‹// T's\n›class A { };", "enum class e { A, ‹// it's\n› B };",
			"x = L'\"'; ‹// a\n›y = R\"(// b)\"; ‹// c\n›", "int a\u00a0= 1; ‹// b\n›",
		},
		"go": {
			"a ‹// one›\nb ‹/* two\nlines */› c ‹/**/›",
			"s := \"// no\" ‹// yes›", "s := `// no\n/* no */` ‹// yes›", "c := '\"' ‹// yes›\nd := '\\'' ‹// yes›", "s := \"a\\\\\" ‹// yes›",
			"s := `open ‹// yes›\n/* no", "a / b / c", "/* open", "c := '' ‹// a›",
		},
		"java": {
			"int a; ‹// one›\n‹/** doc */› b", "String s = \"// no\"; ‹// yes›", "char c = '\"'; ‹// yes›",
			"s = \"\"\"\n // no\n \" /* no */ \"\"\"; ‹// yes›", "s = \"\"; ‹// yes›", "s = \"open // no\n/* no */", "s = \"\"\"\nopen ‹// yes›",
		},
		"javascript": {
			"a ‹// one›\n‹/* two\n*/› b", "s = '// no' ‹// yes›\ns = \"it's // no\" ‹// yes›\ns = 'a\\'// no' ‹// yes›",
			"r = /[/*]x/g; ‹// yes›", "r = /\\//; ‹// yes›", "a / b / c ‹// yes›", "f(/\"/) ‹// yes›", "return /\"/ ‹// yes›", "x = y[1] / 2 ‹// \" yes›",
			"typeof /'/ ‹// yes›", "a = b / '\"'.length ‹// yes›", "`no // ${ a + '}' } no // ` ‹// yes›", "`a ${ `b ${c} // no` } // no` ‹// yes›", "`a \\` // no` ‹// yes›",
			"#!/usr/bin/node // no\n‹// yes›", "x = {} / 1 ‹// yes›", "a; /'/.test(b) ‹// yes›", "a\n/'/.test(b) ‹// yes›", "x = 1 / 2 ‹// 'a›",
			"/open // error\n‹// yes›", "$é_1 / 2 ‹// yes›",
		},
		"html": {
			"<p>a</p> ‹<!-- b\nc -->› d", "<script>a ‹// b›\n</script> // no", "<style>/* no */</style>‹<!-- a -->›", "<SCRIPT>‹/* a */›</Script>",
			"<![CDATA[ <!-- no --> ]]>", "<!-- open", "<a title=\"<!-- no -->\">x</a>", "<script/>‹<!-- a -->›", "a < b ‹<!-- c -->›", "<script>‹// to the end›",
		},
		"xml": {
			"<a>‹<!-- b -->›</a>", "<a b=\"<!-- no -->\"/>‹<!-- c -->›", "<![CDATA[<!-- no -->]]>‹<!-- é -->›", "<!-- open", "< ‹<!-- a -->›",
		},
		"shell": {
			"#!/bin/sh\n‹# a\n›b ‹# c\n›", "echo a#b ‹# c\n›", "echo \"# no\" '# no' ‹# yes\n›", "echo \"a \\\" # no\" ‹# yes\n›", "echo \"a $b # no\" ‹# yes\n›", "echo \"a $\" ‹# yes\n›", "echo \"a $_b$1$\" ‹# yes\n›",
			"echo \"$(ls ‹# in\n›)\" ‹# yes\n›", "echo ${#a} ${a#b} ${a//\"#\"} ‹# yes\n›", "echo $# $? $! ‹# yes\n›", "echo $((16#ff + 1)) ‹# yes\n›", "x=$(a ‹# in\n›) ‹# yes\n›",
			"`a ‹# in\n›` ‹# yes\n›", "echo \\# ‹# yes\n›", "echo $'a\\'# no' ‹# yes\n›", "echo $\"a # no\" ‹# yes\n›", "cat <<EOF\n# no\nEOF\n‹# yes\n›", "cat <<-'EOF'\n\t# no\nEOF\n‹# yes\n›",
			"cat <<< word ‹# yes\n›", "a=(1 ‹# b\n›2) ‹# c\n›", "a;‹#b\n›", "12 ‹# yes\n›", "12a#no ‹# yes\n›", "echo 'open ‹# yes\n›", "[ $a ]‹# é東京\n›", "echo $12 ‹# a\n›", "echo $_a1 ‹# a\n›", "a=\"b\"‹#c\n›",
			"‹# one\n›‹# two\n›", "‹#\n›",
		},
		"perl": {
			"#!/usr/bin/perl\n‹# a›\nb; ‹# c›", "'# no' \"# no\" `# no` ‹# yes›", "'a\\'# no' ‹# yes›", "m/#/; ‹# yes›", "m{#}x; ‹# yes›", "s/#/#/; ‹# yes›", "s{#}{#}; ‹# yes›", "s!#!b!g; ‹# yes›",
			"q{# {no}}; ‹# yes›", "qq(# no); ‹# yes›", "qw[a # b]; ‹# yes›", "q!# no!; ‹# yes›", "qr/#/; ‹# yes›",
			"$x =~ /#/; ‹# yes›", "if (/#\n/) ‹# yes›", "$#a; ‹# yes›", "$\" ; ‹# yes›", "@a %h ‹# yes›", "<STDIN>; ‹# yes›", "<<EOT;\n# no\nEOT\n‹# yes›", "<<\"EOT\";\n# no\nEOT\n‹# yes›", "<<'EOT'\n# no\nEOT\n‹# yes›",
			"a\n‹=pod\n\nb # c\n\n=cut›\n‹# yes›", "=pod\n\nopen", "__END__\n# no", "sub f { ‹# yes›\n}", "sub f; ‹# yes›", "a::b; ‹# é東京›", "$x / 2; ‹# a›",
		},
		"css":  {"/* no */ // no"},
		"text": {"# no // no"},
	} {
		for _, marked := range texts {
			want, in := 0, false
			var text strings.Builder
			for _, r := range marked {
				switch r {
				case '‹', '›':
					in = r == '‹'
				default:
					text.WriteRune(r)
					if in {
						want++
					}
				}
			}
			if got := commentCounters[language](text.String()); got != want {
				t.Errorf("%s: %d code points of comments, want %d in\n%s", language, got, want, marked)
			}
		}
	}
}

// Docstrings and comments of Python, as StarCoder extracts them: what each file has
// left.
func TestPythonText(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"\"\"\"A module.\"\"\"\nx = 1  # one\n", "A module.\n one"},
		{"'''Two\n   lines.\n   more'''\n", "Two\nlines.\nmore"},
		{"def f():\n    'Of f.'\n\nclass B:\n    \"Of B.\"\n\nclass A:\n    'Of A.'\n", "Of A.\nOf B.\nOf f."},
		{"def f():\n    x = 'no doc'\n    'neither'\n# c\n", "c"},
		{"def f(): 'One line.'\n", "One line."},
		{"class A:\n    def b(self, x=lambda: 1):\n        '''\n        Deep.\n\n          Deeper.\n        '''\n", "Deep.\n\n  Deeper."},
		{"'a\\tb\\x41\\u00e9\\101\\q\\N{BULLET}\\\nc'\n", "a       bA\u00e9A\\q\ufffdc"},
		{"r'a\\tb'\n", "a\\tb"},
		{"b'no'\n", ""},
		{"f'no'\n", ""},
		{"'''a\n\tb\n\t\tc'''\n", "a\nb\n        c"},
		{"'one' 'two'\n", "onetwo"},
		{"x = [1, # a\n 2] # b\n", "a b"},
		{"x = '# no'\ny = \"\"\"# no\n\"\"\"\n# yes\n", "yes"},
		{"'''doc'''\nx = '''never ends\n# no\n", ""},
		{"'''doc'''\nx = (1\n# a\n", ""},
		{"'''doc'''\nif x:\n    a\n  b\n# c\n", ""},
		// Python 2 does not parse, so it has comments alone.
		{"'''doc'''\nprint 'a'  # a\n", "a"},
		{"'''doc'''\nprint x  # a\n", "a"},
		{"'''doc'''\nexec 'a'  # a\n", "a"},
		{"'''doc'''\na <> b  # a\n", "a"},
		{"'''doc'''\nx = 0777  # a\n", "a"},
		{"'''doc'''\nx = 10L  # a\n", "a"},
		{"'''doc'''\nx = ur'a'  # a\n", "a"},
		{"'''doc'''\nx = `y`  # a\n", "a"},
		{"'''doc'''\nprint 1  # a\n", "a"},
		{"'''doc'''\nprint('a')  # a\n", "doc\n a"},
		{"'''doc'''\nprint\n# a\n", "doc\n a"},
		{"'''doc'''\nx = 0o777 + 00 + 0x1L1 + 1e-5  # a\n", "doc\n a"},
		// Nor does what is cut off.
		{"'''doc'''\ndef f():\n", ""},
		{"'''doc'''\nx = 1 +", ""},
		{"'''doc'''\nif x\n    y\n", ""},
		{"'''doc'''\nx = y and\n", ""},
		{"'''doc'''\na != b\n", "doc"},
		{"'''doc'''\na ! b\n", ""},
		{"\ufeff'''doc'''\n", "doc"},
		{"# a\r\n'''doc'''\r\n", "doc\n a"},
		{"x = 1; y = 2 # a\n", "a"},
		{"if x: y = 1\nelse: z = 2\n# é\n", "é"},
		{"a = \\\n  1 # b\n", "b"},
		{"", ""},
		{"'open\n# a\n", "a"},
	} {
		if got := pythonText(c.code); got != utf8.RuneCountInString(c.want) {
			t.Errorf("%q has %d code points of docstrings and comments, want %d: %q", c.code, got, utf8.RuneCountInString(c.want), c.want)
		}
	}
}

// Code points of comments and docstrings, as Dolma 1.2.1 has them with Python 3.11.
func TestPythonOddText(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"x = 1 # it's\n", 4},
		{"f(a < b) # c\n", 1},
		{"f(a < b) # no\n)\n# unbalanced\n", 0},
		{"(\n# again )\n)\n)(\n# balanced\n", 16},
		{"x = 1 # no\ny = \\\n", 0},
		{"if a:\n    b # c\n  # any column\n", 12},
		{"if a:\n    b # no\n  c\n", 0},
		{"\"\"\"doc\"\"\"\n  x = 1 # odd\n", 3},
		{"\"\"\"doc\"\"\"\nif a:\nb # flat\n", 4},
		{"\"\"\"doc\"\"\"\nif a:\n\tb\n        c # tab\n", 3},
		{"\"\"\"doc\"\"\"\nif a:\n    b\n    c # block\n", 10},
		{"\"\"\"doc\"\"\"\nx = [1)\n# other\n", 5},
		{"\"\"\"doc\"\"\"\nx = \\\n   1 # on\n", 7},
		{"   \"\"\"doc\"\"\"\n# in\n", 2},
	} {
		if got := pythonText(c.text); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
}
