package contract

import (
	"bytes"
	"errors"
	"io"
	"math"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits on what is read. A contract of a real service has about a hundred values, four deep.
const (
	// MaxSize is the largest file that is read, in bytes.
	MaxSize = 1 << 20
	// maxValues bounds what aliases may blow a small file up to.
	maxValues = 20_000
	// maxJudged bounds what CUE has to judge, at up to a millisecond each where something is wrong. Free values, such as
	// settings, do not count.
	maxJudged = 4_000
	// maxDepth bounds nesting.
	maxDepth = 64
)

// reader turns one file into nodes, collecting what is wrong with it as data. What is wrong with it as a contract is
// found later.
type reader struct {
	report *report
	source []byte
	lines  []int // offset of each line
	values int
	full   bool // too many values, which was reported
	open   map[*yaml.Node]bool
	marks  map[int][]int // of long lines, by number; see yamlPosition
}

// read returns nil if the file cannot be understood at all; the report then says why.
func read(source []byte, report *report) *node {
	r := &reader{report: report, source: source, open: map[*yaml.Node]bool{}, marks: map[int][]int{}}
	if len(source) > MaxSize {
		report.add(position{}, "", "the file has %d bytes; the limit is %d (1 MiB)", len(source), MaxSize)
		return nil
	}
	if at := invalidUTF8(source); at >= 0 {
		r.indexLines()
		report.add(r.at(at), "", "the file is not UTF-8 text: byte 0x%02x", source[at])
		return nil
	}
	r.indexLines()
	switch strings.ToLower(path.Ext(report.file)) {
	case ".json":
		return r.json()
	case ".cue":
		return r.cue()
	default:
		return r.yaml()
	}
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		c, size := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (r *reader) indexLines() {
	r.lines = []int{0}
	for i, c := range r.source {
		if c == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
}

// line returns the bytes of a line, counted from 1, without its end.
func (r *reader) line(n int) []byte {
	if n < 1 || n > len(r.lines) {
		return nil
	}
	line := r.source[r.lines[n-1]:]
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i]
	}
	return line
}

// at turns an offset into a position.
func (r *reader) at(offset int) position {
	line := sort.Search(len(r.lines), func(i int) bool { return r.lines[i] > offset })
	return position{line, offset - r.lines[line-1] + 1}
}

// count admits one more value. It reports the first that is one too many.
func (r *reader) count(pos position, path string, depth int) bool {
	if r.full {
		return false
	}
	r.values++
	switch {
	case r.values > maxValues:
		r.report.add(pos, path, "the file holds more than %d values, aliases counted as often as they are used", maxValues)
		r.full = true
	case depth > maxDepth:
		r.report.add(pos, path, "nested more than %d levels deep", maxDepth)
		return false
	}
	return !r.full
}

// setNumber makes n a number if it can be kept as it is written.
func (r *reader) setNumber(n *node, value float64, exact bool) {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		r.notFinite(n)
	case n.whole && !exact:
		r.report.add(n.pos, n.path, "%s cannot be kept exactly: whole numbers must be within +-2^53, or be written as text in quotes", shorten(n.text))
	default:
		n.kind, n.number = kindNumber, value
	}
}

func (r *reader) notFinite(n *node) {
	r.report.add(n.pos, n.path, "%s is not a finite number: must be within +-1.7e308", shorten(n.text))
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// yaml reads one YAML document, straight from the YAML parser's tree: cuelang.org/go/encoding/yaml takes quadratic time
// on merge keys and counts columns of lines that are not ASCII wrongly.
func (r *reader) yaml() *node {
	decoder := yaml.NewDecoder(bytes.NewReader(r.source))
	var document yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) || err == nil && emptyDocument(&document) {
		r.report.add(position{}, "", "the file is empty: a contract states at least service_id, name, version and capabilities")
		return nil
	}
	if err != nil {
		r.syntax(err)
		return nil
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		r.report.add(r.yamlPosition(&second), "", "a second YAML document begins here: a file holds one contract")
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	return r.yamlNode(document.Content[0], "", 0)
}

func emptyDocument(document *yaml.Node) bool {
	return len(document.Content) != 1 || document.Content[0].Kind == yaml.ScalarNode && document.Content[0].Tag == "!!null" && document.Content[0].Value == ""
}

var (
	yamlErrorLine     = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	yamlUnknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced`)
)

// syntax reports the parser's complaint. It gives a line at most, and a tab in the indentation, the commonest slip,
// hides behind wording nobody understands.
func (r *reader) syntax(err error) {
	message, at := err.Error(), 1 // the first line's number is left out
	if parts := yamlErrorLine.FindStringSubmatch(strings.ReplaceAll(message, "\n", " ")); parts != nil {
		message = parts[2]
		if line, err := strconv.Atoi(parts[1]); err == nil {
			at = line
		}
	}
	if anchor := yamlUnknownAnchor.FindStringSubmatch(message); anchor != nil {
		if offset := bytes.Index(r.source, []byte("*"+anchor[1])); offset >= 0 {
			r.report.add(r.at(offset), "", "not YAML: %s", message)
			return
		}
	}
	for i := max(1, at-1); i <= min(len(r.lines), at+1); i++ {
		line := r.line(i)
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
			r.report.add(position{i, tab + 1}, "", "not YAML: indented with a tab; only spaces are allowed")
			return
		}
	}
	line := r.line(at)
	r.report.add(position{at, 1 + len(line) - len(bytes.TrimLeft(line, " "))}, "", "not YAML: %s", message)
}

// markEvery is how many characters of a line lie between two marks.
const markEvery = 256

// yamlPosition finds the byte column of a node, whose own column counts characters. Marks keep a line of many nodes, such
// as a vector, from being read through for each of them.
func (r *reader) yamlPosition(n *yaml.Node) position {
	line, left := r.line(n.Line), n.Column-1
	marks := r.marks[n.Line]
	if marks == nil && left >= markEvery {
		marks = lineMarks(line)
		r.marks[n.Line] = marks
	}
	column := 0
	if i := min(left/markEvery, len(marks)-1); i >= 0 && marks != nil {
		column, left = marks[i], left-i*markEvery
	}
	for ; left > 0 && column < len(line); left-- {
		_, size := utf8.DecodeRune(line[column:])
		column += size
	}
	return position{n.Line, column + 1}
}

// lineMarks returns the offset of every markEvery-th character of line, from the first.
func lineMarks(line []byte) []int {
	var marks []int
	for i, offset := 0, 0; offset < len(line) || i == 0; i++ {
		if i%markEvery == 0 {
			marks = append(marks, offset)
		}
		_, size := utf8.DecodeRune(line[offset:])
		offset += max(size, 1)
	}
	return marks
}

func (r *reader) yamlNode(y *yaml.Node, path string, depth int) *node {
	n := &node{pos: r.yamlPosition(y), path: path}
	if !r.count(n.pos, path, depth) {
		return n
	}
	switch y.Kind {
	case yaml.MappingNode:
		return r.yamlObject(y, n, depth)
	case yaml.SequenceNode:
		n.kind = kindList
		for i, item := range y.Content {
			n.items = append(n.items, r.yamlNode(item, nth(path, i), depth+1))
		}
		return n
	case yaml.AliasNode:
		// The value stands where it is used: that is the line its author has to change.
		if r.open[y.Alias] {
			r.report.add(n.pos, path, "alias *%s stands within its own anchor", shorten(y.Value))
			return n
		}
		r.open[y.Alias] = true
		defer delete(r.open, y.Alias)
		return r.yamlNode(y.Alias, path, depth+1)
	default:
		return r.yamlScalar(y, n)
	}
}

func (r *reader) yamlObject(y *yaml.Node, n *node, depth int) *node {
	n.kind = kindObject
	seen := map[string]position{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		pos := r.yamlPosition(y.Content[i])
		switch {
		case key.ShortTag() == "!!merge":
			merges = append(merges, value)
			continue
		case key.Kind != yaml.ScalarNode:
			r.report.add(pos, n.path, "a field's name must be text")
			continue
		}
		r.member(n, seen, key.Value, pos, func(path string) *node { return r.yamlNode(value, path, depth+1) })
	}
	for _, merge := range merges {
		r.yamlMerge(merge, n, seen, depth)
	}
	return n
}

// member adds a field unless there is one of that name.
func (r *reader) member(n *node, seen map[string]position, name string, pos position, read func(path string) *node) {
	path := join(n.path, name)
	if first, twice := seen[name]; twice {
		r.report.add(pos, path, "field %s is given twice: first on line %d", quoteShort(name), first.line)
		return
	}
	seen[name] = pos
	n.add(&field{name, pos, read(path)})
}

// yamlMerge takes over what `<<` names; what the object says itself goes before, and earlier merges before later ones.
func (r *reader) yamlMerge(y *yaml.Node, n *node, seen map[string]position, depth int) {
	pos := r.yamlPosition(y)
	if y.Kind == yaml.SequenceNode {
		for _, item := range y.Content {
			r.yamlMerge(item, n, seen, depth+1)
		}
		return
	}
	// Reading counts the values and bounds the depth, also where a merge leads back into itself.
	merged := r.yamlNode(y, n.path, depth+1)
	if merged.kind != kindObject {
		if merged.kind != kindBroken {
			r.report.add(pos, n.path, "<< must name an object or a list of objects")
		}
		return
	}
	for _, f := range merged.fields {
		if _, has := seen[f.name]; !has {
			seen[f.name] = f.pos
			n.add(f)
		}
	}
}

func (r *reader) yamlScalar(y *yaml.Node, n *node) *node {
	n.text = y.Value
	switch tag := y.ShortTag(); tag {
	case "!!null":
		n.kind = kindNull
	case "!!bool":
		n.kind, n.truth = kindBool, strings.EqualFold(y.Value, "true")
	case "!!str", "!!timestamp":
		n.kind = kindText
		// The parser takes a number that float64 cannot hold for text.
		if _, err := strconv.ParseFloat(y.Value, 64); y.Style == 0 && errors.Is(err, strconv.ErrRange) {
			n.kind = kindBroken
			r.notFinite(n)
		}
	case "!!int", "!!float":
		n.whole = tag == "!!int"
		r.yamlNumber(y, n)
	default:
		r.report.add(n.pos, n.path, "the YAML tag %s is not allowed: contracts hold text, numbers, booleans, lists and objects", shorten(tag))
		return n
	}
	return n
}

func (r *reader) yamlNumber(y *yaml.Node, n *node) {
	if n.whole {
		var whole int64
		if err := y.Decode(&whole); err == nil {
			r.setNumber(n, float64(whole), -1<<53 <= whole && whole <= 1<<53)
			return
		}
	}
	var value float64
	if err := y.Decode(&value); err != nil {
		r.notFinite(n)
		return
	}
	r.setNumber(n, value, false)
}
