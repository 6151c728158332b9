package retain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"storj/netx"
	"storj/pieces"
	"storj/pieces/filter"
	"storj/roles/storagenode/durable"
)

// retryAfter is how long a filter waits whose application failed: the disk may come back.
const retryAfter = 10 * time.Minute

// Run applies filters until ctx ends. One that is interrupted is applied from its start after the next start.
func (c *Collector) Run(ctx context.Context) error {
	timer := time.NewTimer(retryAfter)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.wake:
		case <-timer.C:
		}
		if failed := c.applyAll(ctx); failed {
			timer.Reset(retryAfter)
		}
	}
}

// applyAll applies every filter that waits, each once.
func (c *Collector) applyAll(ctx context.Context) (failed bool) {
	tried := map[uint64]bool{}
	for ctx.Err() == nil {
		satellite, round, found := c.next(tried)
		if !found {
			return failed
		}
		tried[round] = true
		if err := c.apply(ctx, satellite, round); err != nil && ctx.Err() == nil {
			failed = true
			c.log.Warn().Err(err).Stringer("node", satellite).Msg("garbage filter not applied, trying again")
		}
	}
	return failed
}

func (c *Collector) next(tried map[uint64]bool) (id netx.NodeID, round uint64, found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for satellite, w := range c.waiting {
		if !tried[w.round] && (!found || w.round < round) {
			id, round, found = satellite, w.round, true
		}
	}
	return id, round, found
}

// load reads the filter of a satellite. One that cannot be read is removed.
func (c *Collector) load(satellite netx.NodeID) (*filter.Filter, time.Time, error) {
	c.mu.Lock()
	raw := c.memory[satellite]
	c.mu.Unlock()
	if c.opts.Dir != "" {
		var err error
		if raw, err = durable.Read(c.path(satellite, filterSuffix), filter.MaxSize); errors.Is(err, os.ErrNotExist) {
			return nil, time.Time{}, errStopped
		} else if err != nil && !errors.Is(err, durable.ErrDamaged) {
			return nil, time.Time{}, err
		}
	}
	f, created, err := filter.Unmarshal(raw)
	if err != nil {
		c.log.Warn().Err(err).Stringer("node", satellite).Msg("garbage filter removed")
		c.fileMu.Lock()
		defer c.fileMu.Unlock()
		return nil, created, errors.Join(errStopped, c.remove(satellite))
	}
	return f, created, nil
}

func (c *Collector) apply(ctx context.Context, satellite netx.NodeID, round uint64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.running, c.stop = satellite, cancel
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.running, c.stop = netx.NodeID{}, nil
	}()
	f, created, err := c.load(satellite)
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	w := walk{c: c, ctx: ctx, filter: f, result: Result{Satellite: satellite, Created: created}}
	err = c.opts.Store.Pieces(ctx, satellite, w.piece)
	if err == nil {
		err = w.flush()
	}
	c.trashed.Add(int(w.result.Trashed))
	c.bytes.Add(int(w.result.Bytes))
	if err != nil {
		if errors.Is(context.Cause(ctx), errStopped) {
			return nil
		}
		return fmt.Errorf("apply garbage filter of %s: %w", satellite, err)
	}
	return c.applied(w.result, round)
}

// applied notes a result and removes the filter, unless another one has come.
func (c *Collector) applied(r Result, round uint64) error {
	r.Applied = c.opts.Now().UTC()
	c.log.Info().Stringer("node", r.Satellite).Int64("pieces", r.Trashed).Int64("bytes", r.Bytes).Time("created", r.Created).
		Msg("garbage put into the trash")
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	c.mu.Lock()
	c.last[r.Satellite] = r
	replaced := c.waiting[r.Satellite].round != round
	c.mu.Unlock()
	if replaced {
		return nil
	}
	return c.remove(r.Satellite)
}

// walk is one application of one filter.
type walk struct {
	c      *Collector
	ctx    context.Context // of this one application
	filter *filter.Filter
	result Result
	batch  []pieces.PieceID
	bytes  int64 // of batch
}

func (w *walk) piece(info pieces.Info) error {
	w.result.Checked++
	if !info.Trashed.IsZero() || !info.Created.Before(w.result.Created) || w.filter.Contains(info.Piece) {
		return nil
	}
	w.batch = append(w.batch, info.Piece)
	w.bytes += info.Size
	if len(w.batch) < trashBatch {
		return nil
	}
	return w.flush()
}

// flush puts a batch into the trash, unless the filter was withdrawn: Drop and this exclude each other.
func (w *walk) flush() error {
	w.c.fileMu.Lock()
	defer w.c.fileMu.Unlock()
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if len(w.batch) == 0 {
		return nil
	}
	if err := w.c.opts.Store.Trash(w.ctx, w.result.Satellite, w.batch, w.c.opts.Now()); err != nil {
		return err
	}
	w.result.Trashed += int64(len(w.batch))
	w.result.Bytes += w.bytes
	w.batch, w.bytes = w.batch[:0], 0
	return nil
}
