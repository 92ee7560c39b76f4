//go:build !linux && !darwin

package adapter

// limitProcess: where the system has no such limits, the trial's deadline is the only one.
func limitProcess() error { return nil }
