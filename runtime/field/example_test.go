package field_test

import (
	"fmt"

	"github.com/smarthausgroup/caio/runtime/field"
)

// An intent of quick and slow changes is held against a capability of quick ones, and driven as far as its energy allows.
func Example() {
	intent, err := field.New("intent", []float64{3, -1, 3, -1}, nil)
	if err != nil {
		panic(err)
	}
	transform, err := field.NewTransform(len(intent))
	if err != nil {
		panic(err)
	}
	high, err := field.High(len(intent), .25)
	if err != nil {
		panic(err)
	}
	quick := transform.Project(intent, high)
	fmt.Printf("I = %.2f of %.2f, kappa = %.3f\n", quick.Energy(), intent.Energy(), field.Conductivity(quick, intent))
	capability := field.Vector{1, -1, 1, -1}
	fmt.Printf("A = %.3f\n", field.Correlation(intent, capability))
	u, err := field.Steer([]field.Vector{capability}, []float64{2}, 4)
	if err != nil {
		panic(err)
	}
	fmt.Printf("u = %.1f, of energy %.1f\n", u.Signal, u.Energy)
	_, err = field.New("traits", []float64{1, 2}, []float64{0})
	fmt.Println(err)
	// Output:
	// I = 16.00 of 20.00, kappa = 0.894
	// A = 0.894
	// u = [1.0], of energy 4.0
	// traits: 2 real but 1 imaginary parts
}
