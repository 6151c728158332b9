package macaroon

import (
	"fmt"
	"slices"
	"time"
)

// Op is what somebody wants to do. The numbers are stable.
type Op uint8

// The operations.
const (
	Read                      Op = 1 // an object's content or attributes; with no path, the bucket's
	Write                     Op = 2
	List                      Op = 3 // objects under EncryptedPath; with no bucket, buckets
	Delete                    Op = 4
	ProjectInfo               Op = 5 // what the key is good for: always allowed to a valid key in its time
	Lock                      Op = 6
	PutRetention              Op = 7
	GetRetention              Op = 8
	PutLegalHold              Op = 9
	GetLegalHold              Op = 10
	BypassGovernanceRetention Op = 11
	PutBucketLock             Op = 12
	GetBucketLock             Op = 13
	PutBucketNotifications    Op = 14
	GetBucketNotifications    Op = 15
)

// Action is an operation on a place at a time.
type Action struct {
	Op            Op
	Bucket        string    // empty for what concerns the project
	EncryptedPath []byte    // object, or prefix of a listing as keys.EncryptPrefix gives it; empty for the bucket itself
	Time          time.Time // now, by the satellite's clock; must be set
}

// Check says whether the key may do this: nil, ErrInvalid, ErrRevoked, ErrUnknownCaveat or ErrUnauthorized, in this
// order.
//
// revoked, when not nil, is asked for the tail of each ancestor and of the key itself, on the calling goroutine, after
// the key is found genuine. Two limits are left to the caller: MaxObjectTTL for writes, and AllowedBuckets for the list
// of buckets.
func (k *APIKey) Check(secret []byte, a Action, revoked func(tail [TailSize]byte) bool) error {
	tails, err := k.verify(secret)
	if err != nil {
		return err
	}
	if revoked != nil && slices.ContainsFunc(tails, revoked) {
		return ErrRevoked
	}
	return k.Permits(a)
}

// Permits says whether the caveats allow the action, without asking whether the key is genuine: for a client that wants
// to know beforehand.
//
// Errors: ErrUnknownCaveat, ErrUnauthorized.
func (k *APIKey) Permits(a Action) error {
	caveats, err := k.Caveats()
	if err != nil {
		return err
	}
	return Permit(caveats, a)
}

// Permit says whether all of a key's caveats, as Caveats returned them, allow the action: for who asks often and does not
// want to decode them each time. Errors: ErrUnauthorized.
func Permit(caveats []Caveat, a Action) error {
	for i := range caveats {
		if !caveats[i].permits(a) {
			return ErrUnauthorized
		}
	}
	return nil
}

// Caveats returns the restrictions, oldest first.
//
// Ownership: byte slices alias the key and must not be changed. Errors: ErrUnknownCaveat.
func (k *APIKey) Caveats() ([]Caveat, error) {
	caveats := make([]Caveat, 0, len(k.caveats))
	for i, raw := range k.caveats {
		c, err := decodeCaveat(raw)
		if err != nil {
			return nil, fmt.Errorf("caveat %d: %w", i, err)
		}
		caveats = append(caveats, c)
	}
	return caveats, nil
}

// AllowedBuckets returns the buckets that the key can reach some part of, sorted; all is true when it is not bound to
// any, and the list then nil.
//
// Errors: ErrUnknownCaveat.
func (k *APIKey) AllowedBuckets() (buckets []string, all bool, err error) {
	caveats, err := k.Caveats()
	if err != nil {
		return nil, false, err
	}
	all = true
	for _, c := range caveats {
		if len(c.AllowedPaths) == 0 {
			continue
		}
		var named []string
		for _, p := range c.AllowedPaths {
			if all || slices.Contains(buckets, p.Bucket) {
				named = append(named, p.Bucket)
			}
		}
		slices.Sort(named)
		buckets, all = slices.Compact(named), false
	}
	return buckets, all, nil
}

// MaxObjectTTL returns the shortest life of objects that a caveat demands; false when none does.
//
// Errors: ErrUnknownCaveat.
func (k *APIKey) MaxObjectTTL() (ttl time.Duration, bounded bool, err error) {
	caveats, err := k.Caveats()
	if err != nil {
		return 0, false, err
	}
	for _, c := range caveats {
		if c.MaxObjectTTL > 0 && (!bounded || c.MaxObjectTTL < ttl) {
			ttl, bounded = c.MaxObjectTTL, true
		}
	}
	return ttl, bounded, nil
}
