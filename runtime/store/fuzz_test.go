package store_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
)

func FuzzDecodeRecord(f *testing.F) {
	for _, r := range tracetest.Records(0, 5) {
		r.Raw = r.Raw[:min(len(r.Raw), 20)]
		b := store.AppendRecord(nil, &r)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte{})
	f.Add(append(bytes.Repeat([]byte{1}, 49), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := store.DecodeRecord(b)
		if err != nil {
			if !errors.Is(err, trace.ErrDamaged) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		again, err := store.DecodeRecord(store.AppendRecord(nil, r))
		if err != nil || again.Position() != r.Position() || again.TraceID != r.TraceID || !bytes.Equal(again.Raw, r.Raw) {
			t.Errorf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}

func FuzzDecodePlace(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2})
	f.Add([]byte{3, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		switch again, err := store.DecodePlace(b); {
		case err == nil && !bytes.Equal(again, b):
			t.Errorf("%x comes back as %x", b, again)
		case err != nil && !errors.Is(err, trace.ErrDamaged):
			t.Errorf("an error of no kind: %v", err)
		}
	})
}

func FuzzDecodeService(f *testing.F) {
	r := service("a", 7)
	r.Normal = nil
	b := store.EncodeService(&r)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add(append(b, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := store.DecodeService(b)
		if err != nil {
			if !errors.Is(err, trace.ErrDamaged) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		again, err := store.DecodeService(store.EncodeService(r))
		if err != nil || again.ID != r.ID || !again.Time.Equal(r.Time) || !bytes.Equal(again.Normal, r.Normal) || !bytes.Equal(again.Message, r.Message) {
			t.Errorf("%+v comes back as %+v, %v", r, again, err)
		}
	})
}
