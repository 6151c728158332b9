package uplink

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"storj/ecenc/base58check"
	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/ecenc/wire"
	"storj/metainfo"
	"storj/netx"
)

const (
	grantVersion     = 1
	grantTextVersion = 2        // base58check: NodeIDs have 0, API keys 1
	maxGrantSize     = 16 << 10 // bytes; base58 takes time in the square of it
	maxAddressSize   = 300
)

// Access is what opens a project, or a part of one: where its satellite is, an API key, and encryption keys. It is
// immutable, and prints as REDACTED: whoever has it can read what it opens.
type Access struct {
	satellite netx.NodeURL
	apiKey    *macaroon.APIKey
	keys      *keys.Access
}

// AccessInfo is what may be shown of an access. It holds no secret but the names of prefixes.
type AccessInfo struct {
	SatelliteURL string // ID@host:port
	APIKeyID     string // hex: the public name of the API key that the access stems from
	Restrictions int    // how many times the API key was restricted; -1 when by a later version, so that the rest is not known
	AllPaths     bool   // holds the root key: every bucket opens
	Paths        []AccessPath
	Permission   Permission // what the restrictions leave
}

// AccessPath is a part of a bucket that an access opens.
type AccessPath struct {
	Bucket string
	Prefix string // empty: the whole bucket; ending in "/": what lies under it; else one object
}

// ParseAccess reads an access grant. It asks nobody: whether the satellite honours it shows at the first use.
//
// Errors: ErrAccessInvalid.
func ParseAccess(text string) (*Access, error) {
	raw, err := base58check.Decode(text, grantTextVersion, maxGrantSize)
	if err != nil {
		return nil, wrap("parse access", ErrAccessInvalid)
	}
	var g grant
	if wire.Unmarshal(raw, &g) != nil || g.keys == nil || !bytes.Equal(wire.Marshal(&g), raw) {
		return nil, wrap("parse access", fmt.Errorf("%w: made by a later version?", ErrAccessInvalid))
	}
	apiKey, err := macaroon.ParseBytes(g.apiKey)
	if err != nil || netx.CheckAddress(g.satellite.Address) != nil {
		return nil, wrap("parse access", ErrAccessInvalid)
	}
	return &Access{satellite: g.satellite, apiKey: apiKey, keys: g.keys}, nil
}

// RequestAccess makes the access to a whole project from the API key and the passphrase that a person has. It asks the
// satellite for the project's salt; the passphrase does not leave the process. It takes 64 MiB and some 50 ms for the
// key derivation.
//
// The passphrase is not checked, for nobody but the caller knows it: another one opens the project, but not the
// objects that were stored with this one.
// Errors: ErrAccessInvalid, ErrAPIKeyInvalid, ErrUnavailable.
func RequestAccess(ctx context.Context, config Config, satelliteURL, apiKey string, passphrase []byte) (*Access, error) {
	const op = "request access"
	satellite, err := netx.ParseNodeURL(satelliteURL)
	if err != nil {
		return nil, wrap(op, fmt.Errorf("%w: satellite: %w", ErrAccessInvalid, err))
	}
	key, err := macaroon.Parse(apiKey)
	if err != nil {
		return nil, wrap(op, fmt.Errorf("%w: %w", ErrAccessInvalid, err))
	}
	if len(passphrase) == 0 {
		return nil, wrap(op, fmt.Errorf("%w: passphrase is empty", ErrAccessInvalid))
	}
	project, err := Open(ctx, config, &Access{satellite: satellite, apiKey: key, keys: &keys.Access{}})
	if err != nil {
		return nil, err
	}
	info, err := call(ctx, project.standalone(), project.meta.ProjectInfo, &metainfo.ProjectInfoRequest{Auth: project.auth()})
	closeErr := project.Close()
	if err != nil || closeErr != nil {
		return nil, wrap(op, firstError(err, closeErr))
	}
	root, err := keys.RootKey(passphrase, info.Salt[:])
	if err != nil {
		return nil, wrap(op, err)
	}
	return &Access{satellite: satellite, apiKey: key, keys: keys.NewAccess(root)}, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Serialize returns the access grant: text that ParseAccess reads. It is a secret.
func (a *Access) Serialize() (string, error) {
	g := grant{satellite: a.satellite, apiKey: a.apiKey.Bytes(), keys: a.keys}
	raw := wire.Marshal(&g)
	if len(raw) > maxGrantSize {
		return "", wrap("serialize access", fmt.Errorf("%w: %d bytes of at most %d", ErrAccessInvalid, len(raw), maxGrantSize))
	}
	return base58check.Encode(grantTextVersion, raw), nil
}

// SatelliteURL returns ID@host:port of the satellite.
func (a *Access) SatelliteURL() string { return a.satellite.String() }

// Inspect returns what may be shown of the access.
func (a *Access) Inspect() AccessInfo {
	head := a.apiKey.Head()
	info := AccessInfo{
		SatelliteURL: a.satellite.String(),
		APIKeyID:     hex.EncodeToString(head[:]),
		AllPaths:     a.keys.Default != nil,
	}
	for _, p := range a.keys.Prefixes {
		info.Paths = append(info.Paths, AccessPath{Bucket: p.Bucket, Prefix: p.Path})
	}
	info.addCaveats(a.apiKey)
	return info
}

func (i *AccessInfo) addCaveats(key *macaroon.APIKey) {
	caveats, err := key.Caveats()
	if err != nil {
		i.Restrictions = -1
		return
	}
	i.Restrictions = len(caveats)
	p := FullPermission()
	for _, c := range caveats {
		p.AllowDownload = p.AllowDownload && !c.DisallowReads
		p.AllowUpload = p.AllowUpload && !c.DisallowWrites
		p.AllowList = p.AllowList && !c.DisallowLists
		p.AllowDelete = p.AllowDelete && !c.DisallowDeletes
		p.Locks.add(&c)
		if c.NotBefore.After(p.NotBefore) {
			p.NotBefore = c.NotBefore
		}
		if !c.NotAfter.IsZero() && (p.NotAfter.IsZero() || c.NotAfter.Before(p.NotAfter)) {
			p.NotAfter = c.NotAfter
		}
		if c.MaxObjectTTL > 0 && (p.MaxObjectTTL == 0 || c.MaxObjectTTL < p.MaxObjectTTL) {
			p.MaxObjectTTL = c.MaxObjectTTL
		}
	}
	p.Locks = p.Locks.beyond(&p)
	i.Permission = p
}

// add denies what a caveat does.
func (l *LockPermission) add(c *macaroon.Caveat) {
	l.DenyAll = l.DenyAll || c.DisallowLocks
	l.DenySetRetention = l.DenySetRetention || c.DisallowPutRetention
	l.DenyGetRetention = l.DenyGetRetention || c.DisallowGetRetention
	l.DenySetLegalHold = l.DenySetLegalHold || c.DisallowPutLegalHold
	l.DenyGetLegalHold = l.DenyGetLegalHold || c.DisallowGetLegalHold
	l.DenyBypassGovernance = l.DenyBypassGovernance || c.DisallowBypassGovernanceRetention
	l.DenySetBucketLock = l.DenySetBucketLock || c.DisallowPutBucketLock
	l.DenyGetBucketLock = l.DenyGetBucketLock || c.DisallowGetBucketLock
	l.DenyNotifications = l.DenyNotifications || c.DisallowBucketNotifications
}

// beyond leaves out what follows from the operations, as Permission.caveat derives it.
func (l LockPermission) beyond(p *Permission) LockPermission {
	l.DenyAll = l.DenyAll && p.AllowUpload
	l.DenyGetRetention = l.DenyGetRetention && p.AllowDownload
	l.DenyGetLegalHold = l.DenyGetLegalHold && p.AllowDownload
	l.DenyGetBucketLock = l.DenyGetBucketLock && p.AllowDownload
	l.DenyBypassGovernance = l.DenyBypassGovernance && p.AllowDelete
	l.DenyNotifications = l.DenyNotifications && p.AllowDownload && p.AllowUpload && p.AllowList && p.AllowDelete
	return l
}

// String keeps the access out of logs and errors.
func (Access) String() string { return "REDACTED" }

// GoString keeps the access out of %#v.
func (Access) GoString() string { return "REDACTED" }

// MarshalText keeps the access out of JSON and logs; Serialize is for those who mean it.
func (Access) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// grant is an access as it is written; FORMAT in the package comment.
type grant struct {
	satellite netx.NodeURL
	apiKey    []byte
	keys      *keys.Access
}

// Fields codes the grant for wire.
func (g *grant) Fields(c *wire.Codec) {
	version := uint64(grantVersion)
	if c.Decoding() {
		version, g.keys = 0, &keys.Access{}
	}
	c.Uint(1, &version)
	if version != grantVersion {
		c.Fail()
		return
	}
	c.Fixed(2, g.satellite.ID[:])
	c.String(3, &g.satellite.Address, maxAddressSize)
	c.Bytes(4, &g.apiKey, macaroon.MaxSize)
	c.Message(5, g.keys)
}
