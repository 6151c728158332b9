package reputation

import (
	"time"

	"storj/pieces"
)

// Verdict is what came of asking a node for a piece.
type Verdict uint8

// The verdicts; the list is append-only.
const (
	Proved   Verdict = 1  // the piece is there
	Trashed  Verdict = 2  // it is, but in the trash
	Lost     Verdict = 3  // the node says that it does not have it
	Damaged  Verdict = 4  // the node says that it is damaged
	Altered  Verdict = 5  // bytes, hash or signature are not those of the piece
	Swapped  Verdict = 6  // proof of another piece
	Outdated Verdict = 7  // proof of a piece from before the segment
	Refused  Verdict = 8  // the node says no, or something that makes no sense
	Dropped  Verdict = 9  // the connection was made, and broke instead of an answer
	Faulty   Verdict = 10 // the node says that its disk is away
	TimedOut Verdict = 11 // no answer in time, again and again
	Away     Verdict = 12 // nobody could be reached
)

// String names the verdict.
func (v Verdict) String() string {
	names := [...]string{
		"none", "proved", "trashed", "lost", "damaged", "altered", "swapped", "outdated", "refused", "dropped", "faulty",
		"timed out", "away",
	}
	if int(v) < len(names) {
		return names[v]
	}
	return "unknown"
}

// MarshalText names the verdict in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Good says whether the piece is there.
func (v Verdict) Good() bool { return v == Proved || v == Trashed }

// Failed says whether the piece is gone: it counts against the audit score.
func (v Verdict) Failed() bool {
	return v == Lost || v == Damaged || v == TimedOut || v.Lied()
}

// Lied says whether the answer is one that no honest node gives, whatever its disk does: stores check what they read.
func (v Verdict) Lied() bool { return v == Altered || v == Swapped || v == Outdated }

// Unknown says whether nothing is known of the piece: it counts against the unknown score.
func (v Verdict) Unknown() bool { return v == Refused || v == Dropped || v == Faulty }

// Finding is a verdict and what it is about.
type Finding struct {
	Verdict Verdict
	Piece   pieces.PieceID // zero: none in particular
	Text    string         // what was asked and what came, in words
	At      time.Time      // zero: now
}
