//go:build soak

package engine_test

// replayed is how many random decisions are made again.
const replayed = 1000
