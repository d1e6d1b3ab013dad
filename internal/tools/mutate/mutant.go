package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant replaces the bytes from and to of a file by text.
type mutant struct {
	file      string // from the module's root
	from, to  int
	text      string
	kind      string
	line, col int
}

func (m mutant) id() string { return fmt.Sprintf("%s:%d:%d:%s", m.file, m.line, m.col, m.kind) }

// sites lists what could be changed in a package.
func sites(root, pkg string) []mutant {
	cmd := exec.Command("go", "list", "-f", "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}", pkg)
	cmd.Dir = root
	out, err := cmd.Output()
	check(err)
	var all []mutant
	sc := bufio.NewScanner(bytes.NewReader(out))
	for sc.Scan() {
		if sc.Text() == "" {
			continue
		}
		rel, err := filepath.Rel(root, sc.Text())
		check(err)
		all = append(all, fileSites(root, rel)...)
	}
	return all
}

// swaps are the operators that take another's place: at a comparison both its boundary
// and its opposite.
var swaps = map[token.Token][]string{
	token.EQL: {"!="}, token.NEQ: {"=="},
	token.LSS: {"<=", ">="}, token.LEQ: {"<", ">"}, token.GTR: {">=", "<="}, token.GEQ: {">", "<"},
	token.ADD: {"-"}, token.SUB: {"+"}, token.MUL: {"/"}, token.QUO: {"*"}, token.REM: {"*"},
	token.LAND: {"||"}, token.LOR: {"&&"},
	token.SHL: {">>"}, token.SHR: {"<<"}, token.AND: {"|"}, token.OR: {"&"}, token.XOR: {"&"}, token.AND_NOT: {"&"},
}

// assigns are the same for assignments.
var assigns = map[token.Token]string{
	token.ADD_ASSIGN: "-=", token.SUB_ASSIGN: "+=", token.MUL_ASSIGN: "/=", token.QUO_ASSIGN: "*=",
	token.OR_ASSIGN: "&=", token.AND_ASSIGN: "|=", token.SHL_ASSIGN: ">>=", token.SHR_ASSIGN: "<<=",
}

// fileSites lists what could be changed in a file; generated ones are left alone.
func fileSites(root, rel string) []mutant {
	src, err := os.ReadFile(filepath.Join(root, rel))
	check(err)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, rel, src, parser.ParseComments)
	check(err)
	if ast.IsGenerated(f) {
		return nil
	}
	var all []mutant
	at := func(p token.Pos) int { return fset.Position(p).Offset }
	add := func(from, to token.Pos, text, kind string) {
		p := fset.Position(from)
		all = append(all, mutant{rel, at(from), at(to), text, kind, p.Line, p.Column})
	}
	text := func(n ast.Node) string { return string(src[at(n.Pos()):at(n.End())]) }
	// early makes a function return zero values at once.
	early := func(t *ast.FuncType, body *ast.BlockStmt) {
		if body == nil || len(body.List) == 0 {
			return
		}
		var zero []string
		if t.Results != nil {
			for _, r := range t.Results.List {
				for range max(1, len(r.Names)) {
					zero = append(zero, "*new("+text(r.Type)+")")
				}
			}
		}
		if t := text(body.List[0]); len(body.List) == 1 && (t == "return nil" || t == "return false" || t == "return 0") {
			return // the same
		}
		first := body.List[0].Pos()
		add(first, first, "if true { return "+strings.Join(zero, ", ")+" }; ", "return-early")
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.FuncDecl:
			early(n.Type, n.Body)
		case *ast.FuncLit:
			early(n.Type, n.Body)
		case *ast.BinaryExpr:
			for _, to := range swaps[n.Op] {
				add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to, n.Op.String()+"→"+to)
			}
		case *ast.UnaryExpr:
			if n.Op == token.NOT || n.Op == token.SUB {
				add(n.OpPos, n.OpPos+1, "", "drop"+n.Op.String())
			}
		case *ast.IfStmt:
			add(n.Cond.Pos(), n.Cond.End(), "!("+text(n.Cond)+")", "negate")
		case *ast.BasicLit:
			if n.Kind == token.INT {
				v, err := strconv.ParseInt(n.Value, 0, 64)
				if err == nil {
					add(n.Pos(), n.End(), strconv.FormatInt(v+1, 10), "+1")
					if v > 0 {
						add(n.Pos(), n.End(), strconv.FormatInt(v-1, 10), "-1")
					}
				}
			}
			if n.Kind == token.FLOAT {
				add(n.Pos(), n.End(), "("+n.Value+"*1.5+0.125)", "float")
			}
		case *ast.Ident:
			if n.Name == "true" {
				add(n.Pos(), n.End(), "false", "true→false")
			}
			if n.Name == "false" {
				add(n.Pos(), n.End(), "true", "false→true")
			}
		case *ast.IncDecStmt:
			to := "--"
			if n.Tok == token.DEC {
				to = "++"
			}
			add(n.TokPos, n.TokPos+2, to, n.Tok.String())
		case *ast.AssignStmt:
			if to, ok := assigns[n.Tok]; ok {
				add(n.TokPos, n.TokPos+token.Pos(len(n.Tok.String())), to, n.Tok.String())
			}
			if n.Tok == token.ASSIGN {
				add(n.Pos(), n.End(), "", "remove")
			}
		case *ast.ExprStmt, *ast.DeferStmt, *ast.SendStmt:
			add(n.Pos(), n.End(), "", "remove")
		case *ast.BranchStmt:
			switch n.Tok {
			case token.BREAK:
				add(n.TokPos, n.TokPos+5, "continue", "break→continue")
			case token.CONTINUE:
				add(n.TokPos, n.TokPos+8, "break", "continue→break")
				add(n.Pos(), n.End(), "", "remove")
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && (id.Name == "min" || id.Name == "max") {
				return true // swapping changes nothing
			}
			for i := 0; i+1 < len(n.Args); i++ {
				a, b := n.Args[i], n.Args[i+1]
				if text(a) != text(b) {
					add(a.Pos(), b.End(), text(b)+", "+text(a), "swap-arguments")
				}
			}
		}
		return true
	})
	return all
}
