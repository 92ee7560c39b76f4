package trace_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// impatient is a storage whose caller leaves once an erasure has begun.
type impatient struct {
	*trace.Memory
	leave context.CancelFunc
}

func (s impatient) Erase(ctx context.Context, e trace.Erasing) error {
	s.leave()
	return s.Memory.Erase(ctx, e)
}

// TestAnErasureThatIsRecordedIsMade although its caller leaves meanwhile.
func TestAnErasureThatIsRecordedIsMade(t *testing.T) {
	for range 20 {
		ctx, leave := context.WithCancel(t.Context())
		l, err := trace.Open(impatient{trace.NewMemory(), leave}, trace.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := newTrace(t, 100)
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
		if n, _, err := l.Erase(ctx, time.Unix(200, 0), rand.Reader, trace.Erasure{TraceID: m.TraceId}); n != 1 || err != nil {
			t.Errorf("erased %d, %v", n, err)
		}
		if _, err := l.Get(t.Context(), m.TraceId); !errors.Is(err, trace.ErrErased) {
			t.Errorf("it is recorded as erased, and is %v", err)
		}
		l.Close()
	}
}
