package location

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Scheme is how remote places begin.
const Scheme = "sj://"

var (
	// ErrSyntax is returned by Parse for text that is meant to be a remote place, and is none.
	ErrSyntax = errors.New("not a place in the form sj://bucket/key")
	// ErrUnsafeName is returned by LocalName for a key that as a path would leave its directory or name no file.
	ErrUnsafeName = errors.New("name cannot be a local file")
)

// Location is a place: an object or prefix (Remote), a local path, or a standard stream. One of Remote and Std is set,
// or neither: then Path counts.
type Location struct {
	Remote bool
	Std    bool   // "-"
	Bucket string // empty for all buckets: sj://
	Key    string // verbatim; empty for the whole bucket
	Path   string // local, as given
}

// Parse reads a place. It asks neither network nor disk.
//
// Errors: ErrSyntax, for what is nearly a remote place too: sj:/b, sj:b, SJ://b, s3://b. An empty text is ErrSyntax.
func Parse(text string) (Location, error) {
	switch {
	case text == "":
		return Location{}, fmt.Errorf("%w: it is empty", ErrSyntax)
	case text == "-":
		return Location{Std: true}, nil
	case strings.HasPrefix(text, Scheme):
		return parseRemote(text)
	}
	lower := strings.ToLower(text)
	for _, nearly := range []string{"sj:", "s3://", "storj://"} {
		if strings.HasPrefix(lower, nearly) {
			return Location{}, fmt.Errorf("%w: %q (a local file of that name is ./%s)", ErrSyntax, text, text)
		}
	}
	return Location{Path: text}, nil
}

func parseRemote(text string) (Location, error) {
	bucket, key, _ := strings.Cut(text[len(Scheme):], "/")
	if bucket == "" && len(text) > len(Scheme) {
		return Location{}, fmt.Errorf("%w: %q has no bucket", ErrSyntax, text)
	}
	return Location{Remote: true, Bucket: bucket, Key: key}, nil
}

// ParseRemote reads a place that must be remote. Errors: ErrSyntax.
func ParseRemote(text string) (Location, error) {
	loc, err := Parse(text)
	if err == nil && !loc.Remote {
		err = fmt.Errorf("%w: %q", ErrSyntax, text)
	}
	return loc, err
}

// String returns the place as Parse reads it.
func (l Location) String() string {
	switch {
	case l.Std:
		return "-"
	case !l.Remote:
		return l.Path
	case l.Bucket == "":
		return Scheme
	case l.Key == "":
		return Scheme + l.Bucket
	}
	return Scheme + l.Bucket + "/" + l.Key
}

// IsLocal says whether the place is a path on this machine.
func (l Location) IsLocal() bool { return !l.Remote && !l.Std }

// IsPrefix says whether the place is remote and has room for several objects.
func (l Location) IsPrefix() bool {
	return l.Remote && (l.Key == "" || strings.HasSuffix(l.Key, "/"))
}

// Dir returns the remote place as a prefix: with a "/" at its end, or the whole bucket.
func (l Location) Dir() Location {
	if l.Remote && !l.IsPrefix() {
		l.Key += "/"
	}
	return l
}

// Join returns the place with a name behind it: for a remote place the key's bytes are joined, which the caller made end
// in "/"; for a local one the elements of the path.
func (l Location) Join(name string) Location {
	if l.Remote {
		l.Key += name
		return l
	}
	l.Path = filepath.Join(l.Path, name)
	return l
}

// Base returns the last part of the place's name: of a key what is behind its last "/", of a path its last element. It is
// empty for prefixes, and for paths that have none (".", "..", "/").
func (l Location) Base() string {
	switch {
	case l.Remote:
		return l.Key[strings.LastIndexByte(l.Key, '/')+1:]
	case l.Std:
		return ""
	}
	base := filepath.Base(l.Path)
	if base == "." || base == ".." || base == string(filepath.Separator) {
		return ""
	}
	return base
}

// Contains says whether other is remote and lies at or under l.
func (l Location) Contains(other Location) bool {
	if !l.Remote || !other.Remote || l.Bucket != other.Bucket {
		return false
	}
	dir := l.Dir().Key
	return other.Key == l.Key || strings.HasPrefix(other.Key, dir) || other.Dir().Key == dir
}

// LocalName returns the key, or the rest of one behind a prefix, as a relative path of this system that stays below the
// directory it is joined to. Keys are written by whoever may write to the bucket, so none is trusted.
//
// Errors: ErrUnsafeName for the empty key, one with an empty, "." or ".." component (also one that begins or ends in
// "/"), one with a NUL, and what this system reserves. They are refused rather than mended: two keys must never become
// one file.
func LocalName(key string) (string, error) {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%w: %q", ErrUnsafeName, key)
		}
	}
	if strings.ContainsRune(key, 0) || filepath.Separator != '/' && strings.ContainsRune(key, filepath.Separator) {
		return "", fmt.Errorf("%w: %q", ErrUnsafeName, key)
	}
	name := filepath.FromSlash(key)
	if !filepath.IsLocal(name) {
		return "", fmt.Errorf("%w: %q", ErrUnsafeName, key)
	}
	return name, nil
}
