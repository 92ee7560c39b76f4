package policy

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Files returns the files that decide, by path: what Load read, tests left out. They are what Digest is made of, and
// LoadFiles makes the same set of them. The content is shared and must not be changed.
func (s *Set) Files() Bundle { return s.files }

// Archive returns the bundle as one piece: for each file in order of its path, the path, a zero byte, the content's length
// in decimal, a zero byte and the content. The sha256 of the archive of Set.Files is Set.Digest.
func (b Bundle) Archive() []byte {
	var all bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(b)) {
		all.WriteString(name)
		all.WriteByte(0)
		all.WriteString(strconv.Itoa(len(b[name])))
		all.WriteByte(0)
		all.Write(b[name])
	}
	return all.Bytes()
}

// ReadArchive is the inverse of Bundle.Archive. The bundle shares its content with archive. It fails on what Archive does
// not make.
func ReadArchive(archive []byte) (Bundle, error) {
	b := Bundle{}
	last := ""
	for rest := archive; len(rest) > 0; {
		name, after, found := bytes.Cut(rest, []byte{0})
		digits, after, counted := bytes.Cut(after, []byte{0})
		n, err := strconv.Atoi(string(digits))
		if !found || !counted || err != nil || n < 0 || n > len(after) || strconv.Itoa(n) != string(digits) {
			return nil, fmt.Errorf("read an archive of policies: at byte %d there is no file", len(archive)-len(rest))
		}
		if len(b) > 0 && string(name) <= last {
			return nil, fmt.Errorf("read an archive of policies: the files are not in order at byte %d", len(archive)-len(rest))
		}
		last = string(name)
		b[last], rest = after[:n:n], after[n:]
	}
	return b, nil
}

// LoadFiles is Load for files that came from outside and decided once: their number and size are not bounded as a bundle's
// are, as those of a directory are not. The error is Faults.
func LoadFiles(files map[string][]byte) (*Set, error) {
	if faults := Bundle(files).misplaced(); len(faults) > 0 {
		return nil, faults.sorted()
	}
	return Load(Bundle(files).FS())
}

// ReadingIntent returns the rules of routing and security that judge those whom tenant sends and read something of the
// intent's body that is not recorded: what they say cannot be told without it. nil: none does.
func (s *Set) ReadingIntent(tenant string) []Rule {
	s = s.For(tenant)
	var rules []Rule
	for _, o := range s.where {
		if o.rule.Kind != KindGuarantee && s.readsIntent(o.inner) {
			rules = append(rules, o.rule)
		}
	}
	return rules
}
