package adapter

import (
	goruntime "runtime"
	"testing"
	"time"
)

func TestInstancesThatRestAreLetGo(t *testing.T) {
	a := find(t, open(t, Options{IdleAfter: 20 * time.Millisecond}), newGuest().build(), "hand")
	resting := func() int {
		a.module.mu.Lock()
		defer a.module.mu.Unlock()
		return len(a.module.idle)
	}
	for range 2 {
		if _, err := a.Step(t.Context(), nil, started); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); resting() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d instances rest", resting())
			}
		}
	}
}

func TestThoseThatRestLongestAreLetGoFirst(t *testing.T) {
	m := find(t, open(t, Options{}), newGuest().build(), "hand").module
	now := time.Now()
	for range 3 {
		in, err := m.another()
		if err != nil {
			t.Fatal(err)
		}
		m.idle = append(m.idle, in)
	}
	for i, in := range m.idle {
		in.rested = now.Add(time.Duration(i) * time.Second)
	}
	left := m.idle[2]
	m.trim(now.Add(1500 * time.Millisecond))
	if len(m.idle) != 2 || m.idle[0] != left {
		t.Errorf("%d rest", len(m.idle))
	}
}

// TestARetiredModuleServesWhomItHasAndIsThenGivenBack: an execution holds its Adapter.
func TestARetiredModuleServesWhomItHasAndIsThenGivenBack(t *testing.T) {
	r := open(t, small)
	held := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.held)
	}
	a := find(t, r, newGuest().build(), "hand")
	a.module.Retire()
	for range 3 {
		if _, err := a.Step(t.Context(), nil, started); err != nil {
			t.Fatal(err)
		}
		if n := len(a.module.idle); n != 0 {
			t.Errorf("%d instances rest", n)
		}
	}
	if held() != 1 {
		t.Errorf("%d modules are held", held())
	}
	goruntime.KeepAlive(a)
	a = nil
	for deadline := time.Now().Add(10 * time.Second); held() > 0; time.Sleep(time.Millisecond) {
		if goruntime.GC(); time.Now().After(deadline) {
			t.Fatal("it is held on to")
		}
	}
}
