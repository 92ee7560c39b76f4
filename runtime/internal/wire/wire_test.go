package wire_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// reason writes r as the house writes its messages.
func reason(w *wire.Writer, r *caiov1.Reason) {
	if r.Facts != nil {
		mark := w.Len()
		w.Struct(r.Facts)
		w.Message(7, mark)
	}
	w.String(6, r.Message)
	w.Int(5, int64(r.Line))
	w.String(4, r.File)
	w.String(3, r.Title[:len(r.Title)/2], r.Title[len(r.Title)/2:])
	w.String(2, r.Package)
	w.String(1, r.Rule)
}

func candidate(w *wire.Writer, c *caiov1.Candidate) {
	if c.History != nil {
		mark := w.Len()
		w.Double(2, c.History.Failures)
		w.Double(1, c.History.Requests)
		w.Message(7, mark)
	}
	if c.Score != nil {
		w.PresentDouble(4, *c.Score)
	}
	for i := len(c.Reasons) - 1; i >= 0; i-- {
		if i%2 == 1 {
			if err := w.Proto(3, c.Reasons[i]); err != nil {
				panic(err)
			}
			continue
		}
		mark := w.Len()
		reason(w, c.Reasons[i])
		w.Message(3, mark)
	}
	w.String(1, c.ServiceId)
}

// dice makes messages in which zero, empty and long are frequent.
type dice struct{ *rand.Rand }

func (d dice) text() string {
	switch d.IntN(5) {
	case 0:
		return ""
	case 1:
		return strings.Repeat("long ", d.IntN(60)) // over and under one byte of length
	case 2:
		return strings.Repeat("x", 16380+d.IntN(10)) // two bytes and three
	default:
		return []string{"a", "é", "\U0001F680", "b\x00c", "latency"}[d.IntN(5)]
	}
}

func (d dice) number() float64 {
	return []float64{0, math.Copysign(0, -1), 1, -1.5, math.MaxFloat64, math.SmallestNonzeroFloat64, d.Float64()}[d.IntN(7)]
}

func (d dice) value(depth int) *structpb.Value {
	switch d.IntN(6 + 2*min(1, depth)) {
	case 0:
		return structpb.NewNullValue()
	case 1:
		return structpb.NewBoolValue(d.IntN(2) == 0)
	case 2, 3:
		return structpb.NewNumberValue(d.number())
	case 4, 5:
		return structpb.NewStringValue(d.text())
	case 6:
		return structpb.NewStructValue(d.object(depth - 1))
	default:
		list := &structpb.ListValue{}
		for range d.IntN(4) {
			list.Values = append(list.Values, d.value(depth-1))
		}
		return structpb.NewListValue(list)
	}
}

func (d dice) object(depth int) *structpb.Struct {
	s := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for range d.IntN(20) { // more and fewer than fit without memory of their own
		s.Fields[d.text()+string(rune('a'+d.IntN(26)))] = d.value(depth)
	}
	return s
}

func (d dice) reason() *caiov1.Reason {
	r := &caiov1.Reason{Rule: d.text(), Package: d.text(), Title: d.text(), File: d.text(), Message: d.text(),
		Line: []int32{0, 1, 127, 128, math.MaxInt32, -1}[d.IntN(6)]}
	if d.IntN(3) > 0 {
		r.Facts = d.object(2)
	}
	return r
}

func (d dice) candidate() *caiov1.Candidate {
	c := &caiov1.Candidate{ServiceId: d.text()}
	if d.IntN(2) == 0 {
		c.Score = proto.Float64(d.number())
		c.History = &caiov1.History{Requests: d.number(), Failures: d.number()}
	}
	for range d.IntN(4) {
		c.Reasons = append(c.Reasons, d.reason())
	}
	return c
}

func TestWhatIsWrittenIsWhatProtobufWrites(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	var w wire.Writer // one for all: what was there before must not show
	for range 2000 {
		want := d.candidate()
		w.Reset()
		candidate(&w, want)
		same(t, w.Bytes(), want, &caiov1.Candidate{})
	}
}

// same holds raw against want's own serialization, and against what comes of reading it.
func same(t *testing.T, raw []byte, want, read proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(raw, read); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(read, want) {
		t.Fatalf("reads as\n%v, want\n%v", read, want)
	}
	other, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, other) {
		t.Fatalf("%v\nis %x, protobuf writes %x", want, raw, other)
	}
}

func TestEveryKindOfEntryIsAStructs(t *testing.T) {
	var w wire.Writer
	w.StringsEntry("texts", []string{"", "b"})
	w.StringEntry("text", "two ", "parts")
	mark := w.Len()
	w.NumberElement(2)
	w.StringElement("")
	w.NumberElement(0)
	w.List(mark)
	w.Entry("numbers", mark)
	w.NumberEntry("number", 0)
	w.NullEntry("null")
	mark = w.Len()
	w.BoolEntry("inner", true)
	w.Object(mark)
	w.Entry("map", mark)
	w.BoolEntry("boolean", false)
	want, err := structpb.NewStruct(map[string]any{
		"texts": []any{"", "b"}, "text": "two parts", "numbers": []any{0., "", 2.}, "number": 0., "null": nil,
		"map": map[string]any{"inner": true}, "boolean": false,
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, w.Bytes(), want, &structpb.Struct{})
}

func TestWhatProtobufCannotWriteLeavesNothing(t *testing.T) {
	var w wire.Writer
	w.String(1, "before")
	before := bytes.Clone(w.Bytes())
	if err := w.Proto(3, &caiov1.Reason{Rule: "not \xff UTF-8"}); err == nil || !bytes.Equal(w.Bytes(), before) {
		t.Errorf("%v, wrote %x", err, w.Bytes())
	}
}

func FuzzStruct(f *testing.F) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	for seeds := 0; seeds < 5; {
		raw, err := proto.Marshal(d.object(3))
		if err != nil {
			f.Fatal(err)
		}
		if len(raw) < 1000 { // the fuzzer is slow on long ones
			f.Add(raw)
			seeds++
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s structpb.Struct
		if (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &s) != nil {
			return
		}
		var w wire.Writer
		w.Struct(&s)
		same(t, w.Bytes(), &s, &structpb.Struct{})
	})
}
