package proof

import (
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Security returns the five security proofs of SPEC section 4 for a principal who would use a service with data: in
// the order authentication, authorization, privacy, access control, access boundary. Nil arguments are empty ones.
func Security(c *caiov1.Contract, p *caiov1.Principal, d *caiov1.Data) []*caiov1.Proof {
	return messages(func(w *Writer) { w.Security(c, p, d) })
}

// Security writes the five security proofs.
func (w *Writer) Security(c *caiov1.Contract, p *caiov1.Principal, d *caiov1.Data) {
	id := c.GetServiceId()
	put(w, AccessBoundary, boundary{service: id, tenant: p.GetTenant(), serviceTenant: c.GetMetadata().GetTenant()})
	w.Trust(id, p.GetTrustLevel(), c.GetRequiredTrustLevel())
	put(w, Privacy, private{
		service: id, sensitive: Sensitive(d), locality: c.GetPrivacy().GetDataLocality(), encryption: c.GetPrivacy().GetEncryption(),
	})
	put(w, Authorization, authorization{service: id, granted: p.GetPermissions(), required: c.GetRequiredPermissions()})
	put(w, Authentication, authentication{service: id, subject: p.GetSubject(), authenticated: p.GetAuthenticated()})
}

// Trust proves SEC-0004 for service: level, 0..10, reaches required, 0..10.
func Trust(service string, level, required int32) *caiov1.Proof {
	return message(func(w *Writer) { w.Trust(service, level, required) })
}

// Trust writes the proof of SEC-0004.
func (w *Writer) Trust(service string, level, required int32) {
	put(w, AccessControl, trust{service: service, level: float64(level), required: float64(required)})
}

// Sensitive tells whether d needs the protection of SEC-0003: personal or health data, or data classified confidential or
// restricted, in any case of letters. policies/lib/data.rego says the same in Rego.
func Sensitive(d *caiov1.Data) bool {
	if d.GetContainsPii() || d.GetContainsPhi() {
		return true
	}
	class := strings.ToLower(d.GetClassification())
	return class == "confidential" || class == "restricted"
}

type authentication struct {
	service, subject string
	authenticated    bool
}

func (e authentication) about() string        { return e.service }
func (e authentication) holds() (bool, error) { return e.authenticated, nil }

func (e authentication) write(w *wire.Writer) {
	w.StringEntry("subject", e.subject)
	w.StringEntry(subjectKey, e.service)
	w.BoolEntry("authenticated", e.authenticated)
}

func readAuthentication(from evidence) (e authentication, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.string(&e.subject, "subject")
	r.bool(&e.authenticated, "authenticated")
	return e, r.err
}

type authorization struct {
	service           string
	granted, required []string
}

func (e authorization) about() string { return e.service }

func (e authorization) holds() (bool, error) {
	if len(e.required) == 0 {
		return true, nil
	}
	for _, permission := range e.required {
		if slices.Contains(e.granted, permission) {
			return true, nil
		}
	}
	return false, nil
}

func (e authorization) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	w.StringsEntry("required", e.required)
	w.StringsEntry("granted", e.granted)
}

func readAuthorization(from evidence) (e authorization, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.strings(&e.required, "required")
	r.strings(&e.granted, "granted")
	return e, r.err
}

type private struct {
	service, locality     string
	sensitive, encryption bool
}

func (e private) about() string { return e.service }

func (e private) holds() (bool, error) {
	return !e.sensitive || e.locality == "on_device" || e.locality == "local" || e.encryption, nil
}

func (e private) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	w.BoolEntry("sensitive", e.sensitive)
	w.StringEntry("locality", e.locality)
	w.BoolEntry("encryption", e.encryption)
}

func readPrivate(from evidence) (e private, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.bool(&e.sensitive, "sensitive")
	r.string(&e.locality, "locality")
	r.bool(&e.encryption, "encryption")
	return e, r.err
}

type trust struct {
	service         string
	level, required float64
}

func (e trust) about() string        { return e.service }
func (e trust) holds() (bool, error) { return e.level >= e.required, nil }

func (e trust) write(w *wire.Writer) {
	w.NumberEntry("trust_level", e.level)
	w.StringEntry(subjectKey, e.service)
	w.NumberEntry("required_trust_level", e.required)
}

func readTrust(from evidence) (e trust, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.number(&e.level, "trust_level")
	r.number(&e.required, "required_trust_level")
	return e, r.err
}

type boundary struct{ service, tenant, serviceTenant string }

func (e boundary) about() string { return e.service }

func (e boundary) holds() (bool, error) {
	return e.serviceTenant == "" || e.serviceTenant == e.tenant, nil
}

func (e boundary) write(w *wire.Writer) {
	w.StringEntry("tenant", e.tenant)
	w.StringEntry("service_tenant", e.serviceTenant)
	w.StringEntry(subjectKey, e.service)
}

func readBoundary(from evidence) (e boundary, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.string(&e.tenant, "tenant")
	r.string(&e.serviceTenant, "service_tenant")
	return e, r.err
}
