package field

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func driven(modes []Vector, u []float64) Vector {
	out := make(Vector, len(modes[0]))
	for j, mode := range modes {
		out = sum(out, scaled(mode, complex(u[j], 0)))
	}
	return out
}

func TestSignalOfKnownModes(t *testing.T) {
	modes := []Vector{{1, 0}, {0, 2i}} // ||B u||^2 = u1^2 + 4 u2^2
	for _, test := range []struct {
		name    string
		drive   func([]Vector, []float64, float64) (Control, error)
		want    []float64
		along   []float64
		room    float64
		spent   float64
		because string
	}{
		{"room enough", Steer, []float64{1, -1}, []float64{1, -1}, 9, 5, "desired as it is"},
		{"too little room", Steer, []float64{.5, -.5}, []float64{1, -1}, 1.25, 1.25, "a quarter of the energy is half of the signal"},
		{"no room", Steer, []float64{0, 0}, []float64{1, -1}, 0, 0, "nothing"},
		{"nothing desired", Steer, []float64{0, 0}, []float64{0, 0}, 4, 0, "nothing"},
		{"all the room", Excite, []float64{2, -2}, []float64{1, -1}, 20, 20, "twice the signal is four times the energy"},
		{"no direction", Excite, []float64{0, 0}, []float64{0, 0}, 20, 0, "no signal is the largest"},
	} {
		c, err := test.drive(modes, test.along, test.room)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		for j := range test.want {
			if math.Abs(c.Signal[j]-test.want[j]) > 1e-12 || math.Signbit(c.Signal[j]) && c.Signal[j] == 0 {
				t.Errorf("%s: signal %v, want %v: %s", test.name, c.Signal, test.want, test.because)
			}
		}
		if math.Abs(c.Energy-test.spent) > 1e-12 || c.Room != test.room || !slices.Equal(c.Gram, []float64{1, 0, 0, 4}) {
			t.Errorf("%s: %+v, want the energy %v", test.name, c, test.spent)
		}
	}
	if got := Components(modes, Vector{3 + 1i, 1 - 1i}); !slices.Equal(got, []float64{3, -2}) {
		t.Errorf("components %v", got)
	}
}

func TestSignalNeverExceedsItsRoom(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d, k := dimension(r), 1+r.IntN(5)
		modes := make([]Vector, k)
		for j := range modes {
			modes[j] = vector(r, d)
			if j > 0 && r.IntN(4) == 0 {
				modes[j] = scaled(modes[0], complex(r.NormFloat64(), 0)) // modes that depend on one another
			}
		}
		along := make([]float64, k)
		for j := range along {
			along[j] = r.NormFloat64() * math.Pow(10, float64(r.IntN(9)-4))
		}
		room := r.ExpFloat64() * math.Pow(10, float64(r.IntN(13)-6))
		for name, drive := range map[string]func([]Vector, []float64, float64) (Control, error){"steer": Steer, "excite": Excite} {
			c, err := drive(modes, along, room)
			if err != nil {
				t.Fatal(err)
			}
			if !(c.Energy >= 0 && c.Energy <= room) || Quadratic(c.Gram, c.Signal) != c.Energy {
				t.Errorf("%s: energy %v in a room of %v", name, c.Energy, room)
			}
			asked := Quadratic(c.Gram, along)
			var size float64 // what rounding may have left in the energy
			for j, u := range c.Signal {
				size += u * u * modes[j].Energy()
			}
			if direct := driven(modes, c.Signal).Energy(); math.Abs(direct-c.Energy) > 1e-12*size*float64(k*k) {
				t.Errorf("%s: the energy is %v, by the Gram matrix %v", name, direct, c.Energy)
			}
			switch {
			case name == "steer" && asked <= room && !slices.Equal(c.Signal, along):
				t.Errorf("%s: %v although %v fits", name, c.Signal, along)
			case asked > room*1e-200 && (name == "excite" || asked > room) && c.Energy < room*(1-1e-9) && size < room*1e3:
				t.Errorf("%s: uses %v of %v", name, c.Energy, room)
			}
			for j, n := range c.Signal {
				if n*along[j] < 0 {
					t.Errorf("%s: %v leaves the direction %v", name, c.Signal, along)
				}
			}
		}
	})
}

func TestSignalThatCannotBeIsRefused(t *testing.T) {
	modes := []Vector{{1}}
	for _, test := range []struct {
		name  string
		along []float64
		room  float64
	}{
		{"too many numbers", []float64{1, 2}, 1},
		{"NaN", []float64{math.NaN()}, 1},
		{"Inf", []float64{math.Inf(-1)}, 1},
		{"negative room", []float64{1}, -1e-9},
		{"no number for a room", []float64{1}, math.NaN()},
		{"endless room", []float64{1}, math.Inf(1)},
		{"beyond float64", []float64{1e200}, 1},
	} {
		if _, err := Steer(modes, test.along, test.room); err == nil {
			t.Errorf("%s was taken", test.name)
		}
	}
	// A mode of nearly no energy is not driven to infinity.
	c, err := Excite([]Vector{{1e-140}}, []float64{1}, 1e300)
	if err != nil || c.Signal[0]-c.Signal[0] != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
