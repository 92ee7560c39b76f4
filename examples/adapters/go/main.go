// Command upper is a module with one adapter: it posts the request's intent to base_url + "/upper" and hands on the JSON object
// that comes back.
//
//	caio adapter build .
package main

import (
	"errors"

	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

type service struct{}

func (service) Info() adapter.Info {
	return adapter.Info{Name: "upper", Version: "1.0.0", Description: "Posts the request to base_url/upper"}
}

func (service) Step(_ []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		contract, err := json.Parse(ev.Contract)
		if err != nil {
			return adapter.Reply{}, err
		}
		return adapter.Do(adapter.HTTP("POST", contract.Get("base_url").Text()+"/upper", ev.Intent,
			adapter.Header{Name: "Content-Type", Value: "application/json"})), nil
	case adapter.KindResponse:
		if err := adapter.CheckStatus(ev.Status); err != nil {
			return adapter.Reply{}, err
		}
		answer, err := json.Parse(ev.Body)
		if err != nil {
			return adapter.Reply{}, errors.New("the service's answer is " + err.Error())
		}
		var w json.Writer
		w.Begin('{')
		w.Key("output")
		w.Raw(answer)
		w.End('}')
		return adapter.Do(adapter.Done(w.Bytes())), nil
	}
	return adapter.Reply{}, errors.New("an event that was not asked for")
}

// The host runs a module's initialization and its exports, never main.
func init() { adapter.Serve(service{}) }

func main() {}
