package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
)

func TestServiceAtItsLimitIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var now, most int
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			now += by
			most = max(most, now)
		}
		g, contract := bubble(t, gateway.Options{MaxQueue: 3}, func(w http.ResponseWriter, r *http.Request) {
			count(1)
			pause(r, time.Second)
			count(-1)
		})
		limit := int32(2)
		contract.Constraints.MaxConcurrentRequests = &limit
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		results := make(chan *gateway.Error, 6)
		for range 5 {
			go func() {
				_, e := execute(t.Context(), t, g, call)
				results <- e
			}()
		}
		synctest.Wait() // two at work, three in the queue
		out, e := execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeOverloaded, "limit of 2 concurrent requests")
		if !e.Retryable || out.Observed.GetCalls() != 0 {
			t.Errorf("%+v, observed %v", e, out.Observed)
		}
		for range 5 {
			if e := <-results; e != nil {
				t.Error(e)
			}
		}
		if most != 2 {
			t.Errorf("%d at once", most)
		}
		if _, e := execute(t.Context(), t, g, call); e != nil {
			t.Errorf("places were lost: %v", e)
		}
	})
}

func TestWaitingForAPlaceEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) { pause(r, time.Hour) })
		limit := int32(1)
		contract.Constraints.MaxConcurrentRequests = &limit
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan *gateway.Error)
		go func() {
			_, e := execute(ctx, t, g, call)
			ended <- e
		}()
		synctest.Wait()

		hurried, cancelHurried := context.WithTimeout(t.Context(), time.Second)
		defer cancelHurried()
		_, e := execute(hurried, t, g, call)
		wantCode(t, e, gateway.CodeOverloaded, "before the deadline")

		gone, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, hangUp)
		_, e = execute(gone, t, g, call)
		wantCode(t, e, gateway.CodeCanceled)

		cancel()
		wantCode(t, <-ended, gateway.CodeCanceled)
	})
}

func TestServiceThatTakesNothingIsNotAsked(t *testing.T) {
	contract := contractAt("http://service.test")
	contract.Constraints.MaxConcurrentRequests = new(int32)
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeOverloaded, "limit of 0")
}

func TestManyServicesAndRevisionsAtOnce(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })
	g := open(t, gateway.Options{MaxServices: 3})
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for revision := range 20 {
				contract := contractAt(server.URL)
				contract.ServiceId = fmt.Sprint("service", n%5)
				limit := int32(8 + revision%2)
				contract.Constraints.MaxConcurrentRequests = &limit
				path := fmt.Sprintf("/%d/%d", n, revision)
				out, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: path})})
				if e != nil || body(out) != path {
					t.Errorf("%s: %v, %v", path, out, e)
				}
			}
		})
	}
	all.Wait()
}
