package conformance

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
)

// A tree is a JSON value that is walked without asking at each step whether there is one: what is not there is a tree of nil.
type tree struct{ v any }

// readTree reads JSON by encoding/json.
func readTree(raw []byte) (tree, error) {
	var t tree
	err := json.Unmarshal(raw, &t.v)
	return t, err
}

// get returns the field of the object under names, of several for one thing the first that is there.
func (t tree) get(names ...string) tree {
	for _, name := range names {
		if fields, ok := t.v.(map[string]any); ok && fields[name] != nil {
			return tree{fields[name]}
		}
	}
	return tree{}
}

// at returns the i-th element.
func (t tree) at(i int) tree {
	if list, ok := t.v.([]any); ok && i < len(list) {
		return tree{list[i]}
	}
	return tree{}
}

func (t tree) items() (out []tree) {
	list, _ := t.v.([]any)
	for _, v := range list {
		out = append(out, tree{v})
	}
	return out
}

func (t tree) fields() map[string]any {
	fields, _ := t.v.(map[string]any)
	return fields
}

func (t tree) there() bool { return t.v != nil }

func (t tree) text() string {
	s, _ := t.v.(string)
	return s
}

func (t tree) int() int64 {
	f, _ := t.v.(float64)
	return int64(f)
}

func (t tree) floats() (out []float64) {
	for _, v := range t.items() {
		f, _ := v.v.(float64)
		out = append(out, f)
	}
	return out
}

// json writes the value again.
func (t tree) json() string {
	raw, _ := json.Marshal(t.v)
	return string(raw)
}

// frames returns the data of a stream's frames that are JSON objects: of SSE, or of lines of JSON.
func frames(stream string) (out [][]byte) {
	for _, line := range strings.Split(stream, "\n") {
		line = strings.TrimSpace(line)
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			line = strings.TrimSpace(data)
		}
		if strings.HasPrefix(line, "{") { // else the name of an event, a comment, [DONE]
			out = append(out, []byte(line))
		}
	}
	return out
}

// vector returns the numbers of a list, or of float32, little endian, in base64.
func (t tree) vector() ([]float64, error) {
	text, ok := t.v.(string)
	if !ok {
		return t.floats(), nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	single := make([]float32, len(raw)/4)
	if _, err := binary.Decode(raw, binary.LittleEndian, single); err != nil {
		return nil, err
	}
	var out []float64
	for _, f := range single {
		out = append(out, float64(f))
	}
	return out, nil
}
