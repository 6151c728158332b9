package keys

import (
	"bytes"
	"strings"

	"storj/ecenc"
)

// EncryptPath returns the object key as the satellite knows it.
//
// Errors: ErrNoKey, ErrKeyTooLong.
func (a *Access) EncryptPath(bucket, path string) ([]byte, error) {
	if p := a.exact(bucket, path); p != nil {
		return bytes.Clone(p.EncryptedPath), nil
	}
	if len(path) > MaxEncryptedPath {
		return nil, ErrKeyTooLong // encryption never makes it shorter
	}
	dir, name := splitPath(path)
	l, encrypted, err := a.descend(bucket, dir)
	if err != nil {
		return nil, err
	}
	return checkLength(l.encrypt(encrypted, name))
}

// PathKey returns the key of an object in the tree: what ContentWrapKey is made of.
//
// Errors: ErrNoKey, ErrKeyTooLong.
func (a *Access) PathKey(bucket, path string) (ecenc.Key, error) {
	if p := a.exact(bucket, path); p != nil {
		return p.Key, nil
	}
	dir, name := splitPath(path)
	l, _, err := a.descend(bucket, dir)
	if err != nil {
		return ecenc.Key{}, err
	}
	return l.childKey(name), nil
}

// EncryptPrefix cuts the prefix of a listing into what the satellite can match and what it cannot.
//
// Returns the encrypted form of all up to the last "/", that included, or nothing; and the plaintext filter which the
// names found under it must begin with.
// Errors: ErrNoKey, ErrKeyTooLong.
func (a *Access) EncryptPrefix(bucket, prefix string) (encrypted []byte, filter string, err error) {
	dir, filter := splitPath(prefix)
	_, encrypted, err = a.descend(bucket, dir)
	if err != nil {
		return nil, "", err
	}
	return encrypted, filter, nil
}

// DecryptPath returns the object key whose encrypted form is given. Many keys are better decrypted by a Lister.
//
// Errors: ErrNoKey when it lies outside the prefixes; ErrDecrypt.
func (a *Access) DecryptPath(bucket string, encrypted []byte) (string, error) {
	if len(encrypted) > MaxEncryptedPath {
		return "", ErrDecrypt
	}
	for i := range a.Prefixes {
		p := &a.Prefixes[i]
		if p.Bucket == bucket && p.single() && bytes.Equal(p.EncryptedPath, encrypted) {
			return p.Path, nil
		}
	}
	l, dir, rest, err := a.descendEncrypted(bucket, encrypted)
	if err != nil {
		return "", err
	}
	if a.PlainNames {
		return string(encrypted), nil
	}
	path := []byte(dir)
	for {
		component, after, more := bytes.Cut(rest, []byte("/"))
		name, err := l.decrypt(component)
		if err != nil {
			return "", err
		}
		path = append(path, name...)
		if !more {
			return string(path), nil
		}
		path = append(path, '/')
		rest = after
		if l, err = l.child(name); err != nil {
			return "", err
		}
	}
}

// exact returns the prefix that is this very object.
func (a *Access) exact(bucket, path string) *Prefix {
	for i := range a.Prefixes {
		if p := &a.Prefixes[i]; p.Bucket == bucket && p.single() && p.Path == path {
			return p
		}
	}
	return nil
}

// descend walks from the deepest key at hand to dir, which is empty or ends in "/". It returns the level there and the
// encrypted form of dir.
func (a *Access) descend(bucket, dir string) (*level, []byte, error) {
	key, base, encrypted, err := a.nearest(bucket, func(p *Prefix) bool { return strings.HasPrefix(dir, p.dir()) })
	if err != nil {
		return nil, nil, err
	}
	l, err := newLevel(key, a.PlainNames)
	if err != nil {
		return nil, nil, err
	}
	encrypted = bytes.Clone(encrypted)
	rest := dir[len(base):]
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if encrypted, err = checkLength(append(l.encrypt(encrypted, name), '/')); err != nil {
			return nil, nil, err
		}
		if l, err = l.child(name); err != nil {
			return nil, nil, err
		}
	}
	return l, encrypted, nil
}

// descendEncrypted returns the deepest level at hand over an encrypted path, its plain folder and what is left below.
func (a *Access) descendEncrypted(bucket string, path []byte) (l *level, dir string, rest []byte, err error) {
	key, dir, encrypted, err := a.nearest(bucket, func(p *Prefix) bool { return bytes.HasPrefix(path, p.encryptedDir()) })
	if err != nil {
		return nil, "", nil, err
	}
	l, err = newLevel(key, a.PlainNames)
	return l, dir, path[len(encrypted):], err
}

// nearest returns the key of the longest prefix which covers, else that of the bucket under Default; and the folder,
// plain and encrypted, whose names it encrypts.
func (a *Access) nearest(bucket string, covers func(*Prefix) bool) (ecenc.Key, string, []byte, error) {
	var best *Prefix
	for i := range a.Prefixes {
		p := &a.Prefixes[i]
		if p.Bucket == bucket && covers(p) && (best == nil || len(p.dir()) > len(best.dir())) {
			best = p
		}
	}
	switch {
	case best != nil:
		return best.Key, best.dir(), best.encryptedDir(), nil
	case a.Default != nil:
		return Derive(*a.Default, bucket), "", nil, nil
	}
	return ecenc.Key{}, "", nil, ErrNoKey
}

// single says that the prefix is one object rather than a folder.
func (p *Prefix) single() bool { return p.Path != "" && !strings.HasSuffix(p.Path, "/") }

// dir is the folder whose names Key encrypts: empty or ending in "/".
func (p *Prefix) dir() string {
	if p.single() {
		return p.Path + "/"
	}
	return p.Path
}

func (p *Prefix) encryptedDir() []byte {
	if p.single() {
		return append(bytes.Clone(p.EncryptedPath), '/')
	}
	return p.EncryptedPath
}

// splitPath cuts a path after its last "/".
func splitPath(path string) (dir, name string) {
	at := strings.LastIndexByte(path, '/') + 1
	return path[:at], path[at:]
}

func checkLength(encrypted []byte) ([]byte, error) {
	if len(encrypted) > MaxEncryptedPath {
		return nil, ErrKeyTooLong
	}
	return encrypted, nil
}
