package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A token is a bearer token that was fetched or signed.
type token struct {
	value   string
	expires time.Time // from then on it is used no more
}

// newToken returns a token that is put away shortly before its life ends: a minute, or a tenth of a short life.
func newToken(value string, life time.Duration, now time.Time) *token {
	return &token{value, now.Add(life - min(time.Minute, life/10))}
}

// A tokenError says why there is no token. It tells nothing about the service that the token is for.
type tokenError struct {
	message, hint string
	again         bool // trying again may help
	cause         error
}

func (e *tokenError) Error() string { return e.message }
func (e *tokenError) Unwrap() error { return e.cause }

// A tokenSource makes tokens, one at a time, and keeps the last one. Safe for concurrent use.
type tokenSource struct {
	make    func(ctx context.Context) (*token, error)
	turn    chan struct{} // holds an element while a token is being made
	current atomic.Pointer[token]
	failed  atomic.Pointer[failedToken]
}

type failedToken struct {
	err error
	at  time.Time
}

// usable returns the token that is kept, nil if there is none or its time is over.
func (s *tokenSource) usable() *token {
	if t := s.current.Load(); t != nil && time.Now().Before(t.expires) {
		return t
	}
	return nil
}

// get returns a token. Whoever waited while another caller failed to get one fails for the same reason, so that a
// server that is slow to refuse is not asked by each of them in turn.
func (s *tokenSource) get(ctx context.Context) (*token, error) {
	if t := s.usable(); t != nil {
		return t, nil
	}
	came := time.Now()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if t := s.usable(); t != nil {
		return t, nil
	}
	if f := s.failed.Load(); f != nil && f.at.After(came) {
		return nil, f.err
	}
	t, err := s.make(ctx)
	if err != nil {
		if ctx.Err() == nil { // a caller that gave up says nothing about the server
			s.failed.Store(&failedToken{err, time.Now()})
		}
		return nil, err
	}
	s.current.Store(t)
	return t, nil
}

// drop forgets a token that was refused, unless another one is there already.
func (s *tokenSource) drop(refused *token) { s.current.CompareAndSwap(refused, nil) }

// maxSources bounds the sources that are kept.
const maxSources = 1024

// tokens keeps the sources: one for each set of credentials and what is asked for with it. Safe for concurrent use.
type tokens struct {
	options *Options
	mu      sync.Mutex
	bySeed  map[[sha256.Size]byte]*tokenSource
}

func newTokens(o *Options) *tokens {
	return &tokens{options: o, bySeed: map[[sha256.Size]byte]*tokenSource{}}
}

// source returns the source of the tokens that s signs with. value is the secret, f its parts, listed its hosts.
func (t *tokens) source(s *service, value string, f *secretFile, listed hostSet) (*tokenSource, error) {
	a := s.auth
	seed := sha256.Sum256([]byte(strings.Join(slices.Concat([]string{a.GetScheme(), a.GetTokenUrl(), a.GetAudience(), value}, a.GetScopes(), []string{""}, listed.sorted()), "\x00")))
	t.mu.Lock()
	defer t.mu.Unlock()
	if source, ok := t.bySeed[seed]; ok {
		return source, nil
	}
	build := t.oauth2
	if a.GetScheme() == "google_service_account" {
		build = t.google
	}
	from, err := build(s, f, listed)
	if err != nil {
		return nil, err
	}
	for old, source := range t.bySeed {
		if len(t.bySeed) < maxSources {
			break
		}
		if source.usable() == nil {
			delete(t.bySeed, old)
		}
	}
	source := &tokenSource{make: from, turn: make(chan struct{}, 1)}
	t.bySeed[seed] = source
	return source, nil
}

// refresh sends r with a token, and once more with another one if it is refused: tokens may be revoked before their time.
func (x *execution) refresh(ctx context.Context, r *request) (resp *http.Response, taken bool, err error) {
	for again := true; ; again = false {
		t, err := r.tokens.get(ctx)
		if err != nil {
			var e *tokenError
			if !errors.As(err, &e) {
				err = &tokenError{message: "get a token for secret \"" + x.service.auth.GetSecret() + "\": " + err.Error(), again: true, cause: err}
			}
			return nil, false, err
		}
		x.keepOut(t.value)
		resp, taken, err := x.follow(ctx, r, headerSigner("Authorization", "Bearer "+t.value))
		if err != nil || resp.StatusCode != http.StatusUnauthorized || taken {
			return resp, taken, err
		}
		r.tokens.drop(t)
		if !again {
			return resp, taken, nil
		}
		discard(resp)
	}
}
