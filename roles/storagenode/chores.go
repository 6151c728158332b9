package storagenode

import (
	"context"
	"fmt"
	"time"

	"storj/pieces"
	"storj/roles/lifecycle"
)

const (
	// trashKept is how long a piece in the trash can be restored: a week to notice that a satellite was wrong.
	trashKept = 7 * 24 * time.Hour

	choresEvery = time.Hour
	disksEvery  = time.Minute
	choreJitter = 0.1
)

// addChores adds what is done at intervals.
func (n *Node) addChores() {
	opts := lifecycle.LoopOptions{Log: n.opts.Log, Jitter: choreJitter}
	n.group.Add("trash", lifecycle.NewLoop("trash", n.opts.ChoresEvery, n.emptyTrash, opts))
	n.group.Add("settle", lifecycle.NewLoop("settle", n.opts.ChoresEvery, n.settle, opts))
	opts.AtOnce = true
	n.group.Add("expire", lifecycle.NewLoop("expire", n.opts.ChoresEvery, n.deleteExpired, opts))
	n.group.Add("disks", lifecycle.Func(n.runDisks))
	n.group.Add("forget", lifecycle.Func(n.runForget))
}

func (n *Node) emptyTrash(ctx context.Context) error {
	now, known := n.expiryTime()
	if !known {
		return nil // a satellite that is reached may first want something back
	}
	before := now.Add(-trashKept)
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
	now, known := n.expiryTime()
	if !known {
		return nil
	}
	deleted, err := n.store.DeleteExpired(ctx, now)
	if err != nil {
		return fmt.Errorf("delete expired pieces: %w", err)
	}
	if deleted > 0 {
		n.log.Info().Int64("pieces", deleted).Msg("expired pieces deleted")
	}
	return nil
}

// expiryTime is by which time pieces count as expired, and trash as old: the earliest of this clock and those of the satellites that took
// a report since the start. It is not known before one did. What expires is gone for good, so a clock that is a year
// ahead, or jumps there between two reports, must not decide alone; time since a report is that of the monotonic clock.
func (n *Node) expiryTime() (now time.Time, known bool) {
	local := n.opts.Now()
	now = local.Round(0)
	for _, s := range n.contact.Status() {
		if s.LastContact.IsZero() {
			continue
		}
		known = true
		theirs := s.LastContact.Add(local.Sub(s.LastContact) - s.Skew).Round(0)
		if theirs.Before(now) {
			now = theirs
		}
	}
	return now, known
}

// runDisks looks at the store's directories until ctx ends. A node none of whose disks serves goes on: satellites are to be
// told, and the disks may come back.
func (n *Node) runDisks(ctx context.Context) error {
	ticker := time.NewTicker(n.opts.WatchEvery)
	defer ticker.Stop()
	watch := diskWatch{node: n, faults: make(map[string]string)}
	for {
		watch.look()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// diskWatch logs what becomes of directories and has satellites told. One goroutine uses it.
type diskWatch struct {
	node   *Node
	faults map[string]string // by path, as last seen
}

func (w *diskWatch) look() {
	for _, dir := range w.node.store.Space().Dirs {
		if w.faults[dir.Path] == dir.Fault {
			continue
		}
		w.faults[dir.Path] = dir.Fault
		w.tell(dir)
	}
}

func (w *diskWatch) tell(dir pieces.DirStatus) {
	if dir.Fault == "" {
		w.node.log.Info().Str("path", dir.Path).Msg("storage directory is back")
	} else {
		w.node.log.Error().Str("path", dir.Path).Str("fault", dir.Fault).
			Str("hint", "mount the disk again: it is taken back by itself; if it is lost: storj node disk forget PATH").
			Msg("storage directory failed")
	}
	w.node.contact.Wake()
}
