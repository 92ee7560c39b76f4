package trace_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// filled returns a log of n traces, one a second from second 0 on, with changing tenant and status.
func filled(t testing.TB, n int) *trace.Log {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	for i := range n {
		m := newTrace(t, int64(i))
		m.Request.Principal.Tenant = []string{"acme", "globex"}[i%2]
		m.Status = []string{"ok", "refused", "failed"}[i%3]
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func TestPagesAreNewestFirstAndEndWithoutAToken(t *testing.T) {
	l := filled(t, 60)
	q := trace.Query{Tenant: "acme", Status: "ok", Service: "slow", Since: time.Unix(6, 0), Until: time.Unix(54, 0), Limit: 3}
	var got []int64
	for page := 0; ; page++ {
		traces, next, err := l.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range traces {
			got = append(got, s.Trace.Time.Seconds)
		}
		if next == "" {
			break
		}
		if len(traces) != 3 {
			t.Errorf("page %d has %d traces", page, len(traces))
		}
		q.Token = next
		q.Limit = 3 + page%2 // the size may change from page to page
	}
	if want := []int64{48, 42, 36, 30, 24, 18, 12, 6}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A thousand large traces in one page are gigabytes, which any caller could ask for.
func TestAPageOfLargeTracesEndsEarly(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	const traces, size = 90, 1 << 20
	for i := range traces {
		m := newTrace(t, int64(i))
		m.Error = &caiov1.Error{Code: "INTERNAL", Message: strings.Repeat("x", size)}
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	want, pages := int64(traces), 0
	for q := (trace.Query{Limit: trace.MaxLimit}); ; pages++ {
		list, next, err := l.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, s := range list {
			if want--; s.Trace.Time.Seconds != want {
				t.Fatalf("got the trace of second %d, want %d", s.Trace.Time.Seconds, want)
			}
			sum += len(s.Raw)
		}
		if sum > trace.MaxRaw || len(list) == 0 {
			t.Errorf("page %d has %d traces of %d bytes", pages, len(list), sum)
		}
		if q.Token = next; next == "" {
			break
		}
	}
	if want != 0 || pages > 6 {
		t.Errorf("%d traces are missing after %d pages", want, pages)
	}
}

func TestAFullLastPageHasNoToken(t *testing.T) {
	l := filled(t, 50)
	traces, next, err := l.List(t.Context(), trace.Query{})
	if err != nil || len(traces) != trace.DefaultLimit || next != "" {
		t.Errorf("%d traces, token %q, %v", len(traces), next, err)
	}
}

func TestATracesArrivalBetweenPagesRepeatsNothing(t *testing.T) {
	l := filled(t, 10)
	first, next, err := l.List(t.Context(), trace.Query{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), newTrace(t, 100), trace.Durable); err != nil {
		t.Fatal(err)
	}
	second, _, err := l.List(t.Context(), trace.Query{Limit: 5, Token: next})
	if err != nil || len(second) != 5 {
		t.Fatalf("%d traces, %v", len(second), err)
	}
	if first[4].Sequence != 5 || second[0].Sequence != 4 || second[4].Sequence != 0 {
		t.Errorf("pages end with %d, begin with %d, end with %d", first[4].Sequence, second[0].Sequence, second[4].Sequence)
	}
}

func TestATokenServesNoOtherQueryAndNoForger(t *testing.T) {
	l := filled(t, 10)
	q := trace.Query{Tenant: "acme", Limit: 2}
	_, token, err := l.List(t.Context(), q)
	if err != nil || token == "" {
		t.Fatalf("%q, %v", token, err)
	}
	for name, other := range map[string]trace.Query{
		"another tenant": {Tenant: "globex"}, "every tenant": {}, "another status": {Tenant: "acme", Status: "ok"},
		"another service": {Tenant: "acme", Service: "fast"}, "another time": {Tenant: "acme", Since: time.Unix(1, 0)},
		"a request": {Tenant: "acme", RequestID: "r"}, "a rule": {Tenant: "acme", Rule: "r"}, "violations": {Tenant: "acme", Violations: true},
		"slow ones": {Tenant: "acme", MinDurationMs: 1}, "dear ones": {Tenant: "acme", MinCost: 1},
	} {
		other.Token = token
		if _, _, err := l.List(t.Context(), other); !errors.Is(err, trace.ErrToken) {
			t.Errorf("%s: %v, want ErrToken", name, err)
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	forged := []string{"x", "!!", token + "A", token[:len(token)-1], " " + token}
	for i := range raw {
		raw[i] ^= 0x10
		forged = append(forged, base64.RawURLEncoding.EncodeToString(raw))
		raw[i] ^= 0x10
	}
	for _, f := range forged {
		q.Token = f
		if _, _, err := l.List(t.Context(), q); !errors.Is(err, trace.ErrToken) {
			t.Errorf("token %q: %v, want ErrToken", f, err)
		}
	}
}

func TestPageSizesOutOfRangeAreRefused(t *testing.T) {
	l := filled(t, 1)
	for _, limit := range []int{-1, trace.MaxLimit + 1} {
		if _, _, err := l.List(t.Context(), trace.Query{Limit: limit}); !errors.Is(err, trace.ErrInvalid) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestTimesBeyondWhatIsStoredSelectAllOrNothing(t *testing.T) {
	l := filled(t, 3)
	long := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	ancient := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		q    trace.Query
		want int
	}{{trace.Query{Since: ancient, Until: long}, 3}, {trace.Query{Since: long}, 0}, {trace.Query{Until: ancient}, 0}} {
		got, _, err := l.List(t.Context(), c.q)
		if err != nil || len(got) != c.want {
			t.Errorf("%v: %d traces, %v; want %d", c.q, len(got), err, c.want)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	l := filled(f, 10)
	_, token, err := l.List(f.Context(), trace.Query{Limit: 2})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("")
	f.Add("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		traces, _, err := l.List(t.Context(), trace.Query{Limit: 2, Token: s})
		if err != nil && !errors.Is(err, trace.ErrToken) {
			t.Errorf("token %q: %v", s, err)
		}
		if err == nil && s != "" && s != token && len(traces) > 0 {
			t.Errorf("token %q was never given out and served %d traces", s, len(traces))
		}
	})
}

func Example() {
	log, err := trace.Open(trace.NewMemory(), trace.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	id, err := trace.NewID(time.Unix(1_800_000_000, 0), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	err = log.Append(ctx, &caiov1.Trace{TraceId: id, Time: timestamppb.New(time.Unix(1_800_000_000, 0)), Status: "refused"}, trace.Durable)
	if err != nil {
		fmt.Println(err)
		return
	}
	refused, next, err := log.List(ctx, trace.Query{Status: "refused"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(refused), refused[0].Sequence, refused[0].Trace.TraceId == id, next == "")
	// Output: 1 0 true true
}
