package identity

import (
	"slices"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The roles that the house knows. A principal may have others, for policies to judge.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleUser     = "user"
	RoleAuditor  = "auditor"
)

// HasRole tells whether p is authenticated and has one of the roles. nil is nobody.
func HasRole(p *caiov1.Principal, roles ...string) bool {
	return p.GetAuthenticated() && slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(p.Roles, r) })
}

// CanManageServices tells whether p may register, update and remove services: admins and operators.
func CanManageServices(p *caiov1.Principal) bool { return HasRole(p, RoleAdmin, RoleOperator) }

// CanReadAllTraces tells whether p may read the traces of every tenant: admins, operators and auditors that belong to
// no tenant themselves.
func CanReadAllTraces(p *caiov1.Principal) bool {
	return p.GetTenant() == "" && HasRole(p, RoleAdmin, RoleOperator, RoleAuditor)
}

// CanSee tells whether p may know of a service of that tenant: those of no tenant are everybody's, and admins, operators
// and auditors that belong to no tenant look after all.
func CanSee(p *caiov1.Principal, tenant string) bool {
	return tenant == "" || tenant == p.GetTenant() || CanReadAllTraces(p)
}

// CanReadTrace tells whether p may read a trace of that tenant: its own, or every one. A trace without tenant is only
// for those who may read all.
func CanReadTrace(p *caiov1.Principal, tenant string) bool {
	return CanReadAllTraces(p) || p.GetAuthenticated() && tenant != "" && p.GetTenant() == tenant
}

// TraceTenant returns the tenant to which a listing that p asked for must be confined; empty means every tenant, and
// false that p may not have the listing. asked is the tenant that p asked for, empty for all it may see.
func TraceTenant(p *caiov1.Principal, asked string) (tenant string, ok bool) {
	switch {
	case CanReadAllTraces(p):
		return asked, true
	case !p.GetAuthenticated() || p.GetTenant() == "":
		return "", false
	case asked == "" || asked == p.GetTenant():
		return p.GetTenant(), true
	}
	return "", false
}

// ErasedTenant returns the tenant to which a removal of traces that p asked for must be confined; empty means every
// tenant, and false that p may remove none. asked is the tenant that p asked for, empty for all it may.
func ErasedTenant(p *caiov1.Principal, asked string) (tenant string, ok bool) {
	if !HasRole(p, RoleAdmin) {
		return "", false
	}
	return TraceTenant(p, asked)
}
