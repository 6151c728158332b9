package accounting

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"time"

	"storj/metainfo"
	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/metainfo/rangedloop"
	"storj/netx"
)

// span is a part of the time since the last tally that lies in one day.
type span struct {
	day  uint32
	part time.Duration
}

// spans cuts the time since the last tally by days; a first tally, and a clock set back, have none. What is beyond
// MaxGap is left out, the oldest first.
func spans(last, now time.Time) (list []span) {
	if last.IsZero() || !last.Before(now) {
		return nil
	}
	if now.Sub(last) > MaxGap {
		last = now.Add(-MaxGap)
	}
	for last.Before(now) {
		day := dayOf(last)
		end := dayStart(day + 1)
		if end.After(now) {
			end = now
		}
		list = append(list, span{day, end.Sub(last)})
		last = end
	}
	return list
}

// times returns amount x span in hours, rounded down; it does not overflow but stops at the largest number.
func (s span) times(amount int64) int64 {
	high, low := bits.Mul64(uint64(max(amount, 0)), uint64(s.part/time.Millisecond))
	const unit = uint64(time.Hour / time.Millisecond)
	if high >= unit {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, unit)
	return int64(min(quotient, math.MaxInt64))
}

// begin notes that a tally is made now, and returns for which time it counts. A tally that fails halfway counts for
// less, never twice.
func (a *Accounting) begin(ctx context.Context, which func(*lastRow) *time.Time) (list []span, err error) {
	now := time.Now().UTC().Round(0)
	err = a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		row, err := lastTable().Get(tx, struct{}{})
		if err != nil && !errors.Is(err, kv.ErrNotFound) {
			return err
		}
		last := which(&row)
		list = spans(*last, now)
		*last = now
		return lastTable().Put(tx, struct{}{}, &row)
	})
	return list, err
}

// TallyBuckets adds up all buckets and counts what they hold for the time since it was last called.
func (a *Accounting) TallyBuckets(ctx context.Context) error {
	list, err := a.opts.DB.BucketTotals(ctx)
	if err != nil {
		return fmt.Errorf("tally buckets: %w", err)
	}
	spans, err := a.begin(ctx, func(r *lastRow) *time.Time { return &r.buckets })
	if err != nil {
		return fmt.Errorf("tally buckets: %w", err)
	}
	if err := a.forgetTallies(ctx, list); err != nil {
		return fmt.Errorf("tally buckets: %w", err)
	}
	var sum totals
	for len(list) > 0 {
		some := list[:min(rowsAtOnce, len(list))]
		list = list[len(some):]
		if err := a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error { return addTotals(tx, some, spans) }); err != nil {
			return fmt.Errorf("tally buckets: %w", err)
		}
		for _, t := range some {
			sum.bytes, sum.objects, sum.segments = sum.bytes+t.EncryptedSize, sum.objects+t.Objects, sum.segments+t.Segments
		}
	}
	a.mu.Lock()
	a.totals = sum
	a.mu.Unlock()
	return nil
}

func addTotals(tx kv.Tx, list []metabase.BucketTotal, spans []span) error {
	for _, t := range list {
		key := bucketKey{t.Project, t.Bucket}
		for _, s := range spans {
			row := bucketRow{byteHours: s.times(t.EncryptedSize), objectHours: s.times(t.Objects), segmentHours: s.times(t.Segments)}
			if err := addRow(tx, bucketDays(), bucketDay{s.day, key}, &row); err != nil {
				return err
			}
		}
		row := tallyRow{bytes: t.EncryptedSize, plain: t.PlainSize, objects: t.Objects, segments: t.Segments}
		if err := tallies().Put(tx, key, &row); err != nil {
			return err
		}
	}
	return nil
}

// forgetTallies deletes the last tallies of buckets that hold nothing any more.
func (a *Accounting) forgetTallies(ctx context.Context, list []metabase.BucketTotal) error {
	held := make(map[bucketKey]bool, len(list))
	for _, t := range list {
		held[bucketKey{t.Project, t.Bucket}] = true
	}
	return a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		return tallies().Scan(tx, tallies().All(), func(key bucketKey, _ *tallyRow) (bool, error) {
			if held[key] {
				return true, nil
			}
			return true, tallies().Delete(tx, key)
		})
	})
}

// NodeTally returns the observer that counts what nodes hold.
func (a *Accounting) NodeTally() rangedloop.Observer { return &nodeTally{a: a} }

// nodeTally adds up piece sizes.
type nodeTally struct {
	a    *Accounting
	held map[metainfo.NodeAlias]int64
}

// Start begins a pass.
func (n *nodeTally) Start(context.Context, time.Time) error {
	n.held = make(map[metainfo.NodeAlias]int64)
	return nil
}

// Fork returns what adds up one range.
func (n *nodeTally) Fork(context.Context) (rangedloop.Partial, error) {
	return &heldPart{held: make(map[metainfo.NodeAlias]int64)}, nil
}

// Join adds a range.
func (n *nodeTally) Join(_ context.Context, p rangedloop.Partial) error {
	for alias, bytes := range p.(*heldPart).held {
		n.held[alias] += bytes
	}
	return nil
}

// Finish counts what was found for the time since the last pass.
func (n *nodeTally) Finish(ctx context.Context) error {
	spans, err := n.a.begin(ctx, func(r *lastRow) *time.Time { return &r.nodes })
	if err != nil {
		return fmt.Errorf("tally nodes: %w", err)
	}
	held, err := n.byNode(ctx)
	if err != nil {
		return err
	}
	for len(held) > 0 && len(spans) > 0 {
		some := take(held, rowsAtOnce)
		err := n.a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
			for node, bytes := range some {
				for _, s := range spans {
					if err := addRow(tx, nodeDays(), nodeDay{s.day, node}, &nodeRow{byteHours: s.times(bytes)}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("tally nodes: %w", err)
		}
	}
	return nil
}

func (n *nodeTally) byNode(ctx context.Context) (map[netx.NodeID]int64, error) {
	held := make(map[netx.NodeID]int64, len(n.held))
	for alias, bytes := range n.held {
		ids, err := n.a.opts.DB.NodeIDs(ctx, []metainfo.NodeAlias{alias})
		if err != nil {
			return nil, fmt.Errorf("tally nodes: alias %d: %w", alias, err)
		}
		held[ids[0]] = bytes
	}
	return held, nil
}

type heldPart struct{ held map[metainfo.NodeAlias]int64 }

// Process adds up pieces.
func (p *heldPart) Process(_ context.Context, segments []metainfo.Segment) error {
	for i := range segments {
		s := &segments[i]
		if s.IsInline() {
			continue
		}
		size := s.Redundancy.PieceSize(s.EncryptedSize)
		for _, piece := range s.Pieces {
			p.held[piece.Alias] += size
		}
	}
	return nil
}

// prune deletes rows that are too old, some in each transaction.
func (a *Accounting) prune(ctx context.Context) error {
	now := time.Now()
	day, hour := kv.AppendUint32(nil, dayOf(now.Add(-Retention))), kv.AppendUint32(nil, hourOf(now.Add(-MaxWindowAge-time.Hour)))
	for _, old := range []struct {
		table kv.Range
		until []byte
	}{{bucketDays().All(), day}, {nodeDays().All(), day}, {batches().All(), hour}} {
		r := kv.Range{Start: old.table.Start, End: append(append([]byte(nil), old.table.Start...), old.until...)}
		for more := true; more; {
			err := a.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
				count := 0
				more = false
				return kv.Scan(tx, r, func(key, _ []byte) (bool, error) {
					if count++; count > rowsAtOnce {
						more = true
						return false, nil
					}
					return true, tx.Delete(key)
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
