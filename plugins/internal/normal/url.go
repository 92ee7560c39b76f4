package normal

// Escape writes a text as one segment of a URL's path, or as a name or value of its query: all but RFC 3986's unreserved
// characters become %XX. A guest does without net/url, which brings fmt.
func Escape(s string) string {
	const digits = "0123456789ABCDEF"
	var out []byte
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.', c == '~':
			out = append(out, c)
		default:
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

// Query is a URL's query as it comes together; its zero value is empty.
type Query struct{ text []byte }

// Add adds a parameter. An empty value is left out.
func (q *Query) Add(name, value string) {
	if value == "" {
		return
	}
	sep := byte('&')
	if len(q.text) == 0 {
		sep = '?'
	}
	q.text = append(append(append(append(q.text, sep), Escape(name)...), '='), Escape(value)...)
}

// String returns the query with its question mark; empty if nothing was added.
func (q *Query) String() string { return string(q.text) }
