package engine

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// differ says where two decisions about the same request, services and past differ for the policies by which they were
// made. moved: another service, or another refusal. Of a service that falls by routing rules a decision does not tell
// what security's say, so these are compared only where neither set's routing rules refuse it.
func differ(before, after *caiov1.Decision) (d *caiov1.Difference, moved bool) {
	d = &caiov1.Difference{Before: verdictOf(before), After: verdictOf(after)}
	moved = d.Before.ServiceId != d.After.ServiceId || d.Before.Code != d.After.Code
	was, is := refusalsOf(before), refusalsOf(after)
	for change := range is.rules {
		if !was.rules[change] && !(change.security && was.routed[change.service]) {
			d.Rules = append(d.Rules, &caiov1.RuleChange{Rule: change.rule, ServiceId: change.service, Added: true})
		}
	}
	for change := range was.rules {
		if !is.rules[change] && !(change.security && is.routed[change.service]) {
			d.Rules = append(d.Rules, &caiov1.RuleChange{Rule: change.rule, ServiceId: change.service})
		}
	}
	slices.SortFunc(d.Rules, func(a, b *caiov1.RuleChange) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.ServiceId, b.ServiceId))
	})
	return d, moved
}

func verdictOf(d *caiov1.Decision) *caiov1.Verdict {
	return &caiov1.Verdict{ServiceId: d.GetServiceId(), Code: d.GetError().GetCode()}
}

// A refusalBy is a rule that refuses a service.
type refusalBy struct {
	rule, service string
	security      bool
}

type refusals struct {
	rules  map[refusalBy]bool
	routed map[string]bool // services that routing rules refuse
}

func refusalsOf(d *caiov1.Decision) refusals {
	r := refusals{map[refusalBy]bool{}, map[string]bool{}}
	for _, c := range d.GetCandidates() {
		if c.GetOutcome() != "rule" && c.GetOutcome() != "security" {
			continue
		}
		r.routed[c.GetServiceId()] = c.GetOutcome() == "rule"
		for _, reason := range c.GetReasons() {
			r.rules[refusalBy{reason.GetRule(), c.GetServiceId(), c.GetOutcome() == "security"}] = true
		}
	}
	return r
}

// maxCounted bounds the rules, services and tenants that are counted by name; what comes later is counted in the sums
// alone.
const maxCounted = 1000

// maxChanges bounds the rules that one difference lists.
const maxChanges = 50

// differences counts where two policy sets differ. Used by one goroutine at a time.
type differences struct {
	compared, moved int64
	rules           map[string]*caiov1.RuleCount
	services        map[string]*caiov1.ServiceCount
	tenants         map[string]*caiov1.TenantCount
}

func newDifferences() *differences {
	return &differences{rules: map[string]*caiov1.RuleCount{}, services: map[string]*caiov1.ServiceCount{}, tenants: map[string]*caiov1.TenantCount{}}
}

func (n *differences) add(d *caiov1.Difference, moved bool) {
	n.compared++
	tenant := counted(n.tenants, d.Tenant, func() *caiov1.TenantCount { return &caiov1.TenantCount{Tenant: d.Tenant} })
	tenant.Compared++
	for _, change := range d.Rules {
		c := counted(n.rules, change.Rule, func() *caiov1.RuleCount { return &caiov1.RuleCount{Rule: change.Rule} })
		if change.Added {
			c.Added++
		} else {
			c.Dropped++
		}
	}
	if !moved {
		return
	}
	n.moved++
	tenant.Moved++
	if d.Before.ServiceId != d.After.ServiceId {
		service := func(id string) *caiov1.ServiceCount {
			return counted(n.services, id, func() *caiov1.ServiceCount { return &caiov1.ServiceCount{ServiceId: id} })
		}
		service(d.Before.ServiceId).Lost++
		service(d.After.ServiceId).Gained++
	}
}

// counted returns the count of name; one that is thrown away if there are too many.
func counted[C any](counts map[string]*C, name string, fresh func() *C) *C {
	c := counts[name]
	if c == nil {
		if c = fresh(); len(counts) < maxCounted {
			counts[name] = c
		}
	}
	return c
}

// message returns the counts so far, sorted. The message is the caller's own.
func (n *differences) message() *caiov1.Differences {
	m := &caiov1.Differences{Compared: n.compared, Moved: n.moved}
	for _, name := range slices.Sorted(maps.Keys(n.rules)) {
		c := n.rules[name]
		m.Rules = append(m.Rules, &caiov1.RuleCount{Rule: c.Rule, Added: c.Added, Dropped: c.Dropped})
	}
	for _, name := range slices.Sorted(maps.Keys(n.services)) {
		c := n.services[name]
		m.Services = append(m.Services, &caiov1.ServiceCount{ServiceId: c.ServiceId, Gained: c.Gained, Lost: c.Lost})
	}
	for _, name := range slices.Sorted(maps.Keys(n.tenants)) {
		c := n.tenants[name]
		m.Tenants = append(m.Tenants, &caiov1.TenantCount{Tenant: c.Tenant, Compared: c.Compared, Moved: c.Moved})
	}
	return m
}

// shortened bounds what d lists, for examples.
func shortened(d *caiov1.Difference) *caiov1.Difference {
	if len(d.Rules) > maxChanges {
		d.Rules = d.Rules[:maxChanges]
	}
	return d
}
