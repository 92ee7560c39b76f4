package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// exported is a trace as a server returns it, with a body of about size bytes.
func exported(t testing.TB, sequence uint64, size int) (*caiov1.StoredTrace, *trace.Record) {
	t.Helper()
	m := &caiov1.Trace{
		TraceId: fmt.Sprintf("%032x", sequence), Time: timestamppb.New(time.Unix(1_800_000_000, int64(sequence)+1)), Status: "refused",
		Error: &caiov1.Error{Code: "RULE_VIOLATION", Message: strings.Repeat("x", size)},
		Request: &caiov1.Request{
			Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme"}, Context: &caiov1.Context{RequestId: "order 7"},
		},
	}
	if sequence%2 == 1 {
		m.DurationMs, m.Error.Code = 12.5, ""
		m.Decision = &caiov1.Decision{Candidates: []*caiov1.Candidate{{ServiceId: "s", Reasons: []*caiov1.Reason{{Rule: "SEC-1"}, {Rule: "R"}}}}}
		cost := 0.25
		m.Attempts = []*caiov1.Attempt{{ServiceId: "s", Observed: &caiov1.Observed{Cost: &cost, Currency: "USD"}, Violations: []*caiov1.Violation{{}}}}
		m.ServiceId = "s"
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	stored := &caiov1.StoredTrace{Sequence: sequence, Hash: "00ff", Raw: raw, Trace: m}
	r, err := trace.RecordOf(stored)
	if err != nil {
		t.Fatal(err)
	}
	return stored, &r
}

func parquetOf(t *testing.T, traces, size int) (*parquet.File, []byte) {
	t.Helper()
	var out bytes.Buffer
	e := newParquet(&out)
	for i := range traces {
		stored, r := exported(t, uint64(i), size)
		if err := e.add(stored, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.end(); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return file, out.Bytes()
}

func TestAParquetFileHoldsWhatTracesAreFoundByAndTheirBytes(t *testing.T) {
	_, raw := parquetOf(t, 2, 10)
	rows, err := parquet.Read[traceRow](bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	cost := 0.25
	want := []traceRow{{
		TraceID: strings.Repeat("0", 32), Time: time.Unix(1_800_000_000, 1).UTC(), Status: "refused", Tenant: "acme", Subject: "u1",
		RequestID: "order 7", ErrorCode: "RULE_VIOLATION", Hash: "00ff",
	}, {
		Sequence: 1, TraceID: strings.Repeat("0", 31) + "1", Time: time.Unix(1_800_000_000, 2).UTC(), DurationMs: 12.5, Status: "refused",
		Tenant: "acme", Subject: "u1", ServiceID: "s", RequestID: "order 7", Rules: []string{"R", "SEC-1"}, Violation: true,
		Cost: &cost, Currency: "USD", Hash: "00ff",
	}}
	for i := range want {
		stored, _ := exported(t, uint64(i), 10)
		want[i].Raw = stored.Raw
		if len(rows) != 2 || len(rows[i].Rules) == 0 && i == 1 {
			t.Fatalf("read back: %+v", rows)
		}
		if len(rows[i].Rules) == 0 {
			rows[i].Rules = nil
		}
		if rows[i].Time = rows[i].Time.UTC(); !reflect.DeepEqual(rows[i], want[i]) {
			t.Errorf("row %d is\n%+v, want\n%+v", i, rows[i], want[i])
		}
	}
}

func TestRowGroupsOfAParquetFileAreBounded(t *testing.T) {
	// Nothing reads the rows: the race detector would need gigabytes.
	file, _ := parquetOf(t, 40, 1<<20)
	if file.NumRows() != 40 || len(file.RowGroups()) != 2 {
		t.Errorf("%d rows in %d groups", file.NumRows(), len(file.RowGroups()))
	}
	if file, _ := parquetOf(t, 0, 0); file.NumRows() != 0 {
		t.Errorf("an empty export has %d rows", file.NumRows())
	}
}

func TestAFailedExportLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path, why := filepath.Join(dir, "traces"), errors.New("enough")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	half := func(w io.Writer) error {
		_, err := io.WriteString(w, "half")
		return errors.Join(err, why)
	}
	if err := written(path, half); !errors.Is(err, why) {
		t.Errorf("%v, want what went wrong", err)
	}
	left, err := os.ReadFile(path)
	entries, _ := os.ReadDir(dir)
	if err != nil || string(left) != "before" || len(entries) != 1 {
		t.Errorf("left: %q, %v, %v", left, entries, err)
	}
	if err := written(path, func(w io.Writer) error { _, err := io.WriteString(w, "whole"); return err }); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	left, _ = os.ReadFile(path)
	if err != nil || string(left) != "whole" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", left, info.Mode(), err)
	}
}
