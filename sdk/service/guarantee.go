package service

import (
	"fmt"
	"math"
	"time"
)

// Guarantees are those promises of a contract that can be checked of one answer. The zero value promises nothing.
type Guarantees struct {
	// AccuracyMin is the promised accuracy, in (0, 1]. An answer keeps it when its metadata's "confidence" is not
	// below. 0: not promised.
	AccuracyMin float64
	// LatencyMax is the promised time for one answer. 0: not promised.
	LatencyMax time.Duration
}

// Verification says whether an answer kept what was promised.
type Verification struct {
	// Kept: nothing was broken.
	Kept bool `json:"kept"`
	// Violations lists what was, accuracy before latency. Never nil in JSON.
	Violations []Violation `json:"violations"`
}

// Violation is one broken promise.
type Violation struct {
	// Guarantee by its contract name: "accuracy", "latency".
	Guarantee string `json:"guarantee"`
	// Property that was looked at: "confidence", "latency_ms".
	Property string `json:"property"`
	// Promised bound, in the property's unit.
	Promised float64 `json:"promised"`
	// Observed value. Absent: the answer does not state it.
	Observed *float64 `json:"observed,omitempty"`
	// Message for people.
	Message string `json:"message"`
}

// Verify holds response against g. An answer that does not state its confidence, or states none in [0, 1], breaks a
// promised accuracy; one whose latency is unknown (zero) does not break a promised latency.
func (g Guarantees) Verify(response Response) Verification {
	violations := []Violation{}
	if g.AccuracyMin > 0 {
		if v, broken := g.accuracy(response.Metadata["confidence"]); broken {
			violations = append(violations, v)
		}
	}
	if g.LatencyMax > 0 && response.Latency > g.LatencyMax {
		observed := milliseconds(response.Latency)
		violations = append(violations, Violation{
			Guarantee: "latency", Property: "latency_ms",
			Promised: milliseconds(g.LatencyMax), Observed: &observed,
			Message: fmt.Sprintf("took %v, promised are %v", response.Latency, g.LatencyMax),
		})
	}
	return Verification{Kept: len(violations) == 0, Violations: violations}
}

func (g Guarantees) accuracy(stated any) (Violation, bool) {
	v := Violation{Guarantee: "accuracy", Property: "confidence", Promised: g.AccuracyMin}
	confidence, ok := number(stated)
	switch {
	case !ok || math.IsNaN(confidence) || confidence < 0 || confidence > 1:
		v.Message = fmt.Sprintf("metadata.confidence is %v, not a number in [0, 1]", stated)
		return v, true
	case confidence < g.AccuracyMin:
		v.Observed = &confidence
		v.Message = fmt.Sprintf("confidence %v is below the promised accuracy %v", confidence, g.AccuracyMin)
		return v, true
	}
	return v, false
}

// number accepts what an author may put into metadata and what encoding/json reads out of it.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case float32:
		return float64(n), true
	case int:
		return float64(n), true
	}
	return 0, false
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
