package satellite

import (
	"context"
	"time"

	"storj/metainfo/endpoint"
	"storj/roles/lifecycle"
	"storj/roles/satellite/limits"
)

const (
	// deletionRetry is how soon deletions in the background are taken up again that failed, or that another process of
	// this satellite was asked for.
	deletionRetry = time.Minute
	// deletionsKept is how long a deletion that is done can be asked for.
	deletionsKept = 24 * time.Hour
	// clockSkew is how much later another process of this satellite may think that a key ends.
	clockSkew = time.Hour
	// usageJitter spreads writing down of usage.
	usageJitter = 0.1
	// lastFlush bounds the last of it, when the process is told to end.
	lastFlush = 10 * time.Second
)

// addMetainfo adds what the endpoint leaves to others to run: deletions in the background, lifecycle rules, usage.
func (s *Satellite) addMetainfo() {
	limits.Register(s.server, s.opts.Identity.ID(), limits.New(limits.Options{DB: s.db, Endpoint: s.endpoint}))
	loop := func(name string, interval time.Duration, do func(context.Context) error, opts lifecycle.LoopOptions) {
		opts.Log = s.opts.Log
		s.group.Add(name, lifecycle.NewLoop(name, interval, do, opts))
	}
	s.group.Add("deletions", lifecycle.Func(s.runDeletions))
	loop("lifecycle", s.opts.Tune.LifecycleEvery, s.unlessDoubted(s.applyLifecycle), lifecycle.LoopOptions{Jitter: choreJitter})
	loop("forget", s.opts.Tune.ChoreInterval, s.unlessDoubted(s.forgetOld), lifecycle.LoopOptions{Jitter: choreJitter})
	s.group.Add("last usage", lifecycle.Func(s.flushInTheEnd))
	loop("usage", endpoint.FlushInterval, s.noteUsage, lifecycle.LoopOptions{Jitter: usageJitter})
}

// runDeletions does deletions when they are asked for, and those that the last process left.
func (s *Satellite) runDeletions(ctx context.Context) error {
	retry := time.NewTicker(deletionRetry)
	defer retry.Stop()
	for {
		if err := s.endpoint.DeletionRound(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("deletion failed, will be tried again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.endpoint.Deletions():
		case <-retry.C:
		}
	}
}

func (s *Satellite) applyLifecycle(ctx context.Context) error {
	did, err := s.endpoint.LifecycleRound(ctx, time.Now())
	s.noteChore("objects expired by lifecycle rules", did.Expired)
	s.noteChore("old versions removed by lifecycle rules", did.Removed)
	s.noteChore("stale uploads ended by lifecycle rules", did.Aborted)
	for name, count := range map[string]int{
		"storj_lifecycle_expired_total": did.Expired, "storj_lifecycle_removed_total": did.Removed,
		"storj_lifecycle_aborted_total": did.Aborted, "storj_lifecycle_kept_total": did.Kept,
	} {
		s.metrics.GetOrCreateCounter(name).Add(count)
	}
	return err
}

// forgetOld sweeps what was kept for a time only.
func (s *Satellite) forgetOld(ctx context.Context) error {
	if _, err := s.db.SweepDeletions(ctx, time.Now().Add(-deletionsKept)); err != nil {
		return err
	}
	if _, err := s.db.PruneRevocations(ctx, time.Now().Add(-clockSkew)); err != nil {
		return err
	}
	_, err := s.db.SweepEnded(ctx)
	return err
}

func (s *Satellite) noteUsage(ctx context.Context) error {
	if err := s.endpoint.TallyUsage(ctx, s.opts.Tune.UsageEvery); err != nil {
		return err
	}
	return s.endpoint.FlushUsage(ctx)
}

// flushInTheEnd writes down usage once more; it is stopped after the server, to which it was added before.
func (s *Satellite) flushInTheEnd(ctx context.Context) error {
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
	defer cancel()
	return s.endpoint.FlushUsage(last)
}
