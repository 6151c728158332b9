package reputation

import (
	"fmt"
	"time"

	"storj/pieces"
)

const (
	// watchFor is how many audits in a row a node must pass after a failure until it is no longer looked at more closely.
	watchFor = 50
	// vettedAudits and vettedAge are when a node of an open network has been tried. Source: row O11.
	vettedAudits = 100
	vettedAge    = 21 * 24 * time.Hour

	maxReason = 256
)

// record is what is kept of one node. Instants are zero for what is not so.
type record struct {
	audit    beta
	unknown  beta
	audits   uint64
	failures uint64
	watch    uint32 // audits left of a closer look
	first    time.Time

	disqualified time.Time
	quarantined  time.Time
	suspended    time.Time
	offline      time.Time
	exiting      time.Time
	exited       time.Time
	lied         bool
	reason       string // of quarantine, suspension, disqualification, or the last failure
	piece        pieces.PieceID
	lost         bool // it was told that the node has been away for 30 days

	contact contact
	pieces  int64 // by the last complete pass; not stored

	dirty  bool // a change that is worth writing soon
	sample bool // a change that may wait for the end of the window
}

func newRecord(now time.Time) *record {
	r := &record{audit: newAudit(), unknown: newUnknown(), first: now}
	r.contact.score = 1
	return r
}

// state derives the state from the instants: the gravest counts.
func (r *record) state() (state pieces.State, since time.Time) {
	for _, s := range []struct {
		state pieces.State
		since time.Time
	}{
		{pieces.Disqualified, r.disqualified}, {pieces.Quarantined, r.quarantined}, {pieces.Exited, r.exited},
		{pieces.Exiting, r.exiting}, {pieces.Suspended, r.suspended}, {pieces.Offline, r.offline},
	} {
		if !s.since.IsZero() {
			return s.state, s.since
		}
	}
	return pieces.Healthy, r.first
}

// count adds a finding to the scores.
func (r *record) count(f Finding) {
	switch {
	case f.Verdict.Good():
		r.audit.add(true, auditLambda)
		r.unknown.add(true, unknownLambda)
		r.audits++
		r.watch -= min(r.watch, 1)
	case f.Verdict.Failed():
		r.audit.add(false, auditLambda)
		r.audits++
		r.failures++
		r.watch = watchFor
		r.lied = r.lied || f.Verdict.Lied()
		r.blame(f)
	case f.Verdict.Unknown():
		r.unknown.add(false, unknownLambda)
		r.watch = watchFor
		r.blame(f)
	default:
		return
	}
	r.dirty = true
}

// blame keeps the last failure as the reason; that of a quarantine or disqualification stays.
func (r *record) blame(f Finding) {
	if !r.quarantined.IsZero() || !r.disqualified.IsZero() {
		return
	}
	r.reason = cut(fmt.Sprintf("%s: %s", f.Verdict, f.Text), maxReason)
	r.piece = f.Piece
}

// convicted says whether what is known of the node is enough for a quarantine.
func (r *record) convicted() bool { return r.lied || r.audit.score() <= QuarantineScore }

// suspend starts or ends a suspension. It says whether something changed.
func (r *record) suspend(now time.Time) bool {
	bad := r.unknown.score() <= SuspendScore && (r.unknown.beta >= minUnknown || !r.suspended.IsZero())
	if bad == !r.suspended.IsZero() {
		return false
	}
	r.suspended = time.Time{}
	if bad {
		r.suspended = now
	}
	r.dirty = true
	return true
}

// judgeContact starts or ends being offline. It says whether something changed.
func (r *record) judgeContact(now time.Time) bool {
	away := !r.contact.away.IsZero() && now.Sub(r.contact.away) > r.contact.patience()
	bad := away || r.contact.score < OfflineScore
	if bad == !r.offline.IsZero() {
		return false
	}
	r.offline = time.Time{}
	if bad {
		r.offline = now
	}
	r.dirty = true
	return true
}

// standing is the record as others see it.
func (r *record) standing(vetting bool, now time.Time) pieces.Standing {
	state, since := r.state()
	s := pieces.Standing{
		State: state, Since: since, AuditScore: r.audit.score(), UnknownScore: r.unknown.score(),
		OnlineScore: r.contact.score, Reason: r.reason, Piece: r.piece, Vetted: !vetting || r.vetted(now),
	}
	switch state {
	case pieces.Offline:
		s.Reason = "out of contact too much in the last 30 days"
		if !r.contact.away.IsZero() {
			s.Reason = "not heard of since " + r.contact.away.UTC().Format(time.DateTime)
		}
		s.Piece = pieces.PieceID{}
	case pieces.Exiting, pieces.Exited:
		s.Reason, s.Piece = "by the wish of its owner", pieces.PieceID{}
		s.PiecesLeft = r.pieces
	}
	return s
}

func (r *record) vetted(now time.Time) bool {
	return r.audits >= vettedAudits && now.Sub(r.first) >= vettedAge
}

// forgive wipes the scores and what follows from them alone.
func (r *record) forgive() {
	r.audit, r.unknown, r.watch, r.lied = newAudit(), newUnknown(), 0, false
	r.suspended, r.offline, r.reason, r.piece, r.lost = time.Time{}, time.Time{}, "", pieces.PieceID{}, false
	away := r.contact.away
	r.contact = contact{score: 1, away: away}
	r.dirty = true
}

// cut shortens a text to at most size bytes at the end of a character.
func cut(text string, size int) string {
	if len(text) <= size {
		return text
	}
	for size > 0 && text[size]&0xc0 == 0x80 {
		size--
	}
	return text[:size]
}
