package storagenode

import (
	"context"
	"errors"
	"fmt"
	"time"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/piecenode"
	"storj/roles/storagenode/retain"
	"storj/roles/storagenode/scrub"
)

// openCare opens what looks after the pieces, and the piece protocol which brings its work.
func (n *Node) openCare(context.Context) (err error) {
	n.collector, err = retain.New(retain.Options{
		Dir: n.stateDir(retainDir), Store: n.store, Now: n.opts.Now, Metrics: n.opts.Metrics, Log: n.opts.Log,
	})
	if err != nil {
		return err
	}
	n.group.Add("retain", n.collector)
	dir := n.opts.Dir
	if n.opts.InMemory {
		dir = ""
	}
	n.scrub, err = scrub.New(scrub.Options{
		Dir: dir, Store: n.scrubbed(), Every: n.opts.Scrub, Report: n.reportDamage, Now: n.opts.Now,
		Stored:  func() int64 { space := n.store.Space(); return space.Used + space.Trash },
		Metrics: n.opts.Metrics, Log: n.opts.Log,
	})
	if err != nil {
		return err
	}
	n.group.Add("scrub", n.scrub)
	n.pieces = piecenode.New(piecenode.Options{
		ID: n.id.ID(), Store: n.store, Keys: n.contact, Version: n.opts.Version, Metrics: n.opts.Metrics, Now: n.opts.Now,
		Ledger: ledger{n}, Throttle: n.gate, Collector: n.collector,
	})
	return n.openOrders(n.pieces.MarkUsed)
}

// scrubbed is the store below the one that watches: it has the power to scrub.
func (n *Node) scrubbed() pieces.Store { return n.store.(*watchedStore).Store }

// reportDamage tells a satellite that pieces are damaged or lost.
func (n *Node) reportDamage(ctx context.Context, satellite netx.NodeID, ids []pieces.PieceID) error {
	url, err := n.contact.URL(satellite)
	if err != nil {
		return nil // it was forgotten: nobody wants them
	}
	return n.pool.CallWith(ctx, rpc.CallOptions{
		Peer: url, Purpose: netx.Control, Method: pieces.MethodReportDamage, Idempotent: true,
	}, &pieces.DamageReport{Pieces: ids}, new(pieces.Empty), pieces.Errors())
}

// rotten has a satellite told about a piece that could not be read.
func (n *Node) rotten(satellite netx.NodeID, piece pieces.PieceID) {
	if err := n.scrub.Damaged(satellite, []pieces.PieceID{piece}); err != nil {
		n.log.Warn().Err(err).Stringer("piece", piece).Msg("damaged piece not noted: the next scrub finds it again")
	}
}

// ErrNotExited is returned for a satellite whose pieces are still needed.
var ErrNotExited = netx.Sentinel(netx.Conflict, 191, "the satellite still needs this node's pieces: leave it with `storj node exit` first, or insist")

// ErrNotLost is returned for a disk that is being served, or is none of the node's.
var ErrNotLost = netx.Sentinel(netx.Conflict, 192, "this disk is served, is the only one, or is none of this node's")

// exit has the node leave a satellite, or stay.
func (n *Node) exit(satellite netx.NodeID, cancel bool) error {
	return n.contact.SetExiting(satellite, !cancel)
}

// forget ends the relation to a satellite. Its pieces are deleted by runForget.
func (n *Node) forget(satellite netx.NodeID, insist bool) error {
	for _, s := range n.contact.Status() {
		if s.Satellite.ID == satellite && s.Standing.State != pieces.Exited && n.store.Usage()[satellite] != (pieces.Usage{}) && !insist {
			return ErrNotExited
		}
	}
	if err := n.contact.Forget(satellite); err != nil {
		return err
	}
	select {
	case n.forgets <- struct{}{}:
	default: // it is looked at already
	}
	return nil
}

// forgetRetry is how long a deletion waits that failed.
const forgetRetry = time.Hour

// runForget deletes what is stored for satellites that were forgotten, until ctx ends.
func (n *Node) runForget(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.forgets:
		case <-timer.C:
		}
		for _, satellite := range n.contact.Forgotten() {
			if err := n.deleteAll(ctx, satellite); err != nil && ctx.Err() == nil {
				n.log.Warn().Err(err).Stringer("node", satellite).Msg("pieces of a forgotten satellite not deleted, trying again")
				timer.Reset(forgetRetry)
			}
		}
	}
}

// forever is a date after all that pieces have.
func forever() time.Time { return time.Unix(1<<32-1, 0) }

// deleteAll deletes everything of a satellite that was forgotten.
func (n *Node) deleteAll(ctx context.Context, satellite netx.NodeID) error {
	err := errors.Join(n.collector.Drop(satellite), n.scrub.Drop(satellite), n.orders.Drop(satellite))
	if err != nil {
		return err
	}
	var batch []pieces.PieceID
	trash := func() error {
		err := n.store.Trash(ctx, satellite, batch, n.opts.Now())
		batch = batch[:0]
		return err
	}
	err = n.store.Pieces(ctx, satellite, func(info pieces.Info) error {
		if batch = append(batch, info.Piece); len(batch) < 1000 {
			return nil
		}
		return trash()
	})
	if err == nil {
		err = trash()
	}
	if err != nil {
		return fmt.Errorf("delete pieces of %s: %w", satellite, err)
	}
	count, err := n.store.EmptyTrash(ctx, satellite, forever())
	if err != nil {
		return fmt.Errorf("delete pieces of %s: %w", satellite, err)
	}
	for _, dir := range n.store.Space().Dirs {
		if dir.Fault != "" {
			return fmt.Errorf("delete pieces of %s: %w: %s", satellite, pieces.ErrDisk, dir.Path)
		}
	}
	n.log.Info().Stringer("node", satellite).Int64("pieces", count).Msg("satellite forgotten")
	return n.contact.Forgot(satellite)
}
