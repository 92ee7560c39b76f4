package journal

import (
	"strings"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// A Kind says what a finding means.
type Kind string

const (
	// Damage: something is not as it was written, or is missing.
	Damage Kind = "damage"
	// Crash: what a crash leaves. The next start mends it, and nothing that was acknowledged is lost.
	Crash Kind = "crash"
	// Index: what traces are found by is not what it should be. It can be made again from the bodies.
	Index Kind = "index"
)

// A Finding is one thing that is not as it should be.
type Finding struct {
	Kind     Kind   `json:"kind"`
	File     string `json:"file"`     // below the store's directory
	Offset   int64  `json:"offset"`   // where in it; -1: no one place
	Bytes    int64  `json:"bytes"`    // how many from there on; 0: not known
	Sequence int64  `json:"sequence"` // of the first trace that it is about; -1: of none
	Found    string `json:"found"`
	Want     string `json:"want"` // what should be there
}

// MaxFindings is how many findings a report tells; the others are counted.
const MaxFindings = 100

// A Report is what a check found.
type Report struct {
	Traces     uint64       `json:"traces"`     // entries that were gone over
	Root       string       `json:"root"`       // of the tree over them, as it was computed from the commitments beside the bodies
	Segments   int          `json:"segments"`   // files of bodies
	Frames     int          `json:"frames"`     // groups in them
	Bodies     uint64       `json:"bodies"`     // that are there and have their checksum
	Erased     uint64       `json:"erased"`     // bodies that are zeros
	Dropped    uint64       `json:"dropped"`    // traces of days that were dropped
	Signatures int          `json:"signatures"` // checkpoints whose signature holds; 0 if no key was given
	Bytes      int64        `json:"bytes"`      // that were read
	Counts     map[Kind]int `json:"counts"`     // of all findings
	Findings   []Finding    `json:"findings"`   // the first MaxFindings
}

// Add takes in a finding.
func (r *Report) Add(f Finding) {
	f.Found = strings.TrimPrefix(f.Found, trace.ErrDamaged.Error()+": ") // as every finding is
	if r.Counts == nil {
		r.Counts = map[Kind]int{}
	}
	r.Counts[f.Kind]++
	if len(r.Findings) < MaxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Whole tells whether there is nothing that a crash would not explain.
func (r *Report) Whole() bool { return r.Counts[Damage] == 0 && r.Counts[Index] == 0 }
