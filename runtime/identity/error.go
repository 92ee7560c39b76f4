package identity

// Reason says why a token was refused, for programs.
type Reason string

// The reasons. Claims are looked at only when the signature has verified.
const (
	ReasonMissing   Reason = "missing"       // there is no token
	ReasonMalformed Reason = "malformed"     // it is not a token of the form or with the claims that are accepted
	ReasonAlgorithm Reason = "algorithm"     // its algorithm is not accepted, or not the key's
	ReasonKey       Reason = "key"           // no key of that id is known
	ReasonSignature Reason = "signature"     // it was not signed with that key, or was changed
	ReasonExpired   Reason = "expired"       // its time is over
	ReasonNotYet    Reason = "not_yet_valid" // its time has not come
	ReasonIssuer    Reason = "issuer"        // somebody else issued it
	ReasonAudience  Reason = "audience"      // it is meant for somebody else
)

// Error is why a token was refused.
type Error struct {
	Reason Reason
	detail string
}

// Error says it for people. It holds nothing out of the token.
func (e *Error) Error() string { return "token refused: " + e.detail }

func refuse(reason Reason, detail string) error { return &Error{reason, detail} }
