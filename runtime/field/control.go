package field

import (
	"errors"
	"fmt"
)

// Control is a control signal u in R^k over the k modes that are the columns of B: u_j > 0 excites mode j, u_j < 0 damps
// it. Its energy is at most the room that there was.
type Control struct {
	Signal []float64 // u, one number for each mode
	Gram   []float64 // the real part of B^H B, row by row, k*k numbers: ||B u||^2 = u^T Gram u, computed by Quadratic
	Energy float64   // ||B u||^2 by Quadratic, >= 0
	Room   float64   // what it may be at most, >= 0
}

// Steer returns the signal that comes nearest to desired, along it, without more energy than room: desired itself where
// there is room for it, else desired times sqrt(room / ||B desired||^2). It fails where desired does not have a finite
// number for each mode, where the room is negative, and where the energy of desired is beyond float64.
func Steer(modes []Vector, desired []float64, room float64) (Control, error) {
	return drive(modes, desired, room, 1)
}

// Excite returns the largest signal along direction that room allows. It is zero where direction has no energy, for then
// no signal is the largest. It fails as Steer does.
func Excite(modes []Vector, direction []float64, room float64) (Control, error) {
	return drive(modes, direction, room, maxScale)
}

// Components returns what v has of each mode: the real part of <mode, v>.
func Components(modes []Vector, v Vector) []float64 {
	out := make([]float64, len(modes))
	for j, mode := range modes {
		out[j] = real(Inner(mode, v))
	}
	return out
}

// maxScale bounds what a direction is multiplied with, so that a mode of nearly no energy does not drive the signal to
// infinity.
const maxScale = 1e150

// drive returns direction times the largest factor <= most for which the energy fits into room.
func drive(modes []Vector, direction []float64, room, most float64) (Control, error) {
	if len(direction) != len(modes) {
		return Control{}, fmt.Errorf("%d numbers for %d modes", len(direction), len(modes))
	}
	if !(room >= 0) || room-room != 0 {
		return Control{}, fmt.Errorf("room for an energy of %v: it must be finite and not negative", room)
	}
	if err := Finite("signal", direction); err != nil {
		return Control{}, err
	}
	c := Control{Signal: make([]float64, len(modes)), Gram: gram(modes), Room: room}
	asked := Quadratic(c.Gram, direction)
	if asked-asked != 0 {
		return Control{}, errors.New("the energy of the signal is beyond float64")
	}
	if asked == 0 && most > 1 {
		return c, nil
	}
	factor := most
	if asked > 0 && room/asked < most*most {
		factor = root(room / asked)
	}
	// Rounding may carry the energy a few last bits over the room. The bound is a bound: give way until it holds.
	for less := 0x1p-52; ; less *= 2 {
		for j, n := range direction {
			c.Signal[j] = float64(n*factor) + 0 // never -0
		}
		c.Energy = Quadratic(c.Gram, c.Signal)
		if c.Energy <= room {
			return c, nil
		}
		factor *= max(0, 1-less)
	}
}

// gram returns the real part of B^H B, row by row.
func gram(modes []Vector) []float64 {
	k := len(modes)
	out := make([]float64, k*k)
	for i := range modes {
		for j := i; j < k; j++ {
			out[i*k+j] = real(Inner(modes[i], modes[j]))
			out[j*k+i] = out[i*k+j]
		}
	}
	return out
}

// Quadratic returns u^T G u, row after row, for a G of len(u)^2 numbers that is positive semidefinite: what rounding leaves
// below zero is zero. runtime/proof computes the same, by the same steps, from what a decision states.
func Quadratic(g, u []float64) float64 {
	mustBe(len(g), len(u)*len(u))
	var sum float64
	for i, a := range u {
		var row float64
		for j, b := range u {
			row += float64(g[i*len(u)+j] * b)
		}
		sum += float64(a * row)
	}
	return max(0, sum) // NaN stays NaN
}
