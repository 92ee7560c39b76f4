package trace

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// A Retention says how long bodies are kept after their request arrived. The zero value keeps everything.
type Retention struct {
	Default time.Duration            // 0: for ever
	Tenants map[string]time.Duration // of those that have their own; 0: for ever
}

// longest returns the longest of all; 0: one is for ever.
func (r Retention) longest() time.Duration {
	longest := r.Default
	for _, of := range r.Tenants {
		if of == 0 || longest == 0 {
			return 0
		}
		longest = max(longest, of)
	}
	return longest
}

// A StoredDay is what a storage can drop at once.
type StoredDay struct {
	Name        string
	First, Next uint64    // sequences: its first, and one more than its last
	Newest      time.Time // when its last request arrived
}

// Retain removes the bodies that are kept longer than keep says, and records it as Erase does: whole days where nothing in
// them is to be kept, single traces else. It returns how many it removed. It may be called at any time and as often as
// one likes; a call that ends early is gone on with by the next.
func (l *Log) Retain(ctx context.Context, now time.Time, rand io.Reader, keep Retention) (removed int, err error) {
	if longest := keep.longest(); longest > 0 {
		if removed, err = l.dropDays(ctx, now, rand, now.Add(-longest)); err != nil {
			return removed, fmt.Errorf("retention: %w", err)
		}
	}
	erase := func(e Erasure) error {
		e.Reason = ByRetention
		n, _, err := l.Erase(ctx, now, rand, e)
		removed += n
		return err
	}
	named := slices.Sorted(maps.Keys(keep.Tenants))
	for _, tenant := range named {
		if of := keep.Tenants[tenant]; of > 0 {
			if err := erase(Erasure{Tenant: tenant, Before: now.Add(-of)}); err != nil {
				return removed, fmt.Errorf("retention of %s: %w", tenant, err)
			}
		}
	}
	if keep.Default > 0 {
		if err := erase(Erasure{Before: now.Add(-keep.Default), Except: named}); err != nil {
			return removed, fmt.Errorf("retention: %w", err)
		}
	}
	return removed, nil
}

// dropDays drops the days whose last request arrived before.
func (l *Log) dropDays(ctx context.Context, now time.Time, rand io.Reader, before time.Time) (removed int, err error) {
	days, err := l.storage.Days(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range days {
		if !d.Newest.Before(before) {
			continue
		}
		record, id, err := erasureRecord(now, rand, Erasure{Reason: ByRetention, Note: "day " + d.Name}, []uint64{d.First}, int(d.Next-d.First))
		if err != nil {
			return removed, err
		}
		record.Erasure.Ranges[0].Last = d.Next - 1
		err = l.storage.Drop(ctx, d.Name, Erasing{TraceID: id, Record: func() error { return l.Append(context.WithoutCancel(ctx), record, Durable) }})
		l.watchers.forget()
		if err != nil {
			return removed, err
		}
		removed += int(d.Next - d.First)
	}
	return removed, nil
}
