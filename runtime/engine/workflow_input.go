package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

const (
	// defaultInputBytes is the size of a value whose input states no max_bytes.
	defaultInputBytes = 64 << 10
	// maxInputBytes is what all inputs of a step may bring together: as much as a caller may send.
	maxInputBytes = 4 << 20
)

func inputBytes(in *caiov1.StepInput) int {
	if in.MaxBytes > 0 {
		return int(in.MaxBytes)
	}
	return defaultInputBytes
}

// growth returns by how many bytes inputs can make an intent larger: their values, and around each what its place in the
// message takes.
func growth(inputs []*caiov1.StepInput) int {
	sum := 0
	for _, in := range inputs {
		sum += inputBytes(in) + 16*len(in.To)
	}
	return sum
}

// checkInputs tells what is wrong with inputs together.
func checkInputs(inputs []*caiov1.StepInput) error {
	taken, sum := map[string]bool{}, 0
	for _, in := range inputs {
		if taken[in.To] {
			return fmt.Errorf("two inputs go to %s", in.To)
		}
		taken[in.To] = true
		sum += inputBytes(in)
	}
	if sum > maxInputBytes {
		return fmt.Errorf("its inputs may bring %d bytes, all together at most %d are allowed; lower their max_bytes", sum, maxInputBytes)
	}
	return nil
}

// checkInput tells what is wrong with an input that can be known before its value is: where it comes from and goes to.
func checkInput(intent *caiov1.Intent, in *caiov1.StepInput) error {
	if _, err := pointer(in.Path); err != nil {
		return fmt.Errorf("inputs.path %q: %w", in.Path, err)
	}
	to, err := pointer(in.To)
	if err != nil {
		return fmt.Errorf("inputs.to %q: %w", in.To, err)
	}
	// Type and domain are what policies route by; they are the caller's to say, not a service's.
	if body := bodyName(intent); body == "" && to[0] != "payload" || body != "" && to[0] != body {
		return fmt.Errorf("inputs.to %q: it must lie in the intent's body, which is /%s", in.To, nonempty(body, "payload"))
	}
	if len(to) < 2 {
		return fmt.Errorf("inputs.to %q: it must name a place in the body, such as /payload/text", in.To)
	}
	document, err := documentOf(intent)
	if err != nil {
		return err
	}
	if err := place(document, to, ""); err != nil {
		return fmt.Errorf("inputs.to %q: %w", in.To, err)
	}
	return nil
}

func nonempty(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// fill returns intent with all inputs in their places. result gives the result of a step that is done. What comes out
// is held against the rules of the schema, as what a caller sends is.
func fill(intent *caiov1.Intent, inputs []*caiov1.StepInput, result func(step string) *caiov1.Result) (*caiov1.Intent, error) {
	document, err := documentOf(intent)
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		value, err := take(result(in.From), in)
		if err != nil {
			return nil, fmt.Errorf("input from step %s: %w", in.From, err)
		}
		to, err := pointer(in.To)
		if err != nil {
			return nil, err
		}
		if err := place(document, to, value); err != nil {
			return nil, fmt.Errorf("input to %s: %w", in.To, err)
		}
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	out := &caiov1.Intent{}
	if err := schema.ParseJSON(raw, out); err != nil {
		return nil, fmt.Errorf("the inputs do not fit into the intent: %w", err)
	}
	if err := protovalidate.Validate(out); err != nil {
		return nil, fmt.Errorf("the intent with its inputs is not valid: %w", err)
	}
	return out, nil
}

// take returns the value that in names, out of r.
func take(r *caiov1.Result, in *caiov1.StepInput) (any, error) {
	at, err := pointer(in.Path)
	if err != nil {
		return nil, err
	}
	document, err := documentOf(r)
	if err != nil {
		return nil, err
	}
	var value any = document
	for i, name := range at {
		var ok bool
		switch parent := value.(type) {
		case map[string]any:
			value, ok = parent[name]
		case []any:
			var n int
			if n, ok = index(name, len(parent)); ok {
				value = parent[n]
			}
		}
		if !ok {
			return nil, fmt.Errorf("its result has nothing at /%s", strings.Join(at[:i+1], "/"))
		}
	}
	size, err := sizeOf(value)
	if err != nil {
		return nil, err
	}
	if most := inputBytes(in); size > most {
		return nil, fmt.Errorf("%s has %d bytes, max_bytes allows %d", in.Path, size, most)
	}
	return value, nil
}

// sizeOf returns how many bytes value takes in a message: a text as many as it has, anything else as a payload holds it,
// which can be more than its JSON.
func sizeOf(value any) (int, error) {
	if text, ok := value.(string); ok {
		return len(text), nil
	}
	raw, err := json.Marshal(map[string]any{"payload": map[string]any{"": value}})
	if err != nil {
		return 0, err
	}
	holder := &caiov1.Intent{}
	if err := schema.ParseJSON(raw, holder); err != nil {
		return 0, err
	}
	return proto.Size(holder.GetPayload().GetFields()[""]), nil
}

// place puts value where to points in document. Objects below a payload are made where there are none.
func place(document map[string]any, to []string, value any) error {
	var parent any = document
	for i, name := range to[:len(to)-1] {
		var next any
		switch p := parent.(type) {
		case map[string]any:
			there := false
			if next, there = p[name]; !there && to[0] == "payload" {
				next = map[string]any{}
				p[name] = next
			}
		case []any:
			if n, ok := index(name, len(p)); ok {
				next = p[n]
			}
		}
		if next == nil {
			return fmt.Errorf("the intent has nothing at /%s", strings.Join(to[:i+1], "/"))
		}
		parent = next
	}
	last := to[len(to)-1]
	switch p := parent.(type) {
	case map[string]any:
		p[last] = value
		return nil
	case []any:
		n, ok := index(last, len(p))
		if !ok {
			return fmt.Errorf("the list there has %d elements, %s is none of them", len(p), last)
		}
		p[n] = value
		return nil
	}
	return fmt.Errorf("what stands at /%s is neither an object nor a list", strings.Join(to[:len(to)-1], "/"))
}

// pointer splits a JSON pointer (RFC 6901) other than that to the whole document.
func pointer(s string) ([]string, error) {
	if !strings.HasPrefix(s, "/") {
		return nil, fmt.Errorf("a JSON pointer begins with /, such as /output/text")
	}
	parts := strings.Split(s[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, part := range parts {
		parts[i] = unescape.Replace(part)
	}
	if slices.Contains(parts, "") {
		return nil, fmt.Errorf("it has an empty name")
	}
	return parts, nil
}

// index reads the place of an element in a list of n, as RFC 6901 writes it: digits without leading zeros.
func index(name string, n int) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && i < n && strconv.Itoa(i) == name
}

// documentOf returns m as JSON objects, numbers with all their digits.
func documentOf(m proto.Message) (map[string]any, error) {
	if !m.ProtoReflect().IsValid() {
		return map[string]any{}, nil
	}
	raw, err := schema.JSON(m)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	document := map[string]any{}
	err = decoder.Decode(&document)
	return document, err
}
