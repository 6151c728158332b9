package keys

import (
	"bytes"
)

// Lister decrypts the names of one listing. It remembers the keys of the folders on the way to the last name, so that
// a name among its neighbours costs a microsecond. For one goroutine.
type Lister struct {
	prefix []byte
	filter string
	plain  bool
	levels []*level  // levels[0] is where the names hang; levels[i+1] hangs under chain[i]
	chain  []*folder // the folders of the last name; one less than levels
}

type folder struct {
	encrypted []byte
	name      string
}

// NewLister prepares the listing of what begins with prefix in a bucket.
//
// Errors: as EncryptPrefix.
func NewLister(a *Access, bucket, prefix string) (*Lister, error) {
	dir, filter := splitPath(prefix)
	l, encrypted, err := a.descend(bucket, dir)
	if err != nil {
		return nil, err
	}
	return &Lister{prefix: encrypted, filter: filter, plain: a.PlainNames, levels: []*level{l}}, nil
}

// EncryptedPrefix is what the satellite is to match: empty or ending in "/". It must not be changed.
func (l *Lister) EncryptedPrefix() []byte { return l.prefix }

// Filter is the plaintext which the wanted names begin with, below EncryptedPrefix. DecryptName does not apply it.
func (l *Lister) Filter() string { return l.filter }

// DecryptName returns the plaintext of a name found under EncryptedPrefix, given without that prefix.
//
// Shape: one component or more, joined by "/". A trailing "/", as in the common prefixes of a listing with delimiter,
// is kept.
// Errors: ErrDecrypt.
func (l *Lister) DecryptName(name []byte) (string, error) {
	if len(l.prefix)+len(name) > MaxEncryptedPath {
		return "", ErrDecrypt
	}
	if l.plain {
		return string(name), nil
	}
	var plain []byte
	for depth := 0; ; depth++ {
		component, rest, more := bytes.Cut(name, []byte("/"))
		if !more {
			if len(component) == 0 && depth > 0 {
				return string(plain), nil
			}
			last, err := l.levels[depth].decrypt(component)
			if err != nil {
				return "", err
			}
			if depth == 0 {
				return last, nil
			}
			return string(append(plain, last...)), nil
		}
		if err := l.enter(depth, component); err != nil {
			return "", err
		}
		plain = append(append(plain, l.chain[depth].name...), '/')
		name = rest
	}
}

// enter makes levels[depth+1] the level under this folder of levels[depth].
func (l *Lister) enter(depth int, component []byte) error {
	if depth < len(l.chain) && bytes.Equal(l.chain[depth].encrypted, component) {
		return nil
	}
	name, err := l.levels[depth].decrypt(component)
	if err != nil {
		return err
	}
	below, err := l.levels[depth].child(name)
	if err != nil {
		return err
	}
	l.chain = append(l.chain[:depth], &folder{bytes.Clone(component), name})
	l.levels = append(l.levels[:depth+1], below)
	return nil
}
