package contract

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/parser"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Schema is the compiled CUE schema of contracts. It is immutable and may be used by any number of goroutines at once.
type Schema struct {
	digest   string
	contract cue.Value // #Contract: shape and rules
	authored cue.Value // #Authored
	shape    *shape    // #ContractShape
	name     *shape    // names of own guarantee types

	guarantees     []guaranteeType
	guaranteeNames []string // types, properties and short forms: what an own type must not come near to
}

// NewSchema compiles the embedded CUE (schema/cue). It takes some ten milliseconds; compile once and share. An error is
// a fault of this build, not of any input.
func NewSchema() (*Schema, error) {
	instance := build.NewContext().NewInstance("", nil)
	var all strings.Builder
	names, err := fs.Glob(schema.CUE, "cue/*.cue")
	if err != nil {
		return nil, fmt.Errorf("find the contract schema: %w", err)
	}
	for _, name := range names {
		source, err := fs.ReadFile(schema.CUE, name)
		if err != nil {
			return nil, fmt.Errorf("read the contract schema: %w", err)
		}
		file, err := parser.ParseFile(name, source, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("parse the contract schema: %w", err)
		}
		if err := instance.AddSyntax(file); err != nil {
			return nil, fmt.Errorf("resolve the contract schema: %w", err)
		}
		fmt.Fprintf(&all, "%s %d\n%s\n", name, len(source), source)
	}
	root := cuecontext.New().BuildInstance(instance)
	if err := root.Validate(); err != nil {
		return nil, fmt.Errorf("compile the contract schema: %w", err)
	}
	s := &Schema{
		digest:   schema.Digest([]byte(all.String())),
		contract: root.LookupPath(cue.ParsePath("#Contract")),
		authored: root.LookupPath(cue.ParsePath("#Authored")),
	}
	if s.shape, err = newShape(root.LookupPath(cue.ParsePath("#ContractShape"))); err != nil {
		return nil, err
	}
	own, err := newShape(root.LookupPath(cue.ParsePath("#OwnGuarantee")))
	if err != nil {
		return nil, err
	}
	if s.name, err = newShape(root.LookupPath(cue.ParsePath("#Name"))); err != nil {
		return nil, err
	}
	guarantees := s.shape.fields["guarantees"]
	guarantees.own = &member{shape: own}
	s.guarantees = newGuaranteeTypes(guarantees.shape)
	for _, t := range s.guarantees {
		s.guaranteeNames = append(s.guaranteeNames, t.name)
	}
	for _, t := range s.guarantees {
		s.guaranteeNames = append(s.guaranteeNames, t.properties...)
	}
	for name := range synonyms {
		s.guaranteeNames = append(s.guaranteeNames, name)
	}
	slices.Sort(s.guaranteeNames)
	s.guaranteeNames = slices.Compact(s.guaranteeNames)
	return s, nil
}

// Digest is the sha256, in hex, of the CUE sources. Normal forms that are stored under another digest were made by other
// rules or defaults and should be made again from their source.
func (s *Schema) Digest() string { return s.digest }

// Parse reads a contract as its author wrote it: YAML, JSON or CUE by the ending of filename (YAML for any other), in
// any of the accepted forms (see the package comment). It returns the normal form, or Faults with everything that is
// wrong, in the order of the file. filename is used for nothing else but messages; empty is "contract.yaml". Parse keeps
// a copy of source.
func (s *Schema) Parse(filename string, source []byte) (*Contract, error) {
	if filename == "" {
		filename = "contract.yaml"
	}
	r := &report{file: filename}
	root := read(source, r)
	if root == nil {
		return nil, r.err()
	}
	if root.kind != kindObject {
		r.add(root.pos, "", "%s is not a contract: must be an object of fields", root.found())
		return nil, r.err()
	}
	s.desugar(root, r)
	if s.shape.weigh(root) > maxJudged {
		r.add(root.pos, "", "the contract states more than %d values beside parameters and settings", maxJudged)
		return nil, r.err()
	}
	vectors(root, r)
	if len(r.faults) == 0 && s.known(s.shape, root) && s.unique(root) {
		if v := s.unify(root); v.Validate(cue.Concrete(true)) == nil {
			return s.finish(filename, source, root, v, r)
		}
	}
	c := &checker{schema: s, report: r, bad: map[place]bool{}}
	c.walkFields(s.shape, root)
	c.rules(root)
	if len(r.faults) == 0 {
		// CUE refused and nobody found out why: refuse as well, in CUE's words.
		r.add(root.pos, "", "the contract is not valid: %v", s.unify(root).Validate(cue.Concrete(true)))
	}
	return nil, r.err()
}

// unique tells whether no list repeats what must differ.
func (s *Schema) unique(root *node) bool {
	for name, m := range s.shape.fields {
		f := root.get(name)
		if m.unique == "" || f == nil {
			continue
		}
		seen := map[string]bool{}
		for _, item := range f.value.items {
			key := item.get(m.unique)
			if key == nil {
				continue // CUE asks for it
			}
			if seen[key.value.text] {
				return false
			}
			seen[key.value.text] = true
		}
	}
	return true
}

func (s *Schema) finish(filename string, source []byte, root *node, v cue.Value, r *report) (*Contract, error) {
	normal, err := s.normal(v, root)
	if err == nil {
		message := &caiov1.Contract{}
		if err = schema.ParseJSON(normal, message); err == nil {
			return newContract(filename, bytes.Clone(source), message)
		}
	}
	r.add(position{}, "", "the contract is valid but has no normal form: %v", err)
	return nil, r.err()
}
