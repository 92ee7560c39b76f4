package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// tenantsDir is the directory below which tenants' own files lie, each below a directory of the tenant's name: laid over
// the others as policies.Overlay lays them, a file of tenants/acme/routing/cost.rego hides routing/cost.rego for those
// whom acme sends, and one that is empty puts nothing in its place.
const tenantsDir = "tenants"

// ofTenant returns whose file name is, and where among its own it lies. Everybody's: tenant is empty.
func ofTenant(name string) (tenant, at string, err error) {
	rest, ok := strings.CutPrefix(name, tenantsDir+"/")
	if !ok {
		return "", name, nil
	}
	if tenant, at, ok = strings.Cut(rest, "/"); !ok {
		return "", "", errors.New("lies in no tenant's directory: below " + tenantsDir + "/ there is one for each tenant, and nothing else")
	}
	return tenant, at, nil
}

// tenants returns those that have files of their own, tests aside, sorted.
func (t *tree) tenants() []string {
	names := make(map[string]bool)
	for _, f := range slices.Concat(t.modules, t.data) {
		if f.tenant != "" {
			names[f.tenant] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// tested returns the tenants that have tests or what is to be tested, sorted.
func (t *tree) tested() []string {
	names := t.tenants()
	for _, f := range t.tests {
		if f.tenant != "" && !slices.Contains(names, f.tenant) {
			names = append(names, f.tenant)
		}
	}
	slices.Sort(names)
	return names
}

// of returns t as tenant sees it: as if all of it were everybody's. Tests are the tenant's own alone: those of the others
// test rules that it may have replaced.
func (t *tree) of(tenant string) *tree {
	lay := func(files []file) (out []file) {
		own := make(map[string]bool)
		for _, f := range files {
			if f.tenant == tenant {
				own[f.at] = true
				f.tenant = ""
				out = append(out, f)
			}
		}
		for _, f := range everybodys(files) {
			if !own[f.at] {
				out = append(out, f)
			}
		}
		return out
	}
	out := &tree{modules: lay(t.modules), data: lay(t.data)}
	for _, f := range t.tests {
		if f.tenant == tenant {
			f.tenant = ""
			out.tests = append(out.tests, f)
		}
	}
	return out
}

// everybodys returns the files that are no tenant's.
func everybodys(files []file) []file {
	if !slices.ContainsFunc(files, func(f file) bool { return f.tenant != "" }) {
		return files
	}
	return slices.DeleteFunc(slices.Clone(files), func(f file) bool { return f.tenant != "" })
}

// under returns f as found in the set of a tenant. What is wrong with a file of everybody's is so only beside the tenant's
// files, if everybody's are sound; else it was told already and is left out.
func (f Faults) under(tenant string, sound bool) Faults {
	out := make(Faults, 0, len(f))
	for _, fault := range f {
		if of, _, err := ofTenant(fault.GetFile()); err == nil && of == tenant {
			out = append(out, fault)
			continue
		}
		if !sound {
			continue
		}
		out = append(out, &caiov1.Fault{
			File: fault.GetFile(), Line: fault.GetLine(), Column: fault.GetColumn(), Path: fault.GetPath(),
			Message: fmt.Sprintf("%s (beside the files of %s/%s)", fault.GetMessage(), tenantsDir, tenant),
		})
	}
	return out
}

// For returns the set that judges those whom tenant sends: its own if it has one, else s. Set.Route, Set.Check,
// Set.Explain and an Index choose it themselves, by the request's principal.
func (s *Set) For(tenant string) *Set {
	if of := s.tenants[tenant]; of != nil {
		return of
	}
	return s
}
