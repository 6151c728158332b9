package contact

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"storj/netx"
	"storj/netx/rpc"
	"storj/pieces"
)

// satellite is what is known of one satellite.
type satellite struct {
	id   netx.NodeID
	wake chan struct{} // capacity 1: one reason to wake up is enough
	gone chan struct{} // closed when the satellite is forgotten

	// Contact.mu guards the fields below
	entry   fileEntry
	token   *pieces.JoinToken // held back; nil: none
	keys    []pieces.NodeKey  // current first; replaced as a whole
	address string            // of the node, as the satellite hands it out
	period  time.Duration     // between reports, as last answered
	last    time.Time         // last report that was taken
	skew    time.Duration     // the node's clock minus the satellite's
	err     error             // of the last report; nil: taken

	standing pieces.Standing // as last answered
}

func newSatellite(entry fileEntry) *satellite {
	return &satellite{id: entry.URL.ID, wake: make(chan struct{}, 1), gone: make(chan struct{}), entry: entry, period: defaultPeriod}
}

// Status is what a node knows of one satellite.
type Status struct {
	Satellite   netx.NodeURL
	Joined      time.Time
	LastContact time.Time     // last report that was taken; zero: none since the start
	Err         error         // of the last report; nil: taken
	Address     string        // of the node, as the satellite hands it out
	Epoch       uint32        // of the current key; 0: none
	Interval    time.Duration // between reports
	Skew        time.Duration // the node's clock minus the satellite's

	Standing pieces.Standing // what the satellite thinks of the node, as last answered
	Exiting  time.Time       // when the owner said that the node is to leave it; zero: it stays
}

// Reached says whether the satellite took a report within the last two intervals.
func (s Status) Reached(now time.Time) bool {
	return !s.LastContact.IsZero() && now.Sub(s.LastContact) <= 2*s.Interval
}

// Status describes every satellite, in order of joining.
func (c *Contact) Status() []Status {
	list := c.list()
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Status, len(list))
	for i, s := range list {
		out[i] = Status{
			Satellite: s.entry.URL, Joined: s.entry.Joined, LastContact: s.last, Err: s.err, Address: s.address,
			Interval: c.interval(s), Skew: s.skew, Standing: s.standing, Exiting: s.entry.Exiting,
		}
		if len(s.keys) > 0 {
			out[i].Epoch = s.keys[0].Epoch
		}
	}
	return out
}

// interval is the time between reports. The caller holds mu.
func (c *Contact) interval(s *satellite) time.Duration {
	if c.opts.Interval > 0 {
		return c.opts.Interval
	}
	return s.period
}

// runSatellite reports to one satellite until ctx ends.
func (c *Contact) runSatellite(ctx context.Context, s *satellite) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var retry backoff
	for {
		select {
		case <-ctx.Done():
			c.leave(ctx, s)
			return
		case <-s.gone:
			c.leave(ctx, s)
			return
		case <-s.wake:
		case <-timer.C:
		}
		err := c.report(ctx, s)
		if ctx.Err() != nil {
			continue
		}
		timer.Reset(c.settle(s, err, &retry))
	}
}

// report checks in, joining again when the satellite has lost us and we hold a token for it.
func (c *Contact) report(ctx context.Context, s *satellite) error {
	err := c.checkIn(ctx, s)
	c.mu.RLock()
	token := s.token
	c.mu.RUnlock()
	if !errors.Is(err, pieces.ErrNotJoined) || token == nil {
		return err
	}
	if err := c.redeem(ctx, *token); err != nil {
		return err
	}
	return c.checkIn(ctx, s)
}

func (c *Contact) checkIn(ctx context.Context, s *satellite) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req := c.reportTo(s)
	sent := c.opts.Now()
	req.Time = sent.UTC()
	var reply pieces.CheckInReply
	if err := c.call(ctx, s, &req, &reply); err != nil {
		return err
	}
	if len(reply.Keys) == 0 || reply.Interval <= 0 {
		return fmt.Errorf("%w: answer without keys or interval", netx.ErrMalformed)
	}
	now := c.opts.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.keys, s.address, s.last, s.token = reply.Keys, reply.Address, now, nil
	s.period = min(max(reply.Interval, minInterval), maxInterval)
	s.skew = sent.Add(now.Sub(sent) / 2).Sub(reply.Time)
	c.tellStanding(s, reply.Standing)
	s.standing = reply.Standing
	return nil
}

// reportTo is what one satellite is told.
func (c *Contact) reportTo(s *satellite) pieces.CheckIn {
	req := c.opts.Report()
	c.mu.RLock()
	defer c.mu.RUnlock()
	req.Exiting = !s.entry.Exiting.IsZero()
	return req
}

// tellStanding logs a new state, once. The caller holds mu.
func (c *Contact) tellStanding(s *satellite, now pieces.Standing) {
	if now.State == s.standing.State {
		return
	}
	level := zerolog.WarnLevel
	switch now.State {
	case pieces.Healthy, pieces.Exiting, pieces.Exited:
		level = zerolog.InfoLevel
	case pieces.Quarantined, pieces.Disqualified:
		level = zerolog.ErrorLevel
	}
	c.log.WithLevel(level).Stringer("node", s.id).Stringer("state", now.State).Str("reason", printable(now.Reason)).
		Msg("satellite changed the node's state")
}

// printable makes what a satellite wrote harmless for terminals.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func (c *Contact) call(ctx context.Context, s *satellite, req *pieces.CheckIn, reply *pieces.CheckInReply) error {
	c.mu.RLock()
	url := s.entry.URL
	c.mu.RUnlock()
	c.opts.Pool.Forget(url.ID)
	return c.opts.Pool.CallWith(ctx, rpc.CallOptions{
		Peer: url, Purpose: netx.Control, Method: pieces.MethodCheckIn, Idempotent: true,
	}, req, reply, pieces.Errors())
}

// settle notes how a report ended, says so where it is news, and returns how long to wait for the next.
func (c *Contact) settle(s *satellite, err error, retry *backoff) time.Duration {
	c.mu.Lock()
	before := s.err
	s.err = err
	interval, skew := c.interval(s), s.skew
	c.mu.Unlock()

	log := c.log.With().Stringer("node", s.id).Logger()
	if err != nil {
		c.count.failures.Inc()
		wait := retry.next()
		level := zerolog.WarnLevel
		if sameKind(err, before) {
			level = zerolog.DebugLevel // it was said already
		}
		log.WithLevel(level).Err(err).Stringer("code", netx.CodeOf(err)).Str("hint", hint(err)).Msg("check-in failed")
		return wait
	}
	c.count.reports.Inc()
	if retry.failed() || !retry.greeted {
		log.Info().Msg("satellite reached")
	}
	skewed := skew.Abs() > maxClockSkew
	if skewed && !retry.warned {
		log.Warn().Int64("dur_ms", skew.Milliseconds()).
			Str("hint", "set the clock of this machine, best by NTP: uploads and downloads are refused while it is wrong").
			Msg("clock differs from the satellite's")
	}
	*retry = backoff{greeted: true, warned: skewed}
	return jitter(interval)
}

func sameKind(a, b error) bool {
	codeA, reasonA := netx.Classify(a)
	codeB, reasonB := netx.Classify(b)
	return codeA == codeB && reasonA == reasonB
}

// hint says what a person can do about an error.
func hint(err error) string {
	switch {
	case errors.Is(err, pieces.ErrPingBack):
		return "check external-address, port forwarding (UDP) and firewall"
	case errors.Is(err, pieces.ErrNotJoined):
		return "ask the satellite's owner for a token and start once with --join TOKEN"
	case errors.Is(err, pieces.ErrToken):
		return "ask the satellite's owner for a new token"
	case errors.Is(err, netx.ErrIdentity):
		return "the satellite's key has changed, or its address belongs to another peer now"
	case netx.CodeOf(err) == netx.Unavailable:
		return "is the satellite running, and this machine online?"
	}
	return ""
}

// leave tells a satellite that answered last time that the node stops.
func (c *Contact) leave(ctx context.Context, s *satellite) {
	c.mu.RLock()
	reached := s.err == nil && !s.last.IsZero()
	c.mu.RUnlock()
	if !reached {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	req := c.reportTo(s)
	req.Time, req.Leaving = c.opts.Now().UTC(), true
	err := c.call(ctx, s, &req, new(pieces.CheckInReply)) // best effort: the satellite finds out by itself
	c.log.Debug().Stringer("node", s.id).Err(err).Msg("satellite told that the node leaves")
}

// backoff is the state of a row of attempts.
type backoff struct {
	last    time.Duration // not yet shortened; 0: no failure since the last success
	greeted bool          // there was a success before
	warned  bool          // the clock was wrong at that success
}

func (b *backoff) failed() bool { return b.last != 0 }

// next doubles the wait up to longestRetry and shortens it by up to half at random, so that nodes of a satellite that
// comes back do not come all at once.
func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstRetry), longestRetry)
	return b.last/2 + rand.N(b.last/2)
}

// jitter varies an interval by a tenth.
func jitter(interval time.Duration) time.Duration {
	part := interval / jitterPart
	if part < 1 {
		return interval
	}
	return interval - part + rand.N(2*part)
}
