package identity

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// tokenClaims is a token's payload, as the package's comment describes it.
type tokenClaims struct {
	jwt.Claims
	Tenant      string   `json:"tenant,omitempty"`
	Roles       []string `json:"roles,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
	TrustLevel  int32    `json:"trust_level,omitempty"`
}

// parseClaims reads a payload. go-jose's JSON knows no duplicate and no differently spelled names, which encoding/json
// would let overwrite one another.
func parseClaims(payload []byte) (*tokenClaims, error) {
	c := &tokenClaims{}
	if !utf8.Valid(payload) {
		return nil, refuse(ReasonMalformed, "its claims are not UTF-8")
	}
	if err := json.Unmarshal(payload, c); err != nil {
		return nil, refuse(ReasonMalformed, "its claims are not a JSON object, or one has the wrong type")
	}
	if err := c.check(); err != nil {
		return nil, refuse(ReasonMalformed, err.Error())
	}
	return c, nil
}

// check holds the claims to the bounds of caiov1.Principal. Its errors hold no values of theirs but numbers.
func (c *tokenClaims) check() error {
	switch {
	case c.Subject == "":
		return errors.New("it has no subject")
	case c.Expiry == nil:
		return errors.New("it never expires: it has no exp")
	case c.TrustLevel < 0 || c.TrustLevel > 10:
		return fmt.Errorf("its trust_level is %d, it must be 0 to 10", c.TrustLevel)
	case long(c.Subject, 256):
		return errors.New("its subject has more than 256 characters")
	case long(c.Tenant, 128):
		return errors.New("its tenant has more than 128 characters")
	case len(c.Roles) > 64:
		return fmt.Errorf("it has %d roles, at most 64 are allowed", len(c.Roles))
	case len(c.Permissions) > 256:
		return fmt.Errorf("it has %d permissions, at most 256 are allowed", len(c.Permissions))
	}
	return nil
}

func long(s string, max int) bool { return utf8.RuneCountInString(s) > max }

func (c *tokenClaims) principal() *caiov1.Principal {
	return &caiov1.Principal{
		Subject: c.Subject, Tenant: c.Tenant, Roles: c.Roles, Permissions: c.Permissions,
		TrustLevel: c.TrustLevel, Authenticated: true,
	}
}
