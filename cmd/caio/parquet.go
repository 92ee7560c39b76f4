package main

import (
	"io"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A traceRow is a trace as a row of a Parquet file: what one asks for in tables as columns, and the bytes that hold
// everything else. Texts that are not there are empty.
type traceRow struct {
	Sequence   uint64    `parquet:"sequence"` // position in the log
	TraceID    string    `parquet:"trace_id"`
	Time       time.Time `parquet:"time,timestamp(nanosecond)"` // UTC
	DurationMs float64   `parquet:"duration_ms"`
	Status     string    `parquet:"status,dict"`
	Tenant     string    `parquet:"tenant,dict"`
	Subject    string    `parquet:"subject,dict"`
	ServiceID  string    `parquet:"service_id,dict"`
	RequestID  string    `parquet:"request_id"`
	Rules      []string  `parquet:"rules,list"` // as trace.Record has them
	Violation  bool      `parquet:"violation"`
	Cost       *float64  `parquet:"cost,optional"` // null: unknown
	Currency   string    `parquet:"currency,dict"`
	ErrorCode  string    `parquet:"error_code,dict"`
	Hash       string    `parquet:"hash"` // sha256 of raw, in hex
	Raw        []byte    `parquet:"raw"`  // the serialized caio.v1.Trace
}

// A row group is in memory until it is written.
const (
	groupRows  = 50_000
	groupBytes = 32 << 20 // of Raw, unless a single trace has more
)

// parquetFile writes rows to a Parquet file.
type parquetFile struct {
	w    *parquet.GenericWriter[traceRow]
	rows int // in the row group
	size int // bytes of Raw in it
}

func newParquet(w io.Writer) exporter {
	return &parquetFile{w: parquet.NewGenericWriter[traceRow](w, parquet.Compression(&parquet.Zstd),
		parquet.SkipPageBounds("raw"), parquet.SkipPageBounds("hash"))}
}

func (p *parquetFile) add(stored *caiov1.StoredTrace, r *trace.Record) error {
	t := stored.GetTrace()
	row := traceRow{
		Sequence: r.Sequence, TraceID: r.TraceID, Time: r.Time, DurationMs: r.DurationMs, Status: r.Status, Tenant: r.Tenant,
		Subject: t.GetRequest().GetPrincipal().GetSubject(), ServiceID: t.GetServiceId(), RequestID: r.RequestID, Rules: r.Rules,
		Violation: r.Violation, ErrorCode: t.GetError().GetCode(), Hash: stored.GetHash(), Raw: r.Raw,
	}
	if cost, currency := trace.CostOf(t.GetAttempts()); currency != "" {
		row.Cost, row.Currency = &cost, currency
	}
	if _, err := p.w.Write([]traceRow{row}); err != nil {
		return err
	}
	p.size += len(r.Raw)
	if p.rows++; p.rows >= groupRows || p.size >= groupBytes {
		p.rows, p.size = 0, 0
		return p.w.Flush()
	}
	return nil
}

func (p *parquetFile) end() error { return p.w.Close() }
