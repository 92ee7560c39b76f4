// Package identity tells who is calling. It verifies bearer tokens (JWT, RFC 7519, in JWS compact form, RFC 7515)
// against public keys in a local file (JWKS, RFC 7517) and turns their claims into a caiov1.Principal. For development
// it also makes keys and tokens.
//
// # What it guarantees
//
//   - A principal comes only from a token whose signature, expiry, issuer and audience are right (SEC-0001).
//   - EdDSA (Ed25519) and RS256 only; each key verifies its own algorithm and no other. What a token says about keys
//     (jwk, jku, x5c, x5u) is refused, so a token never chooses what it is verified with.
//   - A token is accepted in one spelling only: no other string of the same meaning passes.
//   - Errors say why (Reason) and never hold the token or anything out of an unverified one.
//
// It makes no network call and starts no goroutine; a Verifier may be used by many at once. To change
// keys, load the file again and make a new one; while keys rotate, both stand in the file under their own kid.
//
//	keys, err := identity.LoadKeys(jwks)
//	v, err := identity.New(identity.Options{Keys: keys, Issuer: "https://id.acme.example", Audience: "caio"})
//	principal, err := v.Verify(ctx, r.Header.Get("Authorization"))
//	var refused *identity.Error
//	if errors.As(err, &refused) { ... refused.Reason ... }
//
// # Claims
//
//	sub           string, required   Principal.subject, at most 256 characters
//	iss, aud      required           must be the verifier's; aud may be a list that holds it
//	exp           required           seconds since 1970
//	nbf, iat      optional           must not lie in the future
//	tenant        string             Principal.tenant, at most 128 characters
//	roles         list of strings    Principal.roles, at most 64; unknown ones are kept
//	permissions   list of strings    Principal.permissions, at most 256
//	trust_level   whole number       Principal.trust_level, 0..10; absent: 0
package identity
