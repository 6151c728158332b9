package keys

import (
	"bytes"
	"errors"
	"strings"

	"storj/ecenc"
	"storj/ecenc/wire"
)

const (
	// MaxEncryptedPath is the size limit of an encrypted object key in bytes.
	MaxEncryptedPath = 4000
	// MaxPrefixes is the number of prefixes that an Access may list.
	MaxPrefixes = 1000

	maxBucketName = 255
	accessVersion = 1
)

var (
	// ErrNoKey is returned when an access holds no key for what is asked.
	ErrNoKey = errors.New("access holds no key for this path")
	// ErrKeyTooLong is returned for object keys that are over MaxEncryptedPath bytes when encrypted.
	ErrKeyTooLong = errors.New("object key too long")
	// ErrDecrypt is returned for an encrypted object key which these keys cannot have made.
	ErrDecrypt = errors.New("object key does not decrypt: made with another passphrase?")
)

// Access is the keys that somebody holds. It prints as REDACTED.
type Access struct {
	Default    *ecenc.Key // root of the tree, covers every bucket; nil when restricted
	Prefixes   []Prefix   // the longest that fits is used, before Default; at most MaxPrefixes
	PlainNames bool       // object keys are not encrypted; content still is
}

// Prefix is the key of one node of the tree. It prints as REDACTED.
type Prefix struct {
	Bucket string
	// Path is empty for the whole bucket, ends in "/" for what lies under it, and else is one object and what lies
	// under its name and "/".
	Path          string
	EncryptedPath []byte // the same, encrypted: what the satellite knows it by
	Key           ecenc.Key
}

// NewAccess returns the access to everything under a root key.
func NewAccess(root ecenc.Key) *Access { return &Access{Default: &root} }

// String keeps keys and names out of logs and errors.
func (Access) String() string { return "REDACTED" }

// GoString keeps keys and names out of %#v.
func (Access) GoString() string { return "REDACTED" }

// MarshalText keeps keys and names out of JSON and logs.
func (Access) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// String keeps keys and names out of logs and errors.
func (Prefix) String() string { return "REDACTED" }

// GoString keeps keys and names out of %#v.
func (Prefix) GoString() string { return "REDACTED" }

// MarshalText keeps keys and names out of JSON and logs.
func (Prefix) MarshalText() ([]byte, error) { return []byte("REDACTED"), nil }

// WithPlainNames returns the same keys for buckets whose object keys are, or are not, encrypted.
//
// A restricted access knows the encrypted form of its prefixes for one kind of bucket only: it is returned as it is.
func (a *Access) WithPlainNames(plain bool) *Access {
	if len(a.Prefixes) > 0 {
		return a
	}
	return &Access{Default: a.Default, PlainNames: plain}
}

// Restrict returns an access to these prefixes of one bucket, or to the whole bucket when none is given.
//
// Prefixes are as Prefix.Path. For several buckets, gather the Prefixes of several results in one Access.
// Errors: ErrNoKey, ErrKeyTooLong.
func (a *Access) Restrict(bucket string, prefixes ...string) (*Access, error) {
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	out := &Access{PlainNames: a.PlainNames}
	for _, path := range prefixes {
		p, err := a.prefix(bucket, path)
		if err != nil {
			return nil, err
		}
		out.Prefixes = append(out.Prefixes, p)
	}
	return out, nil
}

func (a *Access) prefix(bucket, path string) (Prefix, error) {
	p := Prefix{Bucket: bucket, Path: path}
	if path == "" || strings.HasSuffix(path, "/") {
		l, encrypted, err := a.descend(bucket, path)
		if err != nil {
			return Prefix{}, err
		}
		p.Key, p.EncryptedPath = l.key, encrypted
		return p, nil
	}
	var err error
	if p.Key, err = a.PathKey(bucket, path); err != nil {
		return Prefix{}, err
	}
	p.EncryptedPath, err = a.EncryptPath(bucket, path)
	return p, err
}

// Fields codes the access for wire.
func (a *Access) Fields(c *wire.Codec) {
	version := uint64(accessVersion)
	if c.Decoding() {
		version = 0
	}
	c.Uint(1, &version)
	if version != accessVersion {
		c.Fail()
		return
	}
	var root ecenc.Key
	if a.Default != nil {
		root = *a.Default
	}
	c.Fixed(2, root[:])
	if c.Decoding() && !root.IsZero() {
		a.Default = &root
	}
	c.Bool(3, &a.PlainNames)
	wire.Repeated(c, 4, &a.Prefixes, MaxPrefixes)
}

// Fields codes the prefix for wire.
func (p *Prefix) Fields(c *wire.Codec) {
	c.String(1, &p.Bucket, maxBucketName)
	c.String(2, &p.Path, MaxEncryptedPath)
	c.Bytes(3, &p.EncryptedPath, MaxEncryptedPath)
	c.Fixed(4, p.Key[:])
	if !c.Decoding() {
		return
	}
	p.EncryptedPath = bytes.Clone(p.EncryptedPath) // an access outlives the buffer it came in
	if strings.HasSuffix(p.Path, "/") != bytes.HasSuffix(p.EncryptedPath, []byte("/")) ||
		(p.Path == "") != (len(p.EncryptedPath) == 0) {
		c.Fail()
	}
}
