// Package field is the mathematics of fields: numbers in, numbers out. What is intended, what a caller's traits are and
// what a memory holds are complex vectors of one dimension D; here stand their transform, their projections onto high
// and low frequencies, how well they agree, how much they resonate, and how far they may be driven. It knows nothing of
// requests and contracts.
//
//	t, err := field.NewTransform(len(psi))
//	high, err := field.High(len(psi), .25)          // which frequencies are kept
//	i := t.Project(psi, high).Energy()               // ||P_high psi||^2
//	a := field.Correlation(psi, capability)          // in [-1, 1]
//	u, err := field.Excite(modes, direction, room)   // ||B u||^2 <= room
//
// Conventions. <a, b> is the sum of conj(a_j) b_j, ||a||^2 = <a, a> the energy. F is unitary (numpy's norm="ortho"), so it
// keeps both. Component k of a spectrum has the frequency k/D, or k/D - 1 above one half, in cycles per sample; a cutoff is
// in [0, 1/2]. Whatever is divided by the length of a vector is 0 where that length is 0: nothing agrees with nothing.
//
// Every result is finite as long as its vectors come from New, which refuses NaN, Inf and energies above MaxEnergy. The
// same arguments give the same bits on every run and, but for the transform and the logarithm of Quality, on every
// processor: products are converted before they are added, so that no compiler fuses the two. Inside the transform
// (gonum) a processor with fused multiplication may differ in the last bit; proofs are recomputed from the numbers that a
// decision states, not from transforms.
//
// Vectors and masks are plain values that nothing here changes. Only a Transform has scratch space of its own and belongs
// to one goroutine at a time; all else may be called by several at once. Arguments of different dimensions are a bug of
// the caller and panic.
package field
