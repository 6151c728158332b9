package endpoint

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// maxCounters bounds the counters of buckets that are kept: those of the buckets in use.
const maxCounters = 10_000

type bucketRef struct {
	project metainfo.ProjectID
	bucket  string
}

// changes counts changes of buckets, so that a cache can tell whether a listing is still that of the bucket.
//
// Why random starts: a counter that was forgotten, with the process or for want of room, must not come back to a value
// that somebody remembers.
type changes struct {
	mu       sync.Mutex // guards the fields below
	counters map[bucketRef]uint64
}

// of returns the counter of a bucket.
func (c *changes) of(project metainfo.ProjectID, bucket string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	ref := bucketRef{project, bucket}
	if n, ok := c.counters[ref]; ok {
		return n
	}
	return c.start(ref)
}

// forget drops the counter of a bucket, which starts anew when it is asked for.
func (c *changes) forget(project metainfo.ProjectID, bucket string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.counters, bucketRef{project, bucket})
}

// changesFor is the counter of a bucket as a key may know it. Who sees a part of the bucket only sees that something
// changed, not how often: how busy others are in the rest is none of its business.
func (e *Endpoint) changesFor(c *caller, bucket string) uint64 {
	n := e.changes.of(c.project.ID, bucket)
	if c.mayAll(macaroon.List, bucket) || c.mayAll(macaroon.Read, bucket) {
		return n
	}
	m := e.newStreamMAC("storj/changes/v1", c.project.ID)
	m.part([]byte(bucket))
	m.part(binary.BigEndian.AppendUint64(nil, n))
	stream := m.stream()
	return max(1, binary.BigEndian.Uint64(stream[:]))
}

// bump is called after each change of a bucket's objects and before its answer, also when it is not known whether the
// change happened.
func (c *changes) bump(project metainfo.ProjectID, bucket string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ref := bucketRef{project, bucket}
	if n, ok := c.counters[ref]; ok {
		c.counters[ref] = max(1, n+1)
	}
	// One that is not kept starts anew, at random, when it is asked for.
}

// start keeps a counter; mu is held. Zero is left out: it says that nothing is known.
func (c *changes) start(ref bucketRef) uint64 {
	if c.counters == nil || len(c.counters) >= maxCounters {
		c.counters = make(map[bucketRef]uint64)
	}
	n := max(1, rand.Uint64())
	c.counters[ref] = n
	return n
}

// bumpName is bump of all buckets of a name, where the project is not known.
func (c *changes) bumpName(bucket string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, n := range c.counters {
		if ref.bucket == bucket {
			c.counters[ref] = max(1, n+1)
		}
	}
}
