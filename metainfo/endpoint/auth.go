package endpoint

import (
	"context"
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
	maxKeyBytes = 16 << 20 // of keys as they were shown; decoded they take some three times that
	maxProjects = 10_000
)

// caller is who asks: a genuine API key and its project.
type caller struct {
	key     *macaroon.APIKey
	caveats []macaroon.Caveat // of key
	secret  ecenc.Key         // that key stems from
	project metainfo.Project
	now     time.Time
}

// may says whether the caveats allow op on a place.
func (c *caller) may(op macaroon.Op, bucket string, path []byte) bool {
	return macaroon.Permit(c.caveats, macaroon.Action{Op: op, Bucket: bucket, EncryptedPath: path, Time: c.now}) == nil
}

// mayAll says whether the caveats allow op in all of a bucket: so they do if they allow it at a path that lies under no
// prefix, for no encrypted key has a 00.
func (c *caller) mayAll(op macaroon.Op, bucket string) bool { return c.may(op, bucket, []byte{0}) }

// mayLock says whether the caveats allow to give an object this protection.
func (c *caller) mayLock(bucket string, key []byte, r metainfo.Retention, hold bool) bool {
	retained := r.Mode != metainfo.NoRetention || !r.Until.IsZero()
	return (!retained || c.may(macaroon.PutRetention, bucket, key)) && (!hold || c.may(macaroon.PutLegalHold, bucket, key))
}

// hide takes from an object's record what the key may not know of it.
func (c *caller) hide(bucket string, key []byte, o *metainfo.Object) {
	if !c.may(macaroon.GetRetention, bucket, key) {
		o.Retention = metainfo.Retention{}
	}
	if !c.may(macaroon.GetLegalHold, bucket, key) {
		o.LegalHold = false
	}
}

// expiry applies the key's limit on the life of objects to the expiry that was asked for.
//
// Errors: ErrExpiry for one in the past, ErrDenied for one behind the limit.
func (c *caller) expiry(asked time.Time) (time.Time, error) {
	if !asked.IsZero() && !asked.After(c.now) {
		return time.Time{}, metainfo.ErrExpiry
	}
	if ttl := c.maxTTL(); ttl > 0 && asked.IsZero() {
		return c.now.Add(ttl), nil
	}
	return asked, c.checkExpiry(asked)
}

// maxTTL is the longest life of objects that the key allows; 0 is no limit.
func (c *caller) maxTTL() (ttl time.Duration) {
	for i := range c.caveats {
		if most := c.caveats[i].MaxObjectTTL; most > 0 && (ttl == 0 || most < ttl) {
			ttl = most
		}
	}
	return ttl
}

// checkExpiry says whether an object of this expiry may be made with the key. Errors: ErrDenied.
func (c *caller) checkExpiry(expires time.Time) error {
	if ttl := c.maxTTL(); ttl > 0 && (expires.IsZero() || expires.After(c.now.Add(ttl))) {
		return fmt.Errorf("%w: object would live longer than allowed", metainfo.ErrDenied)
	}
	return nil
}

// keyEntry is what is remembered of an API key that was found genuine.
type keyEntry struct {
	key     *macaroon.APIKey
	caveats []macaroon.Caveat
	secret  ecenc.Key
	project metainfo.Project
	until   time.Time
}

// gate knows API keys and how often their projects ask.
type gate struct {
	db    *metabase.DB
	rate  rate.Limit
	burst int

	mu       sync.Mutex           // guards the fields below
	keys     map[string]*keyEntry // by the key as it is shown, all of it: what differs in a bit was not found genuine
	keyBytes int                  // of the above
	forgot   uint64               // how many times keys were forgotten
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
	now := time.Now()
	g.mu.Lock()
	entry := g.keys[string(auth.APIKey)]
	g.mu.Unlock()
	if entry == nil || !now.Before(entry.until) {
		key, err := macaroon.ParseBytes(auth.APIKey)
		if err != nil {
			return nil, metainfo.ErrAPIKey
		}
		if entry, err = g.lookUp(ctx, key, auth.APIKey); err != nil {
			return nil, err
		}
	}
	if err := macaroon.Permit(entry.caveats, macaroon.Action{Op: macaroon.ProjectInfo, Time: now}); err != nil {
		return nil, fmt.Errorf("%w: %w", metainfo.ErrDenied, err)
	}
	if !g.take(&entry.project, now) {
		return nil, metainfo.ErrRateLimit
	}
	return &caller{key: entry.key, caveats: entry.caveats, secret: entry.secret, project: entry.project, now: now}, nil
}

// lookUp asks the database about a key and remembers a genuine one that neither it nor an ancestor of it is revoked.
//
// Errors: ErrAPIKey; ErrDenied for a key with a caveat that is not known here; those of the database.
func (g *gate) lookUp(ctx context.Context, key *macaroon.APIKey, shown []byte) (*keyEntry, error) {
	g.mu.Lock()
	forgot := g.forgot
	g.mu.Unlock()
	record, _, err := g.db.APIKey(ctx, key.Head())
	if err != nil {
		return nil, fmt.Errorf("look up API key: %w", err)
	}
	if record.Revoked || key.Validate(record.Secret[:]) != nil {
		return nil, metainfo.ErrAPIKey
	}
	_, revoked, err := g.db.APIKey(ctx, key.Head(), key.Tails(record.Secret[:])...)
	if err != nil {
		return nil, fmt.Errorf("look up revocations: %w", err)
	}
	if revoked {
		return nil, metainfo.ErrAPIKey
	}
	project, err := g.db.Project(ctx, record.Project)
	if err != nil {
		return nil, fmt.Errorf("project of API key: %w", err)
	}
	caveats, err := key.Caveats()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", metainfo.ErrDenied, err)
	}
	entry := &keyEntry{
		key: key, caveats: caveats, secret: record.Secret, project: project, until: time.Now().Add(keyLife),
	}
	g.remember(entry, shown, forgot)
	return entry, nil
}

// remember keeps what was found of a key, unless keys were forgotten since: it may have been revoked after it was read,
// and is good for one request only.
func (g *gate) remember(entry *keyEntry, shown []byte, forgot uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.forgot != forgot {
		return
	}
	if len(g.keys) >= maxKeys || g.keyBytes+len(shown) > maxKeyBytes {
		g.keyBytes = 0
		clear(g.keys) // those in use come back at once
	}
	if g.keys[string(shown)] == nil {
		g.keyBytes += len(shown)
	}
	g.keys[string(shown)] = entry
}

// forget has every key asked for anew.
func (g *gate) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgot++
	g.keyBytes = 0
	clear(g.keys)
}

// forgetHead has the keys that stem from one asked for anew.
func (g *gate) forgetHead(head [macaroon.HeadSize]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgot++
	maps.DeleteFunc(g.keys, func(shown string, entry *keyEntry) bool {
		if entry.key.Head() != head {
			return false
		}
		g.keyBytes -= len(shown)
		return true
	})
}

// take counts one request against the project's rate: its own, or that of the satellite.
func (g *gate) take(project *metainfo.Project, now time.Time) bool {
	limit, burst := g.rate, g.burst
	if own := project.Limits.Rate; own > 0 {
		limit, burst = rate.Limit(own), int(own)
	}
	if own := project.Limits.Burst; own > 0 {
		burst = int(own)
	}
	if limit == rate.Inf {
		return true
	}
	g.mu.Lock()
	limiter := g.limiters[project.ID]
	if limiter == nil || limiter.Limit() != limit || limiter.Burst() != burst { // or the owner changed them
		if limiter == nil && len(g.limiters) >= maxProjects {
			clear(g.limiters) // a burst more for those that are active
		}
		limiter = rate.NewLimiter(limit, burst)
		g.limiters[project.ID] = limiter
	}
	g.mu.Unlock()
	return limiter.AllowN(now, 1)
}

// charge counts a request that was let in as more of them, since it was more work. Those that follow wait for it.
func (g *gate) charge(project metainfo.ProjectID, more int, now time.Time) {
	g.mu.Lock()
	limiter := g.limiters[project]
	g.mu.Unlock()
	if limiter == nil {
		return // no limit
	}
	for burst := limiter.Burst(); more > 0 && burst > 0; more -= burst {
		limiter.ReserveN(now, min(more, burst))
	}
}
