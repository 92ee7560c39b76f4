package contract

import (
	"strconv"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// position is a place in the author's file. The zero value is nowhere in particular.
type position struct {
	line   int // from 1
	column int // from 1, in bytes
}

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// kind is what a node holds.
type kind uint8

const (
	kindBroken kind = iota // could not be read, which was reported
	kindNull
	kindBool
	kindNumber
	kindText
	kindList
	kindObject
)

// node is one value of the author's file with the place where it stands. All three formats are read into nodes; the
// authored forms are rewritten on them, so that whatever CUE says of the normal form can be said of the author's line.
type node struct {
	kind   kind
	pos    position
	path   string // as the author wrote it, such as "guarantees.latency_ms"
	text   string // kindText: the text; kindNumber: the literal
	number float64
	whole  bool // kindNumber: written as a whole number
	truth  bool // kindBool
	items  []*node
	fields []*field
}

// field is one member of an object.
type field struct {
	name  string
	pos   position // of the name
	value *node
}

func (n *node) get(name string) *field {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// take removes and returns a member.
func (n *node) take(name string) *field {
	for i, f := range n.fields {
		if f.name == name {
			n.fields = append(n.fields[:i:i], n.fields[i+1:]...)
			return f
		}
	}
	return nil
}

func (n *node) add(f *field) { n.fields = append(n.fields, f) }

// object and text make the nodes that rewriting adds; they stand where the value they came from stands.
func object(from *node, fields ...*field) *node {
	return &node{kind: kindObject, pos: from.pos, path: from.path, fields: fields}
}

func text(from *node, s string) *node {
	return &node{kind: kindText, pos: from.pos, path: from.path, text: s}
}

// as names a value that rewriting moves.
func (n *node) as(name string) *field { return &field{name: name, pos: n.pos, value: n} }

// expr turns a node into what CUE builds values from.
func (n *node) expr() ast.Expr {
	switch n.kind {
	case kindBool:
		return ast.NewBool(n.truth)
	case kindText:
		return ast.NewString(n.text)
	case kindNumber:
		return n.numberExpr()
	case kindList:
		list := &ast.ListLit{Elts: make([]ast.Expr, len(n.items))}
		for i, item := range n.items {
			list.Elts[i] = item.expr()
		}
		return list
	case kindObject:
		object := &ast.StructLit{Elts: make([]ast.Decl, len(n.fields))}
		for i, f := range n.fields {
			// String labels even where an identifier would do: "_x" and "#x" are names like any other in YAML.
			object.Elts[i] = &ast.Field{Label: ast.NewString(f.name), Value: f.value.expr()}
		}
		return object
	default:
		return ast.NewNull()
	}
}

// value is n as encoding/json knows it.
func (n *node) value() any {
	switch n.kind {
	case kindBool:
		return n.truth
	case kindText:
		return n.text
	case kindNumber:
		return n.number
	case kindList:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	case kindObject:
		object := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			object[f.name] = f.value.value()
		}
		return object
	default:
		return nil
	}
}

// numberExpr writes the float64 that is going to be stored, not the author's digits: CUE must judge what we keep.
func (n *node) numberExpr() ast.Expr {
	kind, digits := token.FLOAT, strconv.FormatFloat(n.number, 'e', -1, 64)
	if n.whole {
		kind, digits = token.INT, strconv.FormatFloat(n.number, 'f', -1, 64)
	}
	if digits[0] == '-' {
		return &ast.UnaryExpr{Op: token.SUB, X: &ast.BasicLit{Kind: kind, Value: digits[1:]}}
	}
	return &ast.BasicLit{Kind: kind, Value: digits}
}

// found describes a value to its author.
func (n *node) found() string {
	switch n.kind {
	case kindBool:
		return strconv.FormatBool(n.truth)
	case kindNumber:
		return n.text
	case kindText:
		return quoteShort(n.text)
	case kindList:
		return "a list"
	case kindObject:
		return "an object"
	default:
		return "null"
	}
}

// quoteShort quotes s, shortened: a message stays one readable line.
func quoteShort(s string) string {
	const limit = 60
	if runes := []rune(s); len(runes) > limit {
		return strconv.Quote(string(runes[:limit])) + "..."
	}
	return strconv.Quote(s)
}
