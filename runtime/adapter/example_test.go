package adapter

import (
	"context"
	"fmt"
	"strings"
)

// An execution, step by step, as the gateway walks it: start, one HTTP call, its answer, the result.
func Example() {
	ctx := context.Background()
	wasm, err := shipped() // plugins/, built for wasip1
	if err != nil {
		fmt.Println(err)
		return
	}
	cache, err := sharedCache() // a directory of one's own
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := Open(ctx, Options{CacheDir: cache})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close(ctx)
	m, err := r.Load(ctx, "shipped", wasm)
	if err != nil {
		fmt.Println(err)
		return
	}
	catalog, err := NewCatalog(m)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := catalog.Find("http", "")
	if err != nil {
		fmt.Println(err)
		return
	}

	reply, err := a.Step(ctx, nil, Event{
		Kind:     KindStart,
		Intent:   []byte(`{"type":"language_detection","payload":{"text":"Bonjour"}}`),
		Contract: []byte(`{"service_id":"detector","base_url":"http://127.0.0.1:9000","endpoints":[{"path":"/detect","method":"POST"}],"settings":{"output":"/language"}}`),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	call := reply.Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))

	reply, err = a.Step(ctx, reply.State, Event{Kind: KindResponse, Status: 200, Body: []byte(`{"language":{"code":"fr"}}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(reply.Actions[0].Data))

	_, err = catalog.Find("telegraph", "")
	said, _, _ := strings.Cut(err.Error(), ";")
	fmt.Println(said)
	// Output:
	// POST http://127.0.0.1:9000/detect {"text":"Bonjour"}
	// {"output":{"code":"fr"}}
	// adapter "telegraph" is not installed
}
