package proof

import (
	"slices"
	"strings"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Security returns the five security proofs of SPEC section 4 for a principal who would use a service with data: in
// the order authentication, authorization, privacy, access control, access boundary. All arguments must be non-nil.
func Security(c *caiov1.Contract, p *caiov1.Principal, d *caiov1.Data) []*caiov1.Proof {
	id := c.GetServiceId()
	return []*caiov1.Proof{
		prove(Authentication, id, fields{"authenticated": boolean(p.GetAuthenticated()), "subject": text(p.GetSubject())}),
		prove(Authorization, id, fields{
			"granted":  texts(p.GetPermissions()),
			"required": texts(c.GetRequiredPermissions()),
		}),
		prove(Privacy, id, fields{
			"sensitive":  boolean(Sensitive(d)),
			"locality":   text(c.GetPrivacy().GetDataLocality()),
			"encryption": boolean(c.GetPrivacy().GetEncryption()),
		}),
		Trust(id, p.GetTrustLevel(), c.GetRequiredTrustLevel()),
		prove(AccessBoundary, id, fields{
			"tenant":         text(p.GetTenant()),
			"service_tenant": text(c.GetMetadata().GetTenant()),
		}),
	}
}

// Trust proves SEC-0004 for service: level, 0..10, reaches required, 0..10.
func Trust(service string, level, required int32) *caiov1.Proof {
	return prove(AccessControl, service, fields{
		"trust_level":          number(float64(level)),
		"required_trust_level": number(float64(required)),
	})
}

// Sensitive tells whether d needs the protection of SEC-0003: personal or health data, or data classified confidential or
// restricted, in any case of letters. policies/lib/data.rego says the same in Rego.
func Sensitive(d *caiov1.Data) bool {
	return d.GetContainsPii() || d.GetContainsPhi() ||
		slices.Contains([]string{"confidential", "restricted"}, strings.ToLower(d.GetClassification()))
}

func authenticated(e evidence) (bool, error) { return e.bool("authenticated") }

func authorized(e evidence) (bool, error) {
	granted, err := e.strings("granted")
	if err != nil {
		return false, err
	}
	required, err := e.strings("required")
	if err != nil {
		return false, err
	}
	return len(required) == 0 || slices.ContainsFunc(required, func(r string) bool { return slices.Contains(granted, r) }), nil
}

func private(e evidence) (bool, error) {
	sensitive, err := e.bool("sensitive")
	if err != nil {
		return false, err
	}
	locality, err := e.string("locality")
	if err != nil {
		return false, err
	}
	encryption, err := e.bool("encryption")
	return !sensitive || locality == "on_device" || locality == "local" || encryption, err
}

func trusted(e evidence) (bool, error) {
	level, err := e.number("trust_level")
	if err != nil {
		return false, err
	}
	required, err := e.number("required_trust_level")
	return level >= required, err
}

func withinBoundary(e evidence) (bool, error) {
	tenant, err := e.string("tenant")
	if err != nil {
		return false, err
	}
	service, err := e.string("service_tenant")
	return service == "" || service == tenant, err
}
