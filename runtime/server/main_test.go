package server

import (
	"testing"

	"go.uber.org/goleak"
)

// The shipped adapters are compiled once for all tests, and live as long as the process.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/smarthausgroup/caio/runtime/adapter.(*Runtime).keepPools"))
}
