package gateway_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// burster is a machine that takes several frames in one event, and writes down how many came.
type burster struct {
	machine
	bursts []int
}

func (*burster) TakesMore() bool { return true }

func (b *burster) Step(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
	more := ev.More
	ev.More = nil
	reply, err := b.machine.Step(ctx, state, ev)
	if ev.Kind == adapter.KindFrame {
		b.bursts = append(b.bursts, 1+len(more))
	}
	for _, f := range more {
		var next adapter.Reply
		if next, err = b.machine.Step(ctx, reply.State, adapter.Event{Kind: ev.Kind, Name: f.Name, Data: f.Data}); err != nil {
			break
		}
		reply.State, reply.Actions = next.State, append(reply.Actions, next.Actions...)
	}
	return reply, err
}

// What came together goes to the adapter together and to the caller in one piece. What has not wholly come is not waited for
// while something is there: a sign of life behind a frame must not hold it up.
func TestABurstOfFramesIsOneStep(t *testing.T) {
	for framing, in := range map[string]struct{ burst, rest string }{
		"sse":    {"data: a\n\ndata: b\n\n: alive\n\ndata: c\n\n: alive\n\ndata: d\n", "\ndata: e\n\n"},
		"ndjson": {"a\nb\n\nc\nd", "\ne\n"},
	} {
		t.Run(framing, func(t *testing.T) {
			got := make(chan struct{})
			server := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, in.burst)
				w.(http.Flusher).Flush()
				<-got // the caller has the burst before the rest is written
				io.WriteString(w, in.rest)
			})
			b := &burster{machine: caller(adapter.Action{URL: "/", Framing: framing})}
			var pieces []string
			out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Stream: true, Adapter: b,
				Emit: func(d *caiov1.Delta) error {
					if pieces = append(pieces, d.GetText()); len(pieces) == 1 {
						close(got)
					}
					return nil
				}})
			if e != nil || body(out) != "abcde" || strings.Join(pieces, "") != "abcde" {
				t.Fatalf("%q, %q, %v", pieces, body(out), e)
			}
			if !slices.Equal(b.bursts, []int{3, 2}) || pieces[0] != "abc" {
				t.Errorf("bursts of %v, pieces %q", b.bursts, pieces)
			}
		})
	}
}
