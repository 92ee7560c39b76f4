package engine

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/field"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// defaultCutoff divides high from low where a request does not say, in cycles per sample: half of what there can be.
const defaultCutoff = .25

// readFields measures what s brings. It fails on what is no field and on what cannot be kept, naming the place in the
// request.
func readFields(s *caiov1.FieldState) (*fieldState, error) {
	r := fieldReader{state: s, out: &fieldState{}, cutoff: defaultCutoff}
	if s.Cutoff != nil {
		r.cutoff = *s.Cutoff
	}
	if err := r.read(); err != nil {
		return nil, err
	}
	out := r.out
	out.reading = &caiov1.FieldReading{Dimension: int32(out.dimension), Cutoff: r.cutoff}
	if out.dimension == 0 {
		return out, nil
	}
	high, err := field.High(out.dimension, r.cutoff)
	if err != nil {
		return nil, fmt.Errorf("field.%w", err)
	}
	transform, err := field.NewTransform(out.dimension)
	if err != nil {
		return nil, fmt.Errorf("field: %w", err)
	}
	if r.traits != nil {
		low := transform.Project(r.traits, high.Not())
		out.traits = direction(low)
		out.reading.LowEnergy = proto.Float64(low.Energy())
	}
	if r.intent != nil {
		if err := r.measure(transform, transform.Project(r.intent, high)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func direction(v field.Vector) *field.Direction {
	d := v.Direction()
	return &d
}

// A fieldReader reads a request's fields.
type fieldReader struct {
	state                  *caiov1.FieldState
	out                    *fieldState
	cutoff                 float64
	intent, traits, memory field.Vector // nil: not given
	modes                  []field.Vector
	first                  string // the field that said the dimension
}

// read reads the vectors and what is said about them.
func (r *fieldReader) read() (err error) {
	s := r.state
	if r.intent, err = r.vector("field.intent", s.Intent); err != nil {
		return err
	}
	if r.traits, err = r.vector("field.traits", s.Traits); err != nil {
		return err
	}
	if r.memory, err = r.vector("field.memory", s.Memory); err != nil {
		return err
	}
	for i, m := range s.GetControl().GetModes() {
		mode, err := r.vector(fmt.Sprintf("field.control.modes[%d]", i), m)
		if err != nil {
			return err
		}
		r.modes = append(r.modes, mode)
	}
	if s.Control != nil && r.intent == nil {
		return fmt.Errorf("field.intent: must be given, as field.control is")
	}
	return r.readDemands()
}

// vector reads one field; nil where it is not given.
func (r *fieldReader) vector(name string, f *caiov1.Field) (field.Vector, error) {
	if f == nil {
		return nil, nil
	}
	v, err := field.New(name, f.Re, f.Im)
	if err != nil {
		return nil, err
	}
	if r.first == "" {
		r.first, r.out.dimension = name, len(v)
	}
	return v, v.Of(name, r.out.dimension, r.first)
}

func (r *fieldReader) readDemands() error {
	demands := r.state.TraitDemands
	if len(demands) > 0 && r.traits == nil {
		return fmt.Errorf("field.traits: must be given, as field.trait_demands are")
	}
	for _, name := range slices.Sorted(maps.Keys(demands)) {
		least := demands[name]
		if !(least >= -1 && least <= 1) {
			return fmt.Errorf("field.trait_demands.%s: %v is not in [-1, 1]", name, least)
		}
		r.out.demands = append(r.out.demands, traitDemand{name, least})
	}
	return nil
}

// measure measures the intent, whose high frequencies are high, and what it is compared with.
func (r *fieldReader) measure(t *field.Transform, high field.Vector) error {
	out, whole := r.out, r.intent.Energy()
	out.intent = direction(r.intent)
	out.i = share(high.Energy(), whole)
	reading := out.reading
	reading.Intensity, reading.Resonance = "projection", "correlation"
	reading.IntentEnergy, reading.HighEnergy = proto.Float64(whole), proto.Float64(high.Energy())
	reading.Conductivity = proto.Float64(field.Conductivity(high, r.intent))
	if r.state.Intensity == "matched_filter" {
		out.matched, reading.Intensity = true, r.state.Intensity
	}
	if err := r.steer(high, whole); err != nil {
		return err
	}
	if r.state.Resonance == "quality" {
		reading.Resonance = r.state.Resonance
	}
	if r.memory != nil {
		r.remember(t, whole)
	}
	return nil
}

// remember measures the memory.
func (r *fieldReader) remember(t *field.Transform, whole float64) {
	var room float64
	if limit := r.state.GetControl().GetMaxEnergy(); limit > 0 {
		room = limit
	}
	m := t.Measure(r.intent, r.memory, whole, room)
	r.out.w = field.Correlation(r.intent, r.memory)
	if r.out.reading.Resonance == "quality" {
		r.out.w = m.Quality
	}
	r.out.reading.W = proto.Float64(r.out.w)
	r.out.reading.Metrics = &caiov1.FieldMetrics{QualityDb: m.Quality, Recall: m.Recall(), Below: m.Below()}
	if room > 0 {
		r.out.reading.Metrics.Utilization = proto.Float64(m.Utilization())
	}
}

// steer finds the control signal within the energy that the intent leaves.
func (r *fieldReader) steer(high field.Vector, whole float64) error {
	control := r.state.GetControl()
	limit := whole
	if control != nil && control.MaxEnergy != nil {
		limit = *control.MaxEnergy
	}
	if !(limit >= whole) || limit-limit != 0 {
		return fmt.Errorf("field.control.max_energy: %v is not a finite number that the energy of the intent, %v, stays within: no control signal could",
			limit, whole)
	}
	modes := r.modes
	if len(modes) == 0 {
		modes = []field.Vector{high.Direction().Vector()}
	}
	if err := field.Finite("field.control.desired", control.GetDesired()); err != nil {
		return err
	}
	drive, along := field.Excite, field.Components(modes, high)
	if desired := control.GetDesired(); len(desired) > 0 {
		drive, along = field.Steer, desired
	}
	signal, err := drive(modes, along, limit-whole)
	if err != nil {
		return fmt.Errorf("field.control.desired: %w", err)
	}
	r.out.drive = proof.Drive{Signal: signal.Signal, Gram: signal.Gram, IntentEnergy: whole, MaxEnergy: limit}
	r.out.reading.Control = &caiov1.ControlSignal{Signal: signal.Signal, Energy: signal.Energy, Room: signal.Room}
	return nil
}
