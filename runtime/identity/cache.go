package identity

import (
	"crypto/sha256"
	"sync"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// cacheHalf is how many tokens a half of a cache holds. A principal is at most as large as its token, so a cache in which
// every token is as long as one may be takes 16 MB.
const cacheHalf = 1024

// cache remembers tokens whose signature verified, by their sha256: checking one anew with each call costs more than
// all else that a call costs. Whether a token is accepted now is asked every time; a cache lives as long as the keys by
// which its tokens verified. What was refused is not remembered, so strangers cannot fill it. Tokens that are not used
// make way: a full young half becomes the old one, and what is found in the old one is young again.
type cache struct {
	mu         sync.Mutex // guards what is below
	young, old map[[sha256.Size]byte]*verified
}

// verified is a token as its signer meant it. It is immutable and shared.
type verified struct {
	claims    *tokenClaims
	principal *caiov1.Principal
}

func (c *cache) get(key [sha256.Size]byte) *verified {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.young[key]; v != nil {
		return v
	}
	v := c.old[key]
	if v != nil {
		c.putLocked(key, v)
	}
	return v
}

func (c *cache) put(key [sha256.Size]byte, v *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(key, v)
}

func (c *cache) putLocked(key [sha256.Size]byte, v *verified) {
	if len(c.young) >= cacheHalf {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = make(map[[sha256.Size]byte]*verified)
	}
	c.young[key] = v
}
