package contract

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// TestColumnAgreesWithAListOfNumbers changes a column at random, growing and shrinking through many chunks, and holds
// it, and snapshots of it, against a plain map.
func TestColumnAgreesWithAListOfNumbers(t *testing.T) {
	const slots = 3000
	random := rand.New(rand.NewPCG(3, 3))
	numbers := []float64{math.Inf(-1), math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1)}
	draw := func() float64 {
		if random.IntN(3) == 0 {
			return numbers[random.IntN(len(numbers))]
		}
		return float64(random.IntN(400))
	}
	type snapshot struct {
		column *column
		model  map[int32]float64
	}
	var column *column
	var past []snapshot
	model := map[int32]float64{}
	var all []entry
	for slot := range int32(slots / 2) {
		model[slot] = draw()
		all = append(all, entry{model[slot], slot})
	}
	column = newColumn(all)
	for step := range 12_000 {
		slot := int32(random.IntN(slots))
		// Grows to nearly all slots, shrinks to none, and so on.
		grow := step/3000%2 == 0
		if old, there := model[slot]; there && (!grow || random.IntN(4) == 0) {
			column = column.without(entry{old, slot})
			delete(model, slot)
		} else if !there && (grow || random.IntN(8) == 0) {
			model[slot] = draw()
			column = column.with(entry{model[slot], slot})
		}
		if step%40 == 0 {
			checkColumn(t, column, model, slots, draw())
		}
		if step%1500 == 0 {
			past = append(past, snapshot{column, cloneModel(model)})
		}
	}
	for slot, value := range model {
		column = column.without(entry{value, slot})
	}
	if column != nil {
		t.Errorf("%d chunks are left of an empty column", len(column.chunks))
	}
	for _, s := range past {
		checkColumn(t, s.column, s.model, slots, draw())
	}
}

func cloneModel(m map[int32]float64) map[int32]float64 {
	c := make(map[int32]float64, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}

func checkColumn(t *testing.T, c *column, model map[int32]float64, slots int, x float64) {
	t.Helper()
	entries := 0
	if c != nil {
		for i, chunk := range c.chunks {
			entries += len(chunk)
			if len(chunk) == 0 || len(chunk) > 2*chunkSize || i > 0 && len(c.chunks[i-1])+len(chunk) < chunkSize/2 {
				t.Fatalf("chunk %d of %d has %d entries", i, len(c.chunks), len(chunk))
			}
			if c.upTo[i].words.Count() != entries {
				t.Fatalf("up to chunk %d: %d slots, want %d", i, c.upTo[i].words.Count(), entries)
			}
		}
	}
	if entries != len(model) {
		t.Fatalf("%d entries, want %d", entries, len(model))
	}
	few := bitset.Of(slots)
	for slot := len(model) % 7; slot < slots; slot += 191 {
		few.Add(slot)
	}
	for _, from := range []bitset.Set{bitset.Full(slots), few} {
		least, most := narrow(bitset.Of(slots), from, spanOf(from)), narrow(bitset.Of(slots), from, spanOf(from))
		c.atLeast(&least, x)
		c.atMost(&most, x)
		for slot := range slots {
			value, there := model[int32(slot)]
			there = there && from.Has(slot)
			if least.set.Has(slot) != (there && value >= x) || most.set.Has(slot) != (there && value <= x) {
				t.Fatalf("slot %d: %v, %v; at least %v: %v, at most: %v", slot, value, there, x, least.set.Has(slot), most.set.Has(slot))
			}
		}
	}
}
