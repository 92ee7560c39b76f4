package identity

import (
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Inspection is what a token says of itself. Nothing of it is verified.
type Inspection struct {
	Algorithm string // as the header has it
	KeyID     string // empty: it names none
	Issuer    string
	Audience  []string
	IssuedAt  time.Time // zero: not stated; in UTC, as the times below
	NotBefore time.Time // zero: not stated
	Expiry    time.Time
	Principal *caiov1.Principal // authenticated is false
}

// Inspect reads a token without verifying anything, to show it to whoever has it. Never decide by it. Errors: *Error,
// as Verify's about a token's form.
func Inspect(bearer string) (*Inspection, error) {
	token, err := strip(bearer)
	if err != nil {
		return nil, err
	}
	h, payload, err := split(token)
	if err != nil {
		return nil, err
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	i := &Inspection{
		Algorithm: h.Alg, Issuer: c.Issuer, Audience: c.Audience, Principal: c.principal(), Expiry: c.Expiry.Time().UTC(),
	}
	i.Principal.Authenticated = false
	if h.Kid != nil {
		i.KeyID = *h.Kid
	}
	if c.IssuedAt != nil {
		i.IssuedAt = c.IssuedAt.Time().UTC()
	}
	if c.NotBefore != nil {
		i.NotBefore = c.NotBefore.Time().UTC()
	}
	return i, nil
}
