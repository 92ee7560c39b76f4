package trace

import caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"

// Describe is what a trace, serialized to raw, is found by.
func Describe(t *caiov1.Trace, raw []byte) (Record, error) {
	var r Record
	err := r.describe(t, raw)
	return r, err
}
