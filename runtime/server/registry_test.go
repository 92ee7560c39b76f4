package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func registration(source string) *connect.Request[caiov1.RegisterRequest] {
	return connect.NewRequest(&caiov1.RegisterRequest{Form: &caiov1.RegisterRequest_Source{
		Source: &caiov1.Source{Content: []byte(source), Filename: "mine.yaml"}}})
}

func TestAContractComesGoesAndChanges(t *testing.T) {
	h := newHouse(t, setup{})
	api := h.api(h.keys.token(t, "", "operator"))
	registered, err := api.registry.Register(t.Context(), registration(service("one", "")))
	must(t, err)
	if s := registered.Msg.GetService(); s.GetRevision() != 1 || s.GetDigest() == "" || s.GetContract().GetPrivacy().GetDataLocality() != "cloud" {
		t.Errorf("registered %v", s)
	}
	_, err = api.registry.Register(t.Context(), registration(service("one", "")))
	if e, code := errorOf(t, err); e.GetCode() != "SERVICE_EXISTS" || code != connect.CodeAlreadyExists {
		t.Errorf("registered twice: %v", err)
	}
	updated, err := api.registry.Update(t.Context(), connect.NewRequest(&caiov1.UpdateRequest{Form: &caiov1.UpdateRequest_Contract{
		Contract: &caiov1.Contract{ServiceId: "one", Name: "One", Version: "1.1.0", Capabilities: []*caiov1.Capability{{Type: "detect"}}}}}))
	must(t, err)
	if s := updated.Msg.GetService(); s.GetContract().GetName() != "One" || s.GetContract().GetCost().GetCurrency() != "USD" || s.GetRevision() != 2 {
		t.Errorf("updated %v", s)
	}
	got, err := api.registry.Get(t.Context(), connect.NewRequest(&caiov1.GetRequest{ServiceId: "one"}))
	must(t, err)
	if got.Msg.GetService().GetDigest() != updated.Msg.GetService().GetDigest() {
		t.Errorf("got %v", got.Msg)
	}
	removed, err := api.registry.Remove(t.Context(), connect.NewRequest(&caiov1.RemoveRequest{ServiceId: "one"}))
	must(t, err)
	if removed.Msg.GetRevision() != 3 {
		t.Errorf("removed at revision %d", removed.Msg.GetRevision())
	}
	for name, call := range map[string]func() error{
		"get": func() error {
			_, err := api.registry.Get(t.Context(), connect.NewRequest(&caiov1.GetRequest{ServiceId: "one"}))
			return err
		},
		"remove": func() error {
			_, err := api.registry.Remove(t.Context(), connect.NewRequest(&caiov1.RemoveRequest{ServiceId: "one"}))
			return err
		},
	} {
		if e, _ := errorOf(t, call()); e.GetCode() != "SERVICE_NOT_FOUND" || e.GetHint() == "" {
			t.Errorf("%s after the removal: %v", name, e)
		}
	}
}

func TestABadContractComesBackWithEveryFault(t *testing.T) {
	h := newHouse(t, setup{})
	api := h.api(h.keys.token(t, "", "operator"))
	bad := "service_id: one\nname: One\nversion: 1.0.0\ncapabilities: [detect]\nprivacy: {data_locality: moon}\nrequired_trust_level: 11\n"
	_, err := api.registry.Register(t.Context(), registration(bad))
	e, code := errorOf(t, err)
	_, faults := detailsOf(err)
	if e.GetCode() != "INVALID_CONTRACT" || code != connect.CodeInvalidArgument || len(faults.GetFaults()) != 2 {
		t.Fatalf("got %v and %v", e, faults)
	}
	for _, want := range []string{"mine.yaml:5:", "privacy.data_locality", "mine.yaml:6:", "required_trust_level"} {
		if !strings.Contains(e.GetMessage(), want) {
			t.Errorf("the message does not name %s: %s", want, e.GetMessage())
		}
	}
	if n := h.engine.Snapshot().Registry.Len(); n != 0 {
		t.Errorf("%d services are registered", n)
	}
	checked, err := api.registry.Validate(t.Context(), connect.NewRequest(&caiov1.ValidateRequest{Form: &caiov1.ValidateRequest_Source{
		Source: &caiov1.Source{Content: []byte(bad)}}}))
	must(t, err)
	if checked.Msg.GetValid() || len(checked.Msg.GetFaults()) != 2 || checked.Msg.GetFaults()[0].GetFile() != "contract.yaml" {
		t.Errorf("validated %v", checked.Msg)
	}
	message := &caiov1.Contract{ServiceId: "one", Name: "One", Version: "1.0.0", RequiredTrustLevel: 11, Capabilities: []*caiov1.Capability{{Type: "x"}}}
	checked, err = api.registry.Validate(t.Context(), connect.NewRequest(&caiov1.ValidateRequest{Form: &caiov1.ValidateRequest_Contract{Contract: message}}))
	must(t, err)
	if f := checked.Msg.GetFaults(); len(f) != 1 || f[0].GetPath() != "required_trust_level" || f[0].GetLine() != 0 || f[0].GetFile() != "" {
		t.Errorf("faults of a message: %v", f)
	}
}

func TestAGoodContractIsShownInItsNormalForm(t *testing.T) {
	h := newHouse(t, setup{})
	checked, err := h.api(h.keys.token(t, "acme")).registry.Validate(t.Context(), connect.NewRequest(&caiov1.ValidateRequest{
		Form: &caiov1.ValidateRequest_Source{Source: &caiov1.Source{Content: []byte(service("one", "guarantees: {accuracy: 0.9}"))}}}))
	must(t, err)
	if !checked.Msg.GetValid() || checked.Msg.GetContract().GetGuarantees()["accuracy"].GetBound().GetMin() != 0.9 {
		t.Errorf("got %v", checked.Msg)
	}
}

func TestListGoesThroughAllPagesInOrder(t *testing.T) {
	var contracts []string
	for i := range 7 {
		contracts = append(contracts, service(fmt.Sprintf("s%d", i), ""))
	}
	h := newHouse(t, setup{contracts: contracts})
	api := h.api(h.keys.token(t, "acme"))
	var got []string
	pages := 0
	for token := ""; ; pages++ {
		page, err := api.registry.List(t.Context(), connect.NewRequest(&caiov1.ListRequest{PageSize: 3, PageToken: token}))
		must(t, err)
		for _, s := range page.Msg.GetServices() {
			got = append(got, s.GetContract().GetServiceId())
		}
		if token = page.Msg.GetNextPageToken(); token == "" {
			break
		}
	}
	if strings.Join(got, " ") != "s0 s1 s2 s3 s4 s5 s6" || pages != 2 {
		t.Errorf("got %v after %d more pages", got, pages)
	}
}

func TestDiscoverTellsWhoMatchesAndWhyOthersDoNot(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{
		service("good", "guarantees: {accuracy: 0.95}"), service("poor", "guarantees: {accuracy: 0.5}"), chatService("other", "http://127.0.0.1:9"),
	}})
	found, err := h.api(h.keys.token(t, "acme")).registry.Discover(t.Context(), connect.NewRequest(&caiov1.DiscoverRequest{
		Capabilities: []string{"detect"}, Guarantees: map[string]*caiov1.Demand{"accuracy": {Min: new(0.9)}}}))
	must(t, err)
	if s := found.Msg.GetServices(); len(s) != 1 || s[0].GetContract().GetServiceId() != "good" {
		t.Errorf("matches %v", s)
	}
	outcomes := map[string]string{}
	for _, c := range found.Msg.GetMismatches() {
		outcomes[c.GetServiceId()] = c.GetOutcome()
		if len(c.GetReasons()) == 0 {
			t.Errorf("%s does not match for no reason", c.GetServiceId())
		}
	}
	if len(outcomes) != 2 || outcomes["poor"] != "guarantee" || outcomes["other"] != "capability" {
		t.Errorf("mismatches %v", outcomes)
	}
}

// watching returns what a watch sends, as "type id", until it ends or the test does.
func watching(t *testing.T, api *api) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, ended := make(chan string), make(chan struct{})
	stream, err := api.registry.Watch(ctx, connect.NewRequest(&caiov1.WatchRequest{}))
	must(t, err)
	go func() {
		defer close(ended)
		defer close(events)
		defer stream.Close()
		for stream.Receive() {
			m := stream.Msg()
			select {
			case events <- strings.TrimSpace(m.GetType() + " " + m.GetService().GetContract().GetServiceId()):
			case <-ctx.Done():
				return
			}
		}
		if err := stream.Err(); err != nil {
			select {
			case events <- err.Error():
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return events
}

func expect(t *testing.T, events <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := <-events; got != w {
			t.Fatalf("the watch sent %q, want %q", got, w)
		}
	}
}

func TestAWatchSendsWhatIsThereAndThenEveryChange(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	for name, api := range protocols(h, h.keys.token(t, "", "operator")) {
		t.Run(name, func(t *testing.T) {
			events := watching(t, api)
			expect(t, events, "present one", "synced")
			_, err := api.registry.Register(t.Context(), registration(service("two", "")))
			must(t, err)
			expect(t, events, "registered two")
			_, err = api.registry.Remove(t.Context(), connect.NewRequest(&caiov1.RemoveRequest{ServiceId: "two"}))
			must(t, err)
			expect(t, events, "removed two")
		})
	}
}
