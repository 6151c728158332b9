package macaroon

import (
	"bytes"
	"fmt"
	"time"

	"storj/ecenc/wire"
)

const (
	// MaxAllowedPaths is the number of paths that a caveat may list.
	MaxAllowedPaths = 256

	maxBucketName = 255
	maxPrefix     = 4000
	nonceSize     = 8
	maxNonce      = 32
)

// Caveat is one restriction: what it denies is denied to the key and all made from it. The zero value denies nothing.
type Caveat struct {
	DisallowReads                     bool
	DisallowWrites                    bool
	DisallowLists                     bool
	DisallowDeletes                   bool
	DisallowLocks                     bool // every change of object lock, whatever the finer flags say
	DisallowPutRetention              bool
	DisallowGetRetention              bool
	DisallowPutLegalHold              bool
	DisallowGetLegalHold              bool
	DisallowBypassGovernanceRetention bool
	DisallowPutBucketLock             bool // setting a bucket's object lock configuration
	DisallowGetBucketLock             bool
	DisallowBucketNotifications       bool // reading and setting a bucket's notification configuration

	AllowedPaths []AllowedPath // when not empty, everything else is denied
	NotBefore    time.Time     // zero: no bound. Between the years 1678 and 2262
	NotAfter     time.Time     // the last instant allowed; zero: no bound
	MaxObjectTTL time.Duration // objects written must expire within this; zero: no bound
	Nonce        []byte        // tells equal restrictions apart; Restrict draws one
}

// AllowedPath is a part of a bucket.
type AllowedPath struct {
	Bucket string
	// EncryptedPrefix is empty for the whole bucket, ends in "/" for what lies under it, and else is one object and what
	// lies under its name and "/".
	EncryptedPrefix []byte
}

// Fields codes the caveat for wire.
func (c *Caveat) Fields(w *wire.Codec) {
	for i, flag := range [...]*bool{
		&c.DisallowReads, &c.DisallowWrites, &c.DisallowLists, &c.DisallowDeletes, &c.DisallowLocks,
		&c.DisallowPutRetention, &c.DisallowGetRetention, &c.DisallowPutLegalHold, &c.DisallowGetLegalHold,
		&c.DisallowBypassGovernanceRetention, &c.DisallowPutBucketLock, &c.DisallowGetBucketLock,
		&c.DisallowBucketNotifications,
	} {
		w.Bool(i+1, flag)
	}
	wire.Repeated(w, 20, &c.AllowedPaths, MaxAllowedPaths)
	w.Time(21, &c.NotBefore)
	w.Time(22, &c.NotAfter)
	w.Int(23, (*int64)(&c.MaxObjectTTL))
	w.Bytes(24, &c.Nonce, maxNonce)
}

// Fields codes the path for wire.
func (p *AllowedPath) Fields(w *wire.Codec) {
	w.String(1, &p.Bucket, maxBucketName)
	w.Bytes(2, &p.EncryptedPrefix, maxPrefix)
}

// validate refuses what would not come back from its encoding, or permits nothing by mistake.
func (c *Caveat) validate() error {
	for _, t := range [...]time.Time{c.NotBefore, c.NotAfter} {
		if !t.IsZero() && !time.Unix(0, t.UnixNano()).Equal(t) {
			return fmt.Errorf("%w: time out of range", ErrFormat)
		}
	}
	if c.MaxObjectTTL < 0 {
		return fmt.Errorf("%w: negative life of objects", ErrFormat)
	}
	for _, p := range c.AllowedPaths {
		if p.Bucket == "" {
			return fmt.Errorf("%w: allowed path without bucket", ErrFormat)
		}
	}
	if _, err := decodeCaveat(wire.Marshal(c)); err != nil {
		return fmt.Errorf("%w: caveat over its limits", ErrFormat)
	}
	return nil
}

// decodeCaveat fails for bytes that this version would not write: an unknown field must never be skipped.
func decodeCaveat(raw []byte) (Caveat, error) {
	var c Caveat
	if wire.Unmarshal(raw, &c) != nil || c.MaxObjectTTL < 0 || !bytes.Equal(wire.Marshal(&c), raw) {
		return Caveat{}, ErrUnknownCaveat
	}
	return c, nil
}

// permits says whether the caveat leaves the action allowed.
func (c *Caveat) permits(a Action) bool {
	early := !c.NotBefore.IsZero() && a.Time.Before(c.NotBefore)
	late := !c.NotAfter.IsZero() && (a.Time.After(c.NotAfter) || a.Time.IsZero())
	if early || late {
		return false
	}
	return c.permitsOp(a.Op) && c.permitsPath(a)
}

// permitsOp fails closed: an operation that is not listed is denied.
func (c *Caveat) permitsOp(op Op) bool {
	switch op {
	case ProjectInfo:
		return true
	case Read:
		return !c.DisallowReads
	case Write:
		return !c.DisallowWrites
	case List:
		return !c.DisallowLists
	case Delete:
		return !c.DisallowDeletes
	case Lock:
		return !c.DisallowLocks
	case PutRetention:
		return !c.DisallowLocks && !c.DisallowPutRetention
	case GetRetention:
		return !c.DisallowGetRetention
	case PutLegalHold:
		return !c.DisallowLocks && !c.DisallowPutLegalHold
	case GetLegalHold:
		return !c.DisallowGetLegalHold
	case BypassGovernanceRetention:
		return !c.DisallowLocks && !c.DisallowBypassGovernanceRetention
	case PutBucketLock:
		return !c.DisallowLocks && !c.DisallowPutBucketLock
	case GetBucketLock:
		return !c.DisallowGetBucketLock
	case PutBucketNotifications, GetBucketNotifications:
		return !c.DisallowBucketNotifications
	}
	return false
}

func (c *Caveat) permitsPath(a Action) bool {
	if len(c.AllowedPaths) == 0 || a.Op == ProjectInfo {
		return true
	}
	if a.Bucket == "" {
		return a.Op == List // the names of buckets; the answer is cut down to AllowedBuckets
	}
	for _, p := range c.AllowedPaths {
		if p.Bucket == a.Bucket && p.covers(a) {
			return true
		}
	}
	return false
}

// covers says whether the action lies in the prefix. Whether a bucket exists, and how it is set up, may be read with
// a share of any part of it.
func (p *AllowedPath) covers(a Action) bool {
	if len(p.EncryptedPrefix) == 0 {
		return true
	}
	if len(a.EncryptedPath) == 0 {
		return a.Op == Read || a.Op == GetBucketLock
	}
	rest, ok := bytes.CutPrefix(a.EncryptedPath, p.EncryptedPrefix)
	return ok && (len(rest) == 0 || rest[0] == '/' || p.EncryptedPrefix[len(p.EncryptedPrefix)-1] == '/')
}
