package store

import (
	"testing"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestInstalledAdaptersSurviveARestartInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if none, err := s.Adapters(t.Context()); err != nil || none != nil {
		t.Errorf("%v, %v", none, err)
	}
	want := []*caiov1.AdapterModule{{Digest: "b", Name: "b.wasm"}, {Digest: "a", Signed: true}}
	if err := s.SaveAdapters(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	got, err := s.Adapters(t.Context())
	if err != nil || len(got) != 2 || !proto.Equal(got[0], want[0]) || !proto.Equal(got[1], want[1]) {
		t.Errorf("%v, %v", got, err)
	}
}
