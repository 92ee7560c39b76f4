package proof

import (
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Writer writes proofs as fields of a caio.v1.Decision: backwards, as all of wire, so the last proof first. The zero
// Writer is ready; it belongs to one goroutine and may be used again after a Reset.
type Writer struct {
	wire.Writer
	checks []check // memory of matching
}

// proofsField is the number of Decision.proofs.
const proofsField = 3

// put writes the proof of property that rests on e.
func put[E judged](w *Writer, property string, e E) {
	about := e.about()
	valid, err := e.holds()
	start := w.Len()
	w.Bool(6, valid && err == nil)
	mark := w.Len()
	e.write(&w.Writer)
	w.Message(5, mark)
	words, _ := wordsOf(property)
	w.String(4, words.method)
	w.String(3, words.before, about, words.after)
	w.String(2, property)
	w.String(1, words.step)
	w.Message(proofsField, start)
}

// messages returns as messages what write writes.
func messages(write func(*Writer)) []*caiov1.Proof {
	var w Writer
	write(&w)
	d := &caiov1.Decision{}
	if err := proto.Unmarshal(w.Bytes(), d); err != nil {
		// Only text that is not UTF-8 comes to this, which no message may hold; a proof of nothing holds nothing.
		return []*caiov1.Proof{{}}
	}
	return d.Proofs
}

func message(write func(*Writer)) *caiov1.Proof { return messages(write)[0] }
