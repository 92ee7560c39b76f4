// Package enginetest makes what a decision is made of, in any size: contracts, policies and a request that resemble those
// of an installation that has grown. Benchmarks use it, so that all speak of the same decision. It is deterministic.
//
//	size := enginetest.Small()
//	registry, err := size.Registry(schema)
//	set, err := policy.Load(size.Policies())
//	snapshot, err := engine.NewSnapshot(registry, set, policy.Factored, nil)
//	d, err := snapshot.Decide(ctx, engine.NoPast, size.Request(), seed, false)
package enginetest

import (
	"fmt"
	"io/fs"
	"strings"
	"testing/fstest"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Size is how much there is. Every number is at least 1, and Candidates divides Services.
type Size struct {
	Services   int // in the registry
	Candidates int // of them, those that offer what the request asks for
	Rules      int // in the policies, those that ship included; never fewer than those
}

// Small is an installation of some dozen services, Large one of many thousands.
func Small() Size { return Size{Services: 100, Candidates: 20, Rules: 50} }

// Large is the largest for which the house promises a time.
func Large() Size { return Size{Services: 10_000, Candidates: 1_000, Rules: 1_000} }

// origin is a contract from which all others are made by changing what they differ in: judging thousands in CUE would
// take longer than what is measured.
const origin = `
service_id: origin
name: A model behind an API
version: 1.4.0
description: Answers in text
capabilities:
  - {type: chat, parameters: {models: [large, small]}}
  - {type: summarize}
guarantees:
  accuracy: 0.9
  p95_latency_ms: 300
  availability: 0.995
  determinism: false
constraints: {requires_gpu: false, requires_internet: true, max_concurrent_requests: 64, max_tokens_per_request: 8192, context_length: 131072}
cost: {per_request: 0.001, per_token: {in: 0.000002, out: 0.000008}, currency: USD}
privacy: {data_locality: region, encryption: true, encryption_type: AES-256-GCM, compliance: [gdpr]}
alignment: {safety_class: standard}
required_permissions: [chat]
required_trust_level: 2
api: {protocol: http, base_url: "https://models.example.com/v1"}
adapter: {plugin: http}
metadata: {tags: [eu, general], category: llm, provider: vendor-0}
`

// Registry returns the services. A twentieth of the candidates, at least one, asks for more trust than the request's
// principal has, as many are dearer than its budget, as many break a rule.
func (s Size) Registry(checker *contract.Schema) (*contract.Registry, error) {
	first, err := checker.Parse("origin.yaml", []byte(origin))
	if err != nil {
		return nil, err
	}
	services := make([]*contract.Service, s.Services)
	for i := range services {
		m := proto.CloneOf(first.Message())
		s.vary(m, i)
		raw, err := schema.JSON(m)
		if err != nil {
			return nil, err
		}
		message, err := proto.Marshal(m)
		if err != nil {
			return nil, err
		}
		c, err := contract.Restore(contract.Stored{Filename: m.ServiceId + ".yaml", JSON: raw, Message: message})
		if err != nil {
			return nil, err
		}
		services[i] = &contract.Service{Contract: c, Revision: uint64(i + 1)}
	}
	return contract.NewRegistry(services...), nil
}

// vary makes m the i-th service.
func (s Size) vary(m *caiov1.Contract, i int) {
	m.ServiceId, m.Name = fmt.Sprintf("model-%05d", i), fmt.Sprintf("Model %d", i)
	m.Metadata.Provider = fmt.Sprintf("vendor-%d", i%23)
	m.Privacy.DataLocality = []string{"region", "local", "cloud", "region", "on_device"}[i%5]
	m.Guarantees["accuracy"].Bound.Min = proto.Float64(.85 + float64(i%13)/100)
	m.Guarantees["latency"].Bound.Max = proto.Float64(float64(100 + 17*(i%29)))
	m.Cost.PerRequest = proto.Float64(float64(1+i%31) / 1000)
	nth, each := i/(s.Services/s.Candidates), i%(s.Services/s.Candidates)
	if each > 0 {
		m.Capabilities[0].Type = []string{"embedding", "speech", "image", "search"}[i%4]
		return
	}
	switch nth % 20 {
	case 3:
		m.RequiredTrustLevel = 9
	case 9:
		m.Cost.PerRequest = proto.Float64(5)
	case 15:
		m.Metadata.Category = "experimental"
	}
}

// shipped is how many rules the policies that ship have.
const shipped = 25

// Policies returns the rules: those that ship, and the rest in files of 25, of the kinds that people write: about a
// tenant, a class of data, a place, a project, a price, a service alone.
func (s Size) Policies() fs.FS {
	const each = 25
	files := fstest.MapFS{}
	for from := 0; from < s.Rules-shipped; from += each {
		rego := fmt.Sprintf("package caio.routing.p%d\n\nimport rego.v1\n", from/each)
		for i := from; i < min(from+each, s.Rules-shipped); i++ {
			rego += rule(i)
		}
		files[fmt.Sprintf("routing/p%d.rego", from/each)] = &fstest.MapFile{Data: []byte(rego)}
	}
	return policies.Overlay(policies.FS(), files)
}

func rule(i int) string {
	body := []string{`
	input.request.principal.tenant == "tenant-%[1]d"
	input.service.cost.per_request > %[1]d / 10000
	input.service.privacy.data_locality != "on_device"`, `
	input.request.data.classification == "class-%[1]d"
	not input.service.privacy.encryption`, `
	input.request.data.residency == "region-%[1]d"
	not "region-%[1]d" in input.service.metadata.tags`, `
	input.request.context.attributes.project == "project-%[1]d"
	not input.service.metadata.provider in {"vendor-%[1]d", "vendor-1", "vendor-2"}`, `
	input.request.context.priority == "priority-%[1]d"
	input.service.cost.per_request * 3 > input.request.budget.max_cost`, `
	input.service.metadata.category == "%[2]s"`}[i%6]
	category := fmt.Sprintf("category-%d", i)
	if i == 5 {
		category = "experimental"
	}
	return fmt.Sprintf("\ndeny contains {\"rule\": \"r%04d\", \"message\": \"rule %d of the house\"} if {%s\n}\n", i, i,
		strings.ReplaceAll(strings.ReplaceAll(body, "%[1]d", fmt.Sprint(i)), "%[2]s", category))
}

// Request returns a chat with demands and limits, by a user of a tenant.
func (s Size) Request() *caiov1.Request {
	return &caiov1.Request{
		Capabilities: []string{"chat"},
		Guarantees: map[string]*caiov1.Demand{
			"accuracy": {Min: proto.Float64(.8)}, "latency": {Property: "p95_latency_ms", Max: proto.Float64(2000)},
		},
		Constraints:  &caiov1.Demands{ContextLength: proto.Int32(8000)},
		Budget:       &caiov1.Budget{MaxCost: 1},
		MaxLatencyMs: proto.Float64(1500),
		Data:         &caiov1.Data{ContainsPii: true, Classification: "internal", Residency: "eu"},
		Intent: &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{MaxTokens: proto.Int32(500), Messages: []*caiov1.ChatMessage{
			{Role: "system", Content: "You answer questions about invoices."},
			{Role: "user", Content: strings.Repeat("What does this invoice say? ", 20)},
		}}}},
		Principal: &caiov1.Principal{
			Subject: "u1", Tenant: "tenant-7", Roles: []string{"user"}, Permissions: []string{"chat", "search"}, TrustLevel: 5, Authenticated: true,
		},
		Context: &caiov1.Context{Priority: "normal", RequestId: "r-1"},
	}
}
