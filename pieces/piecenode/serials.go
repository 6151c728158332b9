package piecenode

import (
	"sync"
	"time"

	"storj/netx"
	"storj/pieces"
)

// serials remembers used serial numbers until they expire, in buckets of a minute of expiry, so that forgetting is
// dropping whole buckets. When it is full it refuses: a node that handles as many limits an hour as it can remember is
// under attack or needs a larger table.
type serials struct {
	mu      sync.Mutex // guards the fields below
	buckets map[int64]map[serialKey]struct{}
	count   int
	limit   int
	swept   int64 // minute up to which buckets were dropped
}

type serialKey struct {
	satellite [8]byte // enough to keep satellites apart: the serial itself has 8 random bytes
	serial    pieces.SerialNumber
}

func newSerials(limit int) *serials {
	return &serials{buckets: make(map[int64]map[serialKey]struct{}), limit: limit}
}

// use says whether the serial is new and remembers it.
func (s *serials) use(satellite netx.NodeID, serial pieces.SerialNumber, now time.Time) bool {
	key := serialKey{satellite: [8]byte(satellite[:8]), serial: serial}
	minute := serial.Expires().Unix() / 60
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now.Unix() / 60)
	bucket := s.buckets[minute]
	if _, used := bucket[key]; used || s.count >= s.limit {
		return false
	}
	if bucket == nil {
		bucket = make(map[serialKey]struct{})
		s.buckets[minute] = bucket
	}
	bucket[key] = struct{}{}
	s.count++
	return true
}

// sweep drops the buckets of minutes before now, at most once a minute.
func (s *serials) sweep(now int64) {
	if now <= s.swept {
		return
	}
	s.swept = now
	for minute, bucket := range s.buckets {
		if minute < now {
			s.count -= len(bucket)
			delete(s.buckets, minute)
		}
	}
}
