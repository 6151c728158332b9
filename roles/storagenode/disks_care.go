package storagenode

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"storj/ecenc/wire"
	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
	"storj/pieces/logstore"
)

// diskStore is a store on disks that can be lost and moved.
type diskStore interface {
	Lost(ctx context.Context, path string, fn func(netx.NodeID, []pieces.PieceID) error) error
	Drop(path string) error
	Move(ctx context.Context, from, to string, how logstore.Moving) error
}

var _ diskStore = (*logstore.Store)(nil)

// forgetDisk gives a disk up for good: what its index still names is reported to the satellites, which replace it without
// penalty; the rest they find out by their audits. It returns how many pieces were reported.
func (n *Node) forgetDisk(ctx context.Context, path string) (reported int64, err error) {
	store, ok := n.scrubbed().(diskStore)
	if !ok {
		return 0, ErrNotLost
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return 0, fmt.Errorf("forget disk: %w", err)
	}
	err = store.Lost(ctx, path, func(satellite netx.NodeID, ids []pieces.PieceID) error {
		if err := n.reportDamage(ctx, satellite, ids); err != nil {
			return fmt.Errorf("tell satellite %s: %w", satellite.Short(), err)
		}
		reported += int64(len(ids))
		return nil
	})
	switch {
	case errors.Is(err, pieces.ErrNotFound), errors.Is(err, pieces.ErrExists):
		return 0, fmt.Errorf("%w: %w", ErrNotLost, err)
	case errors.Is(err, pieces.ErrDisk):
		n.log.Warn().Err(err).Str("path", path).Msg("nothing known of the pieces on a lost disk: satellites find out by audits")
	case err != nil:
		return reported, err
	}
	if err := store.Drop(path); errors.Is(err, pieces.ErrExists) || errors.Is(err, pieces.ErrNotFound) {
		return reported, fmt.Errorf("%w: %w", ErrNotLost, err)
	} else if err != nil {
		return reported, err
	}
	n.log.Warn().Str("path", path).Int64("pieces", reported).Msg("storage directory forgotten")
	n.contact.Wake()
	return reported, n.changeDisks(func(list *diskList) {
		if !slices.Contains(list.Lost, path) {
			list.Lost = append(list.Lost, path)
		}
	})
}

// changeDisks changes the list of disks durably.
func (n *Node) changeDisks(change func(*diskList)) error {
	n.disksMu.Lock()
	defer n.disksMu.Unlock()
	path := filepath.Join(n.opts.Dir, disksFile)
	list, err := readDiskList(path)
	if err != nil {
		return err
	}
	change(&list)
	return list.save(path)
}

// moveDisk moves what lies in one directory to another.
func (n *Node) moveDisk(ctx context.Context, from, to string, progress func(copied, total int64)) (err error) {
	store, ok := n.scrubbed().(diskStore)
	if !ok {
		return pieces.ErrNotFound
	}
	for _, path := range []*string{&from, &to} {
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("move disk: %w", err)
		}
	}
	err = store.Move(ctx, from, to, logstore.Moving{Progress: progress, Switch: func() error {
		return n.changeDisks(func(list *diskList) { list.note(from, to) })
	}})
	if err == nil {
		n.contact.Wake()
	}
	return err
}

// progressEvery is how often the owner is told how far a move is.
const progressEvery = 500 * time.Millisecond

// serveMove moves a disk for the owner, for as long as the owner waits.
func (n *Node) serveMove(ctx context.Context, peer rpc.Peer, raw []byte, st *rpc.ServerStream) error {
	if peer.ID != n.id.ID() {
		return ErrNotOwner
	}
	var req MoveRequest
	if err := wire.Unmarshal(raw, &req); err != nil {
		return pieces.ErrMalformed
	}
	if err := st.Reply(new(pieces.Empty)); err != nil {
		return err
	}
	var last time.Time
	var lost error
	frame := &moveFrame{}
	err := n.moveDisk(ctx, req.From, req.To, func(copied, total int64) {
		frame.Bytes, frame.Total = copied, total
		if now := time.Now(); now.Sub(last) >= progressEvery && lost == nil {
			last = now
			lost = writeProgress(st, frame)
		}
	})
	if err != nil {
		n.log.Warn().Err(err).Msg("storage directory not moved")
	}
	frame.Done = err == nil
	frame.code, frame.reason = netx.Classify(err)
	if err := writeProgress(st, frame); err != nil {
		return err
	}
	return st.CloseWrite()
}
