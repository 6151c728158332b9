package endpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"storj/ecenc"
	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/metainfo/metabase"
)

const (
	// keyLife is how long the record of an API key is believed without asking the database: how long a key that another
	// process revoked goes on working. In this process Forget ends it at once.
	keyLife = 10 * time.Second
	// maxKeys and maxProjects bound the caches.
	maxKeys     = 10_000
	maxProjects = 10_000
)

// caller is who asks: a genuine API key and its project.
type caller struct {
	key     *macaroon.APIKey
	secret  ecenc.Key // that key stems from
	project metainfo.Project
	now     time.Time
}

// may says whether the caveats allow op on a place.
func (c *caller) may(op macaroon.Op, bucket string, path []byte) bool {
	return c.key.Permits(macaroon.Action{Op: op, Bucket: bucket, EncryptedPath: path, Time: c.now}) == nil
}

// expiry applies the key's limit on the life of objects to the expiry that was asked for.
//
// Errors: ErrExpiry for one in the past, ErrDenied for one behind the limit.
func (c *caller) expiry(asked time.Time) (time.Time, error) {
	if !asked.IsZero() && !asked.After(c.now) {
		return time.Time{}, metainfo.ErrExpiry
	}
	ttl, bounded, err := c.key.MaxObjectTTL()
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", metainfo.ErrDenied, err)
	}
	latest := c.now.Add(ttl)
	switch {
	case !bounded:
		return asked, nil
	case asked.IsZero():
		return latest, nil
	case asked.After(latest):
		return time.Time{}, fmt.Errorf("%w: object would live longer than allowed", metainfo.ErrDenied)
	}
	return asked, nil
}

// keyEntry is what is remembered of an API key that was found genuine.
type keyEntry struct {
	head    [macaroon.HeadSize]byte
	secret  ecenc.Key
	project metainfo.Project
	until   time.Time
}

// gate knows API keys and how often their projects ask.
type gate struct {
	db    *metabase.DB
	rate  rate.Limit
	burst int

	mu       sync.Mutex                           // guards the fields below
	keys     map[[macaroon.TailSize]byte]keyEntry // by the tail, which names a key with all its caveats
	forgot   uint64                               // how many times keys were forgotten
	limiters map[metainfo.ProjectID]*rate.Limiter
}

// authorize says who asks and that it may. Errors: ErrAPIKey, ErrDenied, ErrRateLimit, those of the database.
func (g *gate) authorize(ctx context.Context, auth metainfo.Auth, op macaroon.Op, bucket string, path []byte) (
	*caller, error,
) {
	c, err := g.identify(ctx, auth)
	if err != nil {
		return nil, err
	}
	if !c.may(op, bucket, path) {
		return nil, metainfo.ErrDenied
	}
	return c, nil
}

// identify checks that the key is genuine, not revoked and valid now, and counts the request.
func (g *gate) identify(ctx context.Context, auth metainfo.Auth) (*caller, error) {
	key, err := macaroon.ParseBytes(auth.APIKey)
	if err != nil {
		return nil, metainfo.ErrAPIKey
	}
	now := time.Now()
	g.mu.Lock()
	entry, known := g.keys[key.Tail()]
	g.mu.Unlock()
	if !known || !now.Before(entry.until) {
		if entry, err = g.lookUp(ctx, key); err != nil {
			return nil, err
		}
	}
	err = key.Check(entry.secret[:], macaroon.Action{Op: macaroon.ProjectInfo, Time: now}, nil)
	switch {
	case errors.Is(err, macaroon.ErrUnauthorized), errors.Is(err, macaroon.ErrUnknownCaveat):
		return nil, fmt.Errorf("%w: %w", metainfo.ErrDenied, err)
	case err != nil:
		return nil, metainfo.ErrAPIKey
	}
	if !g.take(entry.project.ID) {
		return nil, metainfo.ErrRateLimit
	}
	return &caller{key: key, secret: entry.secret, project: entry.project, now: now}, nil
}

// lookUp asks the database about a key and remembers a genuine one that neither it nor an ancestor of it is revoked.
func (g *gate) lookUp(ctx context.Context, key *macaroon.APIKey) (keyEntry, error) {
	g.mu.Lock()
	forgot := g.forgot
	g.mu.Unlock()
	record, _, err := g.db.APIKey(ctx, key.Head())
	if err != nil {
		return keyEntry{}, fmt.Errorf("look up API key: %w", err)
	}
	if record.Revoked || key.Validate(record.Secret[:]) != nil {
		return keyEntry{}, metainfo.ErrAPIKey
	}
	_, revoked, err := g.db.APIKey(ctx, key.Head(), key.Tails(record.Secret[:])...)
	if err != nil {
		return keyEntry{}, fmt.Errorf("look up revocations: %w", err)
	}
	if revoked {
		return keyEntry{}, metainfo.ErrAPIKey
	}
	project, err := g.db.Project(ctx, record.Project)
	if err != nil {
		return keyEntry{}, fmt.Errorf("project of API key: %w", err)
	}
	entry := keyEntry{head: key.Head(), secret: record.Secret, project: project, until: time.Now().Add(keyLife)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.forgot != forgot {
		return entry, nil // it may have been revoked since it was read: good for this request only
	}
	if len(g.keys) >= maxKeys {
		clear(g.keys) // those in use come back at once
	}
	g.keys[key.Tail()] = entry
	return entry, nil
}

// forget has every key asked for anew.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgot++
	clear(g.keys)
}

// forgetHead has the keys that stem from one asked for anew.
func (g *gate) forgetHead(head [macaroon.HeadSize]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgot++
	maps.DeleteFunc(g.keys, func(_ [macaroon.TailSize]byte, entry keyEntry) bool { return entry.head == head })
}

// take counts one request against the project's rate.
func (g *gate) take(project metainfo.ProjectID) bool {
	if g.rate == rate.Inf {
		return true
	}
	g.mu.Lock()
	limiter := g.limiters[project]
	if limiter == nil {
		if len(g.limiters) >= maxProjects {
			clear(g.limiters) // a burst more for those that are active
		}
		limiter = rate.NewLimiter(g.rate, g.burst)
		g.limiters[project] = limiter
	}
	g.mu.Unlock()
	return limiter.Allow()
}
