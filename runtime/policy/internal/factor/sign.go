package factor

import (
	"encoding/binary"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxSign bounds what is written of a request's values. Reasons over more are made anew for each request.
const maxSign = 512

// Sign appends to buf what the reasons of rule i see of the request: where two requests sign alike, the reasons over one
// service are the same. false: it would be too long.
func (j *Judgement) Sign(i int, buf []byte) ([]byte, bool) {
	limit := len(buf) + maxSign
	for _, n := range j.x.rules[i].asks {
		if buf = appendTerm(buf, j.m.eval(n), limit); len(buf) > limit {
			return buf, false
		}
	}
	return buf, true
}

// appendTerm appends t so that no two values are written alike. It stops once buf is longer than limit.
func appendTerm(buf []byte, t *ast.Term, limit int) []byte {
	if t == nil {
		return append(buf, 0)
	}
	text := func(kind byte, s string) {
		buf = binary.AppendUvarint(append(buf, kind), uint64(len(s)))
		if len(s) > limit {
			s = s[:limit]
		}
		buf = append(buf, s...)
	}
	switch v := t.Value.(type) {
	case ast.Null:
		buf = append(buf, 1)
	case ast.Boolean:
		if buf = append(buf, 2); bool(v) {
			buf = append(buf, 3)
		}
	case ast.String:
		text(4, string(v))
	case ast.Number:
		text(5, string(v))
	case *ast.Array:
		buf = binary.AppendUvarint(append(buf, 6), uint64(v.Len()))
		for n := 0; n < v.Len() && len(buf) <= limit; n++ {
			buf = appendTerm(buf, v.Elem(n), limit)
		}
	case ast.Object:
		buf = binary.AppendUvarint(append(buf, 7), uint64(v.Len()))
		keys := v.KeysIterator()
		for k, more := keys.Next(); more && len(buf) <= limit; k, more = keys.Next() {
			buf = appendTerm(appendTerm(buf, k, limit), v.Get(k), limit)
		}
	default:
		buf = append(buf, make([]byte, maxSign+1)...)
	}
	return buf
}
