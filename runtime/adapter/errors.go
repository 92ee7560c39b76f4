package adapter

import (
	"errors"
	"fmt"
	"strings"
)

// Kind tells what kind of fault ended a call.
type Kind string

// The kinds of faults.
const (
	KindTrap     Kind = "trap"     // it crashed or left
	KindFuel     Kind = "fuel"     // it computed for too long
	KindMemory   Kind = "memory"   // it had no memory left, or its stack overflowed
	KindProtocol Kind = "protocol" // what it answered is no reply
)

// GuestError is a fault of a guest in one call. The next call finds a fresh instance.
type GuestError struct {
	Adapter string // name of the adapter, or of the module while it is loaded
	Kind    Kind
	Message string // short, for people; holds nothing the guest wrote
}

// Error names the adapter, the kind and the message.
func (e *GuestError) Error() string {
	return fmt.Sprintf("adapter %s: %s: %s", e.Adapter, e.Kind, e.Message)
}

// RefusedError says why a module was not admitted.
type RefusedError struct {
	Module string // the name given to Load
	// Rule that it breaks: "format", "size", "import", "export", "memory", "table", "global", "start", "instruction", "complexity", "index"
	// (see package meter), "compile", "abi", "describe"; of a trial "self-test" and "trial", see LoadTried.
	Rule    string
	Message string // for people; names the function, the import or the export where it is about one
}

// Error names the module, the rule and the message.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("adapter module %s is refused: %s: %s", e.Module, e.Rule, e.Message)
}

// NotFoundError says that a contract names an adapter that is not there.
type NotFoundError struct {
	Plugin, Digest string   // what was asked for; Digest may be empty
	Available      []string // "name" or, where that name is there in other versions, "name@digest", sorted
}

// Error lists what there is.
func (e *NotFoundError) Error() string {
	want := fmt.Sprintf("adapter %q", e.Plugin)
	if e.Digest != "" {
		want += " with digest " + e.Digest
	}
	if len(e.Available) == 0 {
		return want + " is not installed, and no other is"
	}
	return want + " is not installed; there are " + strings.Join(e.Available, ", ")
}

// blamed tells whether an error is a module's own.
func blamed(err error) bool {
	var refused *RefusedError
	var guest *GuestError
	return errors.As(err, &refused) || errors.As(err, &guest)
}
