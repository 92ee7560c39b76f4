package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// version returns version n of the policies; of one that restores another there are no files.
func version(n, restores uint32) store.PolicyRecord {
	r := store.PolicyRecord{PolicyVersion: store.PolicyVersion{
		Number: n, Digest: fmt.Sprint("d", n), Author: "a", ActivatedBy: "u1", Reason: "because", Time: time.Unix(int64(n), 7).UTC(),
		Restores: restores, Rules: 3, FileCount: 2,
	}}
	if restores == 0 {
		r.Files = map[string][]byte{"routing/a.rego": fmt.Appendf(nil, "# %d", n), "data.json": bytes.Repeat([]byte("x"), 5000)}
	}
	return r
}

func TestVersionsOfPoliciesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	if _, err := s.PolicyRecord(t.Context(), 0); !errors.Is(err, store.ErrNoVersion) {
		t.Errorf("a new store: %v", err)
	}
	if err := s.SavePolicies(t.Context(), version(1, 0), version(2, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.SavePolicies(t.Context(), version(3, 1), version(4, 0), version(5, 3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, store.Options{})
	last, err := s.PolicyRecord(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	want := version(5, 3)
	want.Files = version(1, 0).Files
	if !reflect.DeepEqual(*last, want) {
		t.Errorf("got %+v, want %+v", *last, want)
	}
	for _, c := range []struct {
		before uint32
		limit  int
		want   []uint32
	}{{0, 10, []uint32{5, 4, 3, 2, 1}}, {0, 2, []uint32{5, 4}}, {3, 10, []uint32{2, 1}}, {1, 10, nil}, {9, 1, []uint32{5}}} {
		versions, err := s.Policies(t.Context(), c.before, c.limit)
		var got []uint32
		for _, v := range versions {
			got = append(got, v.Number)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("before %d, at most %d: %v, %v, want %v", c.before, c.limit, got, err, c.want)
		}
	}
}

func TestVersionsOfPoliciesHaveNoGap(t *testing.T) {
	s := open(t, "", store.Options{InMemory: true})
	if err := s.SavePolicies(t.Context(), version(1, 0), version(2, 1)); err != nil {
		t.Fatal(err)
	}
	both := version(3, 0)
	both.Restores = 1
	for name, records := range map[string][]store.PolicyRecord{
		"the same again":            {version(2, 0)},
		"one left out":              {version(4, 0)},
		"a good one and a bad":      {version(3, 0), version(5, 0)},
		"restores none there is":    {version(3, 9)},
		"restores itself":           {version(3, 3)},
		"restores and brings files": {both},
	} {
		if err := s.SavePolicies(t.Context(), records...); !errors.Is(err, store.ErrVersion) || !errors.Is(err, trace.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if last, err := s.PolicyRecord(t.Context(), 0); err != nil || last.Number != 2 {
		t.Errorf("the last is %+v, %v", last, err)
	}
	large := version(3, 0)
	large.Files["data.json"] = make([]byte, 2<<20)
	if err := s.SavePolicies(t.Context(), large); !errors.Is(err, trace.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

// A version that is lost would bring an older set of rules back into force, silently.
func TestALostVersionOfPoliciesIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	if err := s.SavePolicies(t.Context(), version(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "head")
	head := binary.BigEndian.AppendUint64(make([]byte, 8), 2)
	write(t, name, checked(head))
	if _, err := store.Open(dir, store.Options{}); !errors.Is(err, trace.ErrDamaged) || !strings.Contains(err.Error(), "1 versions of policies") {
		t.Errorf("two versions were acknowledged, one is there: %v", err)
	}
}

func checked(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodePolicies(f *testing.F) {
	r := version(7, 0)
	f.Add(store.EncodeVersion(&r.PolicyVersion), store.EncodeFiles(r.Files))
	f.Add([]byte{}, []byte{1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		v, err := store.DecodeVersion(a)
		if err == nil {
			if again, err := store.DecodeVersion(store.EncodeVersion(v)); err != nil || !reflect.DeepEqual(again, v) {
				t.Errorf("%+v comes back as %+v, %v", v, again, err)
			}
		} else if !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("an error of no kind: %v", err)
		}
		files, err := store.DecodeFiles(b)
		if err == nil {
			again, err := store.DecodeFiles(store.EncodeFiles(files))
			if err != nil || !maps.EqualFunc(again, files, bytes.Equal) {
				t.Errorf("%v comes back as %v, %v", files, again, err)
			}
		} else if !errors.Is(err, trace.ErrDamaged) {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}
