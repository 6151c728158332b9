package scrub

import (
	"context"
	"time"

	"storj/netx"
	"storj/pieces"
)

// Run makes steps and reports until ctx ends.
func (s *Scrub) Run(ctx context.Context) error {
	step := time.NewTimer(s.wait())
	retry := time.NewTimer(retryReport)
	defer step.Stop()
	defer retry.Stop()
	retry.Stop()
	if s.store == nil {
		step.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-step.C:
			if err := s.step(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn().Err(err).Msg("scrub step failed, trying again")
			}
			step.Reset(s.wait())
			continue
		case <-s.wake:
		case <-retry.C:
		}
		if s.report(ctx) {
			retry.Reset(retryReport)
		}
	}
}

// stepBytes is how much a step reads.
func (s *Scrub) stepBytes() int64 {
	return max(minStep, int64(float64(s.opts.Stored())*longestWait.Seconds()/s.opts.Every.Seconds()/24)) // an hour's worth
}

// wait is the time between steps: as many of them as a pass needs fill Every.
func (s *Scrub) wait() time.Duration {
	if s.opts.Every <= 0 {
		return longestWait
	}
	stored := max(s.opts.Stored(), 1)
	part := min(float64(s.stepBytes())/float64(stored), 1)
	return min(time.Duration(part*float64(s.opts.Every)), longestWait)
}

// step reads on for one step. A step of a node with little in it is a whole pass, and the next begins after Every.
func (s *Scrub) step(ctx context.Context) error {
	now := s.opts.Now().UTC()
	s.mu.Lock()
	if s.state.Started.IsZero() {
		if s.state.Last != nil && now.Sub(s.state.Last.Started) < s.opts.Every && now.After(s.state.Last.Started) {
			s.mu.Unlock()
			return nil // done for this time
		}
		s.state.Started, s.state.Place, s.state.Bytes, s.state.Pieces, s.state.Found = now, nil, 0, 0, 0
	}
	place := s.state.Place
	s.mu.Unlock()
	got, err := s.store.Scrub(ctx, place, s.stepBytes())
	if err != nil {
		return err
	}
	s.count.bytes.Add(int(got.Bytes))
	return s.advance(got)
}

// advance notes what a step has found.
func (s *Scrub) advance(got pieces.ScrubStep) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range got.Damaged {
		if s.note(d.Satellite, d.Piece) {
			s.count.damaged.Inc()
			s.log.Warn().Stringer("node", d.Satellite).Stringer("piece", d.Piece).Int64("bytes", d.Size).Msg("piece has rotted")
		}
	}
	s.state.Bytes += got.Bytes
	s.state.Pieces += got.Pieces
	s.state.Found += int64(len(got.Damaged))
	s.state.Place = got.Next
	if got.Next == nil {
		s.state.Last = &Pass{
			Started: s.state.Started, Ended: s.opts.Now().UTC(), Bytes: s.state.Bytes, Pieces: s.state.Pieces, Found: s.state.Found,
		}
		s.state.Started, s.state.Bytes, s.state.Pieces, s.state.Found = time.Time{}, 0, 0, 0
		s.log.Info().Int64("pieces", s.state.Last.Pieces).Int64("bytes", s.state.Last.Bytes).Msg("everything was read once")
	}
	if len(got.Damaged) > 0 {
		s.poke()
	}
	return s.save()
}

// report tells satellites what is damaged, and then throws it away; it says whether some have to be told again.
func (s *Scrub) report(ctx context.Context) (again bool) {
	for satellite, ids := range s.pending() {
		for len(ids) > 0 && ctx.Err() == nil {
			n := min(len(ids), pieces.MaxDamage)
			if err := s.reportSome(ctx, satellite, ids[:n]); err != nil {
				s.log.Debug().Err(err).Stringer("node", satellite).Msg("damage not reported yet")
				again = true
				break
			}
			ids = ids[n:]
		}
	}
	return again
}

func (s *Scrub) pending() map[netx.NodeID][]pieces.PieceID {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[netx.NodeID][]pieces.PieceID, len(s.known))
	for satellite, ids := range s.known {
		for id := range ids {
			all[satellite] = append(all[satellite], id)
		}
	}
	return all
}

func (s *Scrub) reportSome(ctx context.Context, satellite netx.NodeID, ids []pieces.PieceID) error {
	if err := s.opts.Report(ctx, satellite, ids); err != nil {
		return err
	}
	if err := s.opts.Store.Trash(ctx, satellite, ids, s.opts.Now().Add(-rotAhead)); err != nil {
		return err
	}
	s.count.reported.Add(len(ids))
	s.log.Info().Stringer("node", satellite).Int("pieces", len(ids)).Msg("damage reported to the satellite")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.known[satellite], id)
	}
	if len(s.known[satellite]) == 0 {
		delete(s.known, satellite)
	}
	return s.save()
}
