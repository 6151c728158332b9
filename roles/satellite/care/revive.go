package care

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"storj/metainfo/kv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

const (
	// DefaultGrace is how long after a restore no garbage filter is made.
	DefaultGrace = 24 * time.Hour
	// Patience is how long nodes are waited for that are away: a node that is off empties no trash, and when it comes back
	// it keeps what it has for most of an hour. After that audits and repair see to what it has lost.
	Patience = 90 * 24 * time.Hour
	// reviveEvery is how often nodes are asked that did not answer.
	reviveEvery = 5 * time.Minute
)

// ErrRestored is returned by Hold after a restore.
var ErrRestored = errors.New("the database was restored: garbage is not collected until nodes have revived their trash")

// ReviverOptions says what a Reviver works with. A zero field is its default.
type ReviverOptions struct {
	DB *metabase.DB
	// Restore asks a node to take pieces out of its trash, and returns how many.
	Restore func(ctx context.Context, node netx.NodeID, since time.Time) (int64, error)
	Online  func(node netx.NodeID) bool
	Event   func(text string)
	Grace   time.Duration // negative: none
	Every   time.Duration
	Log     zerolog.Logger
}

// Reviver has nodes revive their trash after a restore.
type Reviver struct {
	opts ReviverOptions
	log  zerolog.Logger

	mu      sync.Mutex  // guards the fields below
	mark    restoredRow // zero: not restored
	revived map[netx.NodeID]bool
}

// NewReviver returns a reviver; see Load.
func NewReviver(opts ReviverOptions) *Reviver {
	if opts.Grace == 0 {
		opts.Grace = DefaultGrace
	}
	if opts.Every == 0 {
		opts.Every = reviveEvery
	}
	if opts.Event == nil {
		opts.Event = func(string) {}
	}
	return &Reviver{opts: opts, log: opts.Log.With().Str("svc", "revive").Logger(), revived: make(map[netx.NodeID]bool)}
}

// Load reads whether the database was restored.
func (r *Reviver) Load(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.opts.DB.Store().View(ctx, func(tx kv.Tx) error {
		clear(r.revived)
		mark, err := restoredTable().Get(tx, struct{}{})
		r.mark = mark
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return revivedTable().Scan(tx, revivedTable().All(), func(id netx.NodeID, _ *revivedRow) (bool, error) {
			r.revived[id] = true
			return true, nil
		})
	})
	if err != nil {
		return fmt.Errorf("load restore: %w", err)
	}
	return nil
}

// Hold says whether filters may be made (zero node), or sent to a node. Errors: ErrRestored.
func (r *Reviver) Hold(node netx.NodeID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mark.restored.IsZero() {
		return nil
	}
	if time.Since(r.mark.restored) < r.opts.Grace || !node.IsZero() && !r.revived[node] {
		return ErrRestored
	}
	return nil
}

// Restored returns which snapshot was restored and when; zero: none was, or all has been done about it.
func (r *Reviver) Restored() (snapshot, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mark.snapshot, r.mark.restored
}

// Run asks nodes until all have answered, or there is nothing left in their trash; then it waits for ctx to end.
func (r *Reviver) Run(ctx context.Context) error {
	if snapshot, at := r.Restored(); !at.IsZero() {
		r.opts.Event(fmt.Sprintf("database restored from a backup of %s: nodes are asked to revive their trash", snapshot.Format(time.RFC3339)))
	}
	for {
		done, err := r.Round(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.Warn().Err(err).Msg("trash not revived")
		}
		if done {
			<-ctx.Done()
			return nil
		}
		timer := time.NewTimer(r.opts.Every)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Close does nothing: the database is the satellite's.
func (r *Reviver) Close() error { return nil }

// Round asks the nodes that have not answered yet, one after another, and says whether that was all.
func (r *Reviver) Round(ctx context.Context) (done bool, err error) {
	snapshot, at := r.Restored()
	if at.IsZero() {
		return true, nil
	}
	nodes, err := r.opts.DB.Nodes(ctx)
	if err != nil {
		return false, err
	}
	left := 0
	for _, n := range nodes {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if r.Hold(n.ID) == nil || r.isRevived(n.ID) {
			continue
		}
		if !r.opts.Online(n.ID) {
			left++
			continue
		}
		if failure := r.revive(ctx, n.ID, snapshot.Add(-pieces.MaxClockSkew)); failure != nil {
			left++
			err = failure
		}
	}
	age := time.Since(at)
	if age < r.opts.Grace || left > 0 && age < Patience {
		return false, err
	}
	return true, r.forget(ctx)
}

func (r *Reviver) isRevived(node netx.NodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revived[node]
}

func (r *Reviver) revive(ctx context.Context, node netx.NodeID, since time.Time) error {
	count, err := r.opts.Restore(ctx, node, since)
	if err != nil {
		return err
	}
	err = r.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		return revivedTable().Put(tx, node, &revivedRow{at: time.Now().UTC().Round(0), pieces: count})
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.revived[node] = true
	r.mu.Unlock()
	r.log.Info().Stringer("node", node).Int64("count", count).Msg("trash revived")
	if count > 0 {
		r.opts.Event(fmt.Sprintf("node %s revived %d pieces", node.Short(), count))
	}
	return nil
}

// forget ends the restore.
func (r *Reviver) forget(ctx context.Context) error {
	err := r.opts.DB.Store().Update(ctx, func(tx kv.Tx) error {
		if err := restoredTable().Delete(tx, struct{}{}); err != nil {
			return err
		}
		return deleteAll(tx, revivedTable().All())
	})
	if err != nil {
		return fmt.Errorf("forget restore: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mark = restoredRow{}
	return nil
}
