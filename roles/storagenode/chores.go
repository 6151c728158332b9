package storagenode

import (
	"context"
	"fmt"
	"time"

	"storj/roles/lifecycle"
)

const (
	// trashKept is how long a piece in the trash can be restored: a week to notice that a satellite was wrong.
	trashKept = 7 * 24 * time.Hour

	expireEvery = time.Hour
	trashEvery  = time.Hour
	disksEvery  = time.Minute
	choreJitter = 0.1
)

// addChores adds what is done at intervals.
func (n *Node) addChores() {
	opts := lifecycle.LoopOptions{Log: n.opts.Log, Jitter: choreJitter}
	n.group.Add("trash", lifecycle.NewLoop("trash", trashEvery, n.emptyTrash, opts))
	opts.AtOnce = true
	n.group.Add("expire", lifecycle.NewLoop("expire", expireEvery, n.deleteExpired, opts))
	watch := diskWatch{node: n, faults: make(map[string]string)}
	n.group.Add("disks", lifecycle.NewLoop("disks", disksEvery, watch.look, opts))
}

func (n *Node) emptyTrash(ctx context.Context) error {
	before := n.opts.Now().Add(-trashKept)
	var deleted int64
	for satellite := range n.store.Usage() {
		count, err := n.store.EmptyTrash(ctx, satellite, before)
		if err != nil {
			return fmt.Errorf("empty trash of %s: %w", satellite, err)
		}
		deleted += count
	}
	if deleted > 0 {
		n.log.Info().Int64("pieces", deleted).Msg("trash emptied")
	}
	return nil
}

func (n *Node) deleteExpired(ctx context.Context) error {
	deleted, err := n.store.DeleteExpired(ctx, n.opts.Now())
	if err != nil {
		return fmt.Errorf("delete expired pieces: %w", err)
	}
	if deleted > 0 {
		n.log.Info().Int64("pieces", deleted).Msg("expired pieces deleted")
	}
	return nil
}

// diskWatch logs what becomes of the store's directories and has satellites told. It is used by one loop.
type diskWatch struct {
	node   *Node
	faults map[string]string // by path, as last seen
}

func (w *diskWatch) look(context.Context) error {
	for _, dir := range w.node.store.Space().Dirs {
		if w.faults[dir.Path] == dir.Fault {
			continue
		}
		w.faults[dir.Path] = dir.Fault
		if dir.Fault == "" {
			w.node.log.Info().Str("path", dir.Path).Msg("storage directory is back")
		} else {
			w.node.log.Error().Str("path", dir.Path).Str("fault", dir.Fault).
				Str("hint", "is the disk mounted? Its pieces are out of reach until it is; the others are served").
				Msg("storage directory failed")
		}
		w.node.contact.Wake()
	}
	return nil
}
