package contract

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"github.com/rogpeppe/go-internal/txtar"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestCUEAndProtoAgree walks the shape of the normal form beside the message, so that neither gets a field alone.
func TestCUEAndProtoAgree(t *testing.T) {
	s := testSchema(t)
	agree(t, "contract", s.shape, (&caiov1.Contract{}).ProtoReflect().Descriptor(), false)
	own := s.shape.fields["guarantees"].own
	guarantee := (&caiov1.Guarantee{}).ProtoReflect().Descriptor()
	agree(t, "own guarantee", own.shape, guarantee, false)
	// A known guarantee's bound has only the numbers of its type.
	for _, name := range s.shape.fields["guarantees"].names {
		agree(t, name, s.shape.fields["guarantees"].fields[name].shape, guarantee, true)
	}
}

func agree(t *testing.T, at string, s *shape, message protoreflect.MessageDescriptor, partly bool) {
	t.Helper()
	var names []string
	for i := range message.Fields().Len() {
		names = append(names, string(message.Fields().Get(i).Name()))
	}
	for _, name := range s.names {
		if !slices.Contains(names, name) {
			t.Errorf("%s: the proto has no field %s", at, name)
		}
	}
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		name := string(f.Name())
		m := s.fields[name]
		if m == nil {
			if !partly || message.Name() != "Bound" {
				t.Errorf("%s: CUE has no field %s", at, name)
			}
			continue
		}
		// What may be missing in the normal form must be able to be missing in the message.
		if m.optional && !f.HasPresence() {
			t.Errorf("%s.%s may be missing by CUE, not by the proto", at, name)
		}
		child := m.shape
		switch {
		case f.IsList() != (m.kind == cue.ListKind):
			t.Errorf("%s.%s is a list on one side only", at, name)
			continue
		case f.IsList():
			child = m.item.shape
		case f.IsMap():
			continue
		}
		if f.Kind() == protoreflect.MessageKind && f.Message().ParentFile().Package() == "caio.v1" {
			agree(t, at+"."+name, child, f.Message(), partly)
			continue
		}
		if want := cueKind(f); child.kind&want == 0 || child.kind&^want != 0 && f.Kind() != protoreflect.MessageKind {
			t.Errorf("%s.%s is %v in CUE, %v in the proto", at, name, child.kind, f.Kind())
		}
	}
}

func cueKind(f protoreflect.FieldDescriptor) cue.Kind {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return cue.BoolKind
	case protoreflect.StringKind:
		return cue.StringKind
	case protoreflect.Int32Kind:
		return cue.IntKind
	case protoreflect.DoubleKind:
		return cue.NumberKind
	default: // Struct, Value
		return cue.StructKind | cue.NumberKind | cue.StringKind | cue.BoolKind
	}
}

var quoted = regexp.MustCompile(`"([^"]*)"`)

// TestEnumsSayWhatTheyAllow: what a value may be stands twice in CUE, as alternatives and in the sentence at their end.
func TestEnumsSayWhatTheyAllow(t *testing.T) {
	s := testSchema(t)
	checked := 0
	var walk func(at string, m *member)
	walk = func(at string, m *member) {
		for _, name := range m.names {
			walk(join(at, name), m.fields[name])
		}
		if m.item != nil {
			walk(at+"[]", m.item)
		}
		if m.own != nil {
			walk(at+".own", m.own)
		}
		if m.enum == nil {
			return
		}
		checked++
		var said []string
		for _, q := range quoted.FindAllStringSubmatch(m.allowed(&node{kind: kindText, text: "no such value"}), -1) {
			said = append(said, q[1])
		}
		allowed := slices.Clone(m.enum)
		slices.Sort(said)
		slices.Sort(allowed)
		if !slices.Equal(said, allowed) {
			t.Errorf("%s allows %q and says %q", at, allowed, said)
		}
	}
	walk("", &member{shape: s.shape})
	if checked < 25 {
		t.Errorf("only %d enums found", checked)
	}
}

// TestEveryLeafSaysWhatItMustBe: whatever a field may hold, a value it may not hold gets the schema's own sentence.
func TestEveryLeafSaysWhatItMustBe(t *testing.T) {
	s := testSchema(t)
	var walk func(at string, m *member)
	walk = func(at string, m *member) {
		for _, name := range m.names {
			walk(join(at, name), m.fields[name])
		}
		if m.item != nil {
			walk(at+"[]", m.item)
		}
		if m.own != nil {
			walk(at+".own", m.own)
		}
		if m.kind == cue.StructKind || m.kind == cue.ListKind {
			return
		}
		got := m.allowed(&node{kind: kindList})
		if !strings.HasPrefix(got, "must ") || strings.HasPrefix(got, "must be of type") {
			t.Errorf("%s says %q of a list", at, got)
		}
	}
	walk("", &member{shape: s.shape})
}

// goodContracts returns every contract of TestParse's corpus that is right.
func goodContracts(t testing.TB) []*Contract {
	t.Helper()
	s := testSchema(t)
	archives, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var all []*Contract
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasPrefix(f.Name, "want/") {
				continue
			}
			if c, err := s.Parse(f.Name, f.Data); err == nil {
				all = append(all, c)
			}
		}
	}
	if len(all) < 6 {
		t.Fatalf("only %d good contracts", len(all))
	}
	return all
}

// TestNormalFormIsAFixedPoint: what is stored can be read back, by Parse and by Restore, and stays what it is.
func TestNormalFormIsAFixedPoint(t *testing.T) {
	s := testSchema(t)
	for _, c := range goodContracts(t) {
		again, err := s.Parse("again.json", c.JSON())
		if err != nil {
			t.Errorf("%s: its normal form is no contract: %v", c.Filename(), err)
			continue
		}
		if !bytes.Equal(again.JSON(), c.JSON()) {
			t.Errorf("%s: normal form changed:\n%s\n%s", c.Filename(), c.JSON(), again.JSON())
		}
		stored, err := c.Stored()
		if err != nil {
			t.Errorf("store %s: %v", c.Filename(), err)
			continue
		}
		for _, message := range [][]byte{stored.Message, nil} {
			stored.Message = message
			back, err := Restore(stored)
			if err != nil {
				t.Errorf("restore %s: %v", c.Filename(), err)
				continue
			}
			if back.Digest() != c.Digest() || back.ID() != c.ID() || !bytes.Equal(back.Source(), c.Source()) || back.Digest() != schema.Digest(c.JSON()) ||
				!bytes.Equal(back.JSON(), c.JSON()) || !proto.Equal(back.Message(), c.Message()) || back.offeredText != c.offeredText {
				t.Errorf("restore %s: another contract", c.Filename())
			}
		}
	}
}

// TestMessagesAreContractsToo: a contract registered as a message is its JSON form, in which whatever was not set is
// empty; that must mean the same as a file that is silent.
func TestMessagesAreContractsToo(t *testing.T) {
	s := testSchema(t)
	raw, err := schema.JSON(&caiov1.Contract{
		ServiceId: "m", Name: "M", Version: "1.0.0", Capabilities: []*caiov1.Capability{{Type: "chat"}},
		Guarantees: map[string]*caiov1.Guarantee{"latency": {Property: "p95_latency_ms", Bound: maxBound(5)}},
		Cost:       &caiov1.Cost{}, Privacy: &caiov1.Privacy{Encryption: true}, Api: &caiov1.Api{Endpoints: []*caiov1.Endpoint{{Path: "/"}}},
		Adapter: &caiov1.AdapterBinding{Auth: &caiov1.Auth{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Parse("message.json", raw)
	if err != nil {
		t.Fatal(err)
	}
	m := c.Message()
	if m.Privacy.DataLocality != "cloud" || m.Cost.Currency != "USD" || m.Adapter.Auth.Scheme != "none" || m.Api.Endpoints[0].Method != "POST" || m.Metadata == nil {
		t.Errorf("defaults are missing: %v", m)
	}
}

func TestRestoreRefusesWhatIsNoNormalForm(t *testing.T) {
	all := goodContracts(t)
	good := all[slices.IndexFunc(all, func(c *Contract) bool { return c.Filename() == "minimal.yaml" })]
	for name, normal := range map[string]string{
		"broken":        string(good.JSON()[1:]),
		"another field": strings.Replace(string(good.JSON()), `"name"`, `"nmae"`, 1),
		"incomplete":    `{"service_id":"x"}`,
		"nobody's":      `{}`,
		"NaN":           strings.Replace(string(good.JSON()), `"per_token":{}`, `"per_token":{"in":"NaN"}`, 1),
	} {
		if normal == string(good.JSON()) {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := Restore(Stored{Filename: "stored", JSON: []byte(normal)}); err == nil {
			t.Errorf("%s: taken back", name)
		}
	}
	stored, err := good.Stored()
	if err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string][]byte{
		"cut":         stored.Message[:len(stored.Message)-1],
		"nobody's":    {},
		"no UTF-8":    {0x0a, 1, 0xff},
		"NaN":         binaryOf(t, &caiov1.Contract{ServiceId: "x", Cost: &caiov1.Cost{PerRequest: proto.Float64(math.NaN())}}),
		"no contract": []byte("{}"),
	} {
		stored.Message = message
		if _, err := Restore(stored); err == nil {
			t.Errorf("a message, %s: taken back", name)
		}
	}
}

func binaryOf(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLimits(t *testing.T) {
	s := testSchema(t)
	const good = "service_id: a\nname: A\nversion: 1.0.0\ncapabilities: [chat]\n"
	nested := func(open, close string, n int) string { return strings.Repeat(open, n) + strings.Repeat(close, n) }
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	var merges strings.Builder // quadratic for decoders that look every key up in a list
	merges.WriteString("<<: {}\n")
	for i := range 60_000 {
		fmt.Fprintf(&merges, "k%d: 1\n", i)
	}
	for _, row := range []struct{ name, file, source, want string }{
		{"too large", "x.yaml", good + "#" + strings.Repeat("x", MaxSize), "the limit is 1048576 (1 MiB)"},
		{"as large as allowed", "x.yaml", good + "#" + strings.Repeat("x", MaxSize-len(good)-1), ""},
		{"deep YAML", "x.yaml", good + "adapter: {settings: " + nested("{a: ", "}", 500) + "}", "nested more than 64 levels deep"},
		{"deeper than YAML's parser goes", "x.yaml", strings.Repeat("[", 100_000), "exceeded max depth"},
		{"deep JSON", "x.json", `{"a": ` + nested("[", "]", 9_000) + "}", "nested more than 64 levels deep"},
		{"deeper than JSON's parser goes", "x.json", nested("[", "]", 100_000), "exceeded max depth"},
		{"deep CUE", "x.cue", "a: " + nested("[", "]", 3_000), "nested more than 64 levels deep"},
		{"deeper than CUE's parser goes", "x.cue", "a: " + strings.Repeat("[", 100_000), "not CUE"},
		{"many signs", "x.cue", "a: " + strings.Repeat("-", 200_000) + "1", "not CUE"},
		{"alias bomb", "x.yaml", bomb.String(), "more than 20000 values"},
		{"merge keys", "x.yaml", merges.String(), "more than 20000 values"},
		{"merge of itself", "x.yaml", "a: &a\n  <<: *a\n", "stands within its own anchor"},
		{"many values", "x.json", `{"a": [` + strings.Repeat("1,", 30_000) + "1]}", "more than 20000 values"},
		{"many promises", "x.yaml", good + "guarantees: {" + manyOwn(1_000) + "}", "more than 4000 values beside"},
		{"long number", "x.json", `{"a": ` + strings.Repeat("9", 100_000) + "}", "is not a finite number"},
		{"huge exponent", "x.cue", "a: 1e999999999", "is not a finite number"},
		{"not UTF-8", "x.yaml", "service_id: a\nname: \xff\n", "x.yaml:2:7: the file is not UTF-8 text: byte 0xff"},
		{"a NUL", "x.yaml", "name: a\x00b\n", "control characters"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := s.Parse(row.file, []byte(row.source))
			if row.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				text := fmt.Sprint(err)
				t.Fatalf("got %.300s, want %s", text, row.want)
			}
		})
	}
}

func manyOwn(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "own_number_%d: {property: x, min: 1}, ", i)
	}
	return b.String()
}

// TestManyFaultsAreFoundInOneGo: faults must not cost a round over the whole contract each.
func TestManyFaultsAreFoundInOneGo(t *testing.T) {
	var b strings.Builder
	b.WriteString("service_id: a\nname: A\nversion: 1.0.0\ncapabilities: [chat]\nguarantees:\n")
	for i := range 200 {
		fmt.Fprintf(&b, "  own_guarantee_number_%d: {property: x, bound: {type: min, max: 1}}\n", i)
	}
	_, err := testSchema(t).Parse("many.yaml", []byte(b.String()))
	faults, _ := err.(Faults)
	if len(faults) != 400 {
		t.Errorf("%d faults, want 400: each bound lacks min and has max", len(faults))
	}
}

func TestWhatNobodyReadsIsNotListed(t *testing.T) {
	_, err := testSchema(t).Parse("x.yaml", []byte("required_permissions: [1]\nrequired_trust_level: 3\napi: {allowed_hosts: ["+strings.Repeat("5, ", 700)+"5]}\n"))
	faults, _ := err.(Faults)
	if len(faults) != maxFaults+1 || faults[maxFaults].Message != "206 more faults are not listed" {
		t.Errorf("%d faults, the last: %v", len(faults), faults[len(faults)-1])
	}
}

// TestHeapStaysFlatOverTenThousandValidations parses good and bad contracts and compares the live heap after warming up
// with that at the end. A context that kept what it built would hold some 110 KB a
// contract, a gigabyte in all; names that no contract had before would stay in CUE's table for ever.
func TestHeapStaysFlatOverTenThousandValidations(t *testing.T) {
	rounds := 10_000
	if raceEnabled {
		rounds = 1_000 // the race detector makes it ten times slower and is there for another test
	}
	s, err := NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	validate := func(i int) error {
		source := fmt.Sprintf("service_id: s%d\nname: S\nversion: 1.0.%d\ncapabilities: [{type: c%d, parameters: {key%d: 1}}]\nguarantees: {accuracy: 0.5, own%d: {property: p%d, min: 1}}\nadapter: {settings: {a%d: {b%d: 1}}}\n", i, i, i, i, i, i, i, i)
		if _, err := s.Parse("s.yaml", []byte(source)); err != nil {
			return err
		}
		if i%20 == 0 {
			bad := source + fmt.Sprintf("privacy: {data_locality: {x%d: 1}, unknown%d: 1}\n", i, i)
			if _, err := s.Parse("bad.yaml", []byte(bad)); err == nil {
				return fmt.Errorf("%d: a bad contract was accepted", i)
			}
		}
		return nil
	}
	validateAll := func(from, to int) {
		var workers errgroup.Group
		workers.SetLimit(runtime.GOMAXPROCS(0))
		for i := from; i < to; i++ {
			workers.Go(func() error { return validate(i) })
		}
		if err := workers.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	validateAll(0, 200)
	before := liveHeap()
	validateAll(1_000, 1_000+rounds)
	after := liveHeap()
	t.Logf("live heap %d KB before, %d KB after %d validations", before>>10, after>>10, rounds)
	if grown := int64(after) - int64(before); grown > 512<<10 {
		t.Errorf("the heap grew by %d KB", grown>>10)
	}
	runtime.KeepAlive(s)
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestSchemaDigestIsOfTheSources(t *testing.T) {
	first, second := testSchema(t), func() *Schema {
		s, err := NewSchema()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}()
	if first.Digest() != second.Digest() || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(first.Digest()) {
		t.Errorf("digests %q and %q", first.Digest(), second.Digest())
	}
}

// FuzzParse: no input stops Parse, faults are in order and say something, and what is accepted is a fixed point.
func FuzzParse(f *testing.F) {
	archives, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	endings := []string{"yaml", "json", "cue"}
	for _, name := range archives {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(raw).Files {
			if at := slices.Index(endings, strings.TrimPrefix(filepath.Ext(file.Name), ".")); at >= 0 && !strings.HasPrefix(file.Name, "want/") {
				f.Add(file.Data, at)
			}
		}
	}
	s := testSchema(f)
	f.Fuzz(func(t *testing.T, source []byte, ending int) {
		if ending < 0 || ending >= len(endings) {
			return
		}
		c, err := s.Parse("f."+endings[ending], source)
		if err != nil {
			faults, ok := err.(Faults)
			if !ok || len(faults) == 0 {
				t.Fatalf("not Faults: %v", err)
			}
			seen := map[string]bool{}
			for i, fault := range faults {
				line := Line(fault)
				if fault.Message == "" || seen[line] || strings.Contains(line, "\n") && !strings.Contains(fault.File, "\n") {
					t.Fatalf("fault %q is empty, twice there, or more than a line", line)
				}
				seen[line] = true
				if i > 0 && (position{int(fault.Line), int(fault.Column)}).before(position{int(faults[i-1].Line), int(faults[i-1].Column)}) {
					t.Fatalf("faults are out of order:\n%v", err)
				}
			}
			return
		}
		again, err := s.Parse("f.json", c.JSON())
		if err != nil {
			t.Fatalf("the normal form is no contract: %v\n%s", err, c.JSON())
		}
		if !bytes.Equal(again.JSON(), c.JSON()) {
			t.Fatalf("the normal form changed:\n%s\n%s", c.JSON(), again.JSON())
		}
		stored, err := c.Stored()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Restore(stored)
		if err != nil || !proto.Equal(back.Message(), c.Message()) {
			t.Fatal(back, err)
		}
		stored.Message = nil
		if back, err = Restore(stored); err != nil || !proto.Equal(back.Message(), c.Message()) {
			t.Fatal(back, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	s := testSchema(b)
	archive, err := txtar.ParseFile("testdata/parse/good.txtar")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range archive.Files {
		if f.Name != "full.yaml" && f.Name != "minimal.yaml" {
			continue
		}
		b.Run(f.Name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(f.Data)))
			for b.Loop() {
				if _, err := s.Parse(f.Name, f.Data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bad, err := txtar.ParseFile("testdata/parse/bad.txtar")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("35-faults", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Parse("bad.yaml", bad.Files[0].Data); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

func BenchmarkRestore(b *testing.B) {
	for _, c := range goodContracts(b) {
		if c.Filename() != "full.yaml" {
			continue
		}
		stored, err := c.Stored()
		if err != nil {
			b.Fatal(err)
		}
		for name, message := range map[string][]byte{"message": stored.Message, "JSON": nil} {
			stored.Message = message
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Restore(stored); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
