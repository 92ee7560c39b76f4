package contract

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	cueerrors "cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	cuejson "cuelang.org/go/encoding/json"
)

// json reads one JSON document.
func (r *reader) json() *node {
	if strings.TrimSpace(string(r.source)) == "" {
		r.report.add(position{}, "", "the file is empty: a contract states at least service_id, name, version and capabilities")
		return nil
	}
	// encoding/json has better words for what is wrong than CUE's parser, and the place.
	var any json.RawMessage
	if err := json.Unmarshal(r.source, &any); err != nil {
		var syntax *json.SyntaxError
		at := position{}
		if errors.As(err, &syntax) {
			at = r.at(max(0, min(int(syntax.Offset)-1, len(r.source)-1)))
		}
		r.report.add(at, "", "not JSON: %v", err)
		return nil
	}
	expr, err := cuejson.Extract(r.report.file, r.source)
	if err != nil {
		r.cueSyntax(err, "not JSON")
		return nil
	}
	return r.exprNode(expr, "", 0)
}

// cue reads one CUE file, which must be data: it is not evaluated.
func (r *reader) cue() *node {
	file, err := parser.ParseFile(r.report.file, r.source)
	if err != nil {
		r.cueSyntax(err, "not CUE")
		return nil
	}
	decls := make([]ast.Decl, 0, len(file.Decls))
	for _, decl := range file.Decls {
		if _, ok := decl.(*ast.Package); !ok {
			decls = append(decls, decl)
		}
	}
	if len(decls) == 0 {
		r.report.add(position{}, "", "the file is empty: a contract states at least service_id, name, version and capabilities")
		return nil
	}
	if embed, ok := decls[0].(*ast.EmbedDecl); ok && len(decls) == 1 {
		return r.exprNode(embed.Expr, "", 0)
	}
	return r.declNodes(decls, &node{pos: cuePosition(decls[0]), kind: kindObject}, 0)
}

func (r *reader) cueSyntax(err error, what string) {
	for _, e := range cueerrors.Errors(err) {
		format, args := e.Msg()
		at := position{e.Position().Line(), e.Position().Column()}
		r.report.add(at, "", what+": "+strings.ReplaceAll(format, "\n", " "), args...)
	}
}

func cuePosition(n ast.Node) position {
	pos := n.Pos()
	return position{pos.Line(), pos.Column()}
}

func (r *reader) exprNode(expr ast.Expr, path string, depth int) *node {
	n := &node{pos: cuePosition(expr), path: path}
	if !r.count(n.pos, path, depth) {
		return n
	}
	switch x := expr.(type) {
	case *ast.StructLit:
		n.kind = kindObject
		return r.declNodes(x.Elts, n, depth)
	case *ast.ListLit:
		n.kind = kindList
		for i, item := range x.Elts {
			n.items = append(n.items, r.exprNode(item, nth(path, i), depth+1))
		}
		return n
	case *ast.BasicLit:
		return r.literal(x, n, "")
	case *ast.UnaryExpr:
		if lit, ok := x.X.(*ast.BasicLit); ok && (lit.Kind == token.INT || lit.Kind == token.FLOAT) {
			if x.Op == token.SUB || x.Op == token.ADD {
				return r.literal(lit, n, x.Op.String())
			}
		}
	}
	r.notData(n)
	return n
}

func (r *reader) notData(n *node) {
	r.report.add(n.pos, n.path, "a contract in CUE must be plain data: no imports, references, definitions, constraints or operators")
}

func (r *reader) declNodes(decls []ast.Decl, n *node, depth int) *node {
	seen := map[string]position{}
	for _, decl := range decls {
		switch d := decl.(type) {
		case *ast.CommentGroup:
		case *ast.Field:
			pos := cuePosition(d)
			name, isIdent, err := ast.LabelName(d.Label)
			hidden := isIdent && strings.HasPrefix(strings.TrimPrefix(name, "_"), "#") || isIdent && strings.HasPrefix(name, "_")
			if err != nil || hidden || d.Constraint != token.ILLEGAL || d.Alias != nil || len(d.Attrs) > 0 {
				r.notData(&node{pos: pos, path: n.path})
				continue
			}
			r.member(n, seen, name, pos, func(path string) *node { return r.exprNode(d.Value, path, depth+1) })
		default:
			r.notData(&node{pos: cuePosition(decl), path: n.path})
		}
	}
	return n
}

// literal reads a scalar; sign is "", "-" or "+".
func (r *reader) literal(lit *ast.BasicLit, n *node, sign string) *node {
	switch lit.Kind {
	case token.NULL:
		n.kind = kindNull
	case token.TRUE, token.FALSE:
		n.kind, n.truth = kindBool, lit.Kind == token.TRUE
	case token.STRING:
		s, err := literal.Unquote(lit.Value)
		if err != nil || strings.HasPrefix(strings.TrimLeft(lit.Value, "#"), "'") {
			r.report.add(n.pos, n.path, "must be text; bytes are not allowed")
			return n
		}
		n.kind, n.text = kindText, s
	case token.INT, token.FLOAT:
		r.cueNumber(lit, n, sign)
	default:
		r.notData(n)
	}
	return n
}

func (r *reader) cueNumber(lit *ast.BasicLit, n *node, sign string) {
	n.text, n.whole = sign+lit.Value, lit.Kind == token.INT
	var number literal.NumInfo
	value, exact := 0.0, false
	err := literal.ParseNum(lit.Value, &number)
	if err == nil {
		// Underscores, other bases and multipliers are CUE's affair; String is plain decimal.
		value, err = strconv.ParseFloat(number.String(), 64)
		exact = math.Abs(value) <= 1<<53
	}
	if err != nil {
		r.notFinite(n)
		return
	}
	if sign == "-" {
		value = -value
	}
	r.setNumber(n, value, exact)
}
