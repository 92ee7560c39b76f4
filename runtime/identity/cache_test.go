package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

func TestACacheForgetsWhatIsNotUsedAndKeepsWhatIs(t *testing.T) {
	var c cache
	key := func(n int) [sha256.Size]byte { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	often := &verified{}
	c.put(key(0), often)
	for n := 1; n < 10*cacheHalf; n++ {
		c.put(key(n), &verified{})
		if n%100 == 0 && c.get(key(0)) != often {
			t.Fatalf("after %d others, one that is used is forgotten", n)
		}
		if held := len(c.young) + len(c.old); held > 2*cacheHalf {
			t.Fatalf("holds %d", held)
		}
	}
	if c.get(key(1)) != nil {
		t.Error("one that was never used again is still there")
	}
}
