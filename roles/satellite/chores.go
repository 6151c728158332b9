package satellite

import (
	"context"
	"errors"
	"time"

	"storj/metainfo"
)

const (
	// choreJitter spreads the rounds of chores, as part of their interval.
	choreJitter = 0.2
	// zombieAge is how long after its last sign of life an upload is ended: no token of it is good any more.
	zombieAge = metainfo.MaxUploadAge
)

type chore struct {
	name string
	run  func(ctx context.Context) error
}

// chores are the deletions that nobody asks for.
func (s *Satellite) chores() []chore {
	return []chore{
		{"expired", s.unlessDoubted(s.deleteExpired)},
		{"zombies", s.unlessDoubted(s.deleteZombies)},
		{"sweep", s.sweepDead},
	}
}

func (s *Satellite) deleteExpired(ctx context.Context) error {
	total := 0
	for more := true; more && ctx.Err() == nil; {
		deleted, again, err := s.db.DeleteExpiredBatch(ctx, time.Now())
		if err != nil {
			return err
		}
		total, more = total+deleted, again
	}
	s.noteChore("expired objects deleted", total)
	return nil
}

func (s *Satellite) deleteZombies(ctx context.Context) error {
	deleted, err := s.db.DeleteZombies(ctx, time.Now().Add(-s.opts.Tune.ZombieAge))
	s.noteChore("unfinished uploads deleted", deleted)
	return err
}

func (s *Satellite) sweepDead(ctx context.Context) error {
	total := 0
	for more := true; more && ctx.Err() == nil; {
		removed, again, err := s.db.SweepDead(ctx)
		if err != nil {
			return err
		}
		total, more = total+removed, again
	}
	s.noteChore("segments of deleted objects removed", total)
	return nil
}

func (s *Satellite) noteChore(what string, count int) {
	if count > 0 {
		s.log.Info().Int("count", count).Msg(what)
	}
}

// errNoNodes is what the health check says of a satellite that has lost all its nodes: likely its own network.
var errNoNodes = errors.New("no storage node is online")

// checkNodes passes a satellite that no node has joined yet: it is not ill, and a restart would not help.
func (s *Satellite) checkNodes(context.Context) error {
	if snapshot := s.directory.Snapshot(); snapshot.Len() > 0 && snapshot.Online() == 0 {
		return errNoNodes
	}
	return nil
}

func (s *Satellite) checkDatabase(ctx context.Context) error {
	_, err := s.db.Counts(ctx)
	return err
}

func (s *Satellite) registerMetrics() {
	gauge := func(name string, value func() float64) { s.metrics.NewGauge(name, value) }
	gauge("storj_nodes_known", func() float64 { return float64(s.directory.Snapshot().Len()) })
	gauge("storj_nodes_online", func() float64 { return float64(s.directory.Snapshot().Online()) })
	gauge("storj_node_domains", func() float64 { return float64(s.directory.Snapshot().Domains()) })
	gauge("storj_db_bytes", func() float64 { return float64(s.db.Store().Stats().SizeBytes) })
	gauge("storj_db_updates_total", func() float64 { return float64(s.db.Store().Stats().Updates) })
	gauge("storj_db_commits_total", func() float64 { return float64(s.db.Store().Stats().Commits) })
}
