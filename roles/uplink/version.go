package uplink

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	"storj/ecenc/keys"
	"storj/metainfo"
)

// NullVersion names the version of an object that was written while its bucket was not versioned.
const NullVersion = "null"

// versionText names a version for people and S3: 16 hex digits, or NullVersion.
func versionText(record *metainfo.Object) string {
	if record.Null {
		return NullVersion
	}
	return versionOf(record.Version)
}

func versionOf(number uint64) string {
	switch number {
	case metainfo.LatestVersion:
		return ""
	case metainfo.NullVersion:
		return NullVersion
	}
	return fmt.Sprintf("%016x", number)
}

// parseVersion is the inverse; empty is the latest. Errors: ErrInvalid.
func parseVersion(text string) (uint64, error) {
	switch text {
	case "":
		return metainfo.LatestVersion, nil
	case NullVersion:
		return metainfo.NullVersion, nil
	}
	number, err := strconv.ParseUint(text, 16, 64)
	if err != nil || number == metainfo.LatestVersion || number == metainfo.NullVersion || versionOf(number) != text {
		return 0, fmt.Errorf("%w: %q names no version", ErrInvalid, text)
	}
	return number, nil
}

// parseStream reads what StreamID.String wrote; empty is zero. Errors: ErrInvalid.
func parseStream(what, text string) (id metainfo.StreamID, err error) {
	if text == "" {
		return id, nil
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) || metainfo.StreamID(raw).IsZero() {
		return id, fmt.Errorf("%w: %q is no %s", ErrInvalid, text, what)
	}
	return metainfo.StreamID(raw), nil
}

func parseRevision(text string) (metainfo.StreamID, error) { return parseStream("revision", text) }

// locateVersion is locate of one version.
func (p *Project) locateVersion(ctx context.Context, bucket, key, version string) (target, error) {
	number, err := parseVersion(version)
	if err != nil {
		return target{}, err
	}
	t, err := p.locate(ctx, bucket, key)
	t.version = number
	return t, p.found(bucket, err)
}

// ListVersionsOptions narrows a listing of versions. The zero value, and nil, is the top level of the bucket.
type ListVersionsOptions struct {
	Prefix string // keys that begin with it
	Key    string // instead of Prefix: the versions of this object
	// Cursor and CursorVersion go on behind an object of an earlier listing with the same Prefix and Recursive, by its Key
	// and Version. Without CursorVersion all versions of Cursor are left out.
	Cursor        string
	CursorVersion string
	Recursive     bool // else keys with a further "/" behind Prefix are shown as one item, their common prefix
	Custom        bool // fill in Object.Custom and Object.Tags: costs a decryption each
}

// ListVersions lists all versions of objects, delete markers among them: by key, the newest of each first. Nothing is
// asked before the first Next.
//
// Order and restricted accesses are as with List, but that nothing is shown above a prefix.
func (p *Project) ListVersions(ctx context.Context, bucket string, opts *ListVersionsOptions) *ObjectIterator {
	if opts == nil {
		opts = &ListVersionsOptions{}
	}
	l := &listing{project: p, bucket: bucket, versions: true, opts: ListOptions{
		Prefix: opts.Prefix, Cursor: opts.Cursor, Recursive: opts.Recursive, Custom: opts.Custom,
	}}
	var parseErr error
	if opts.Key != "" {
		l.only, l.opts.Prefix, l.opts.Recursive = opts.Key, opts.Key, false
	}
	if opts.CursorVersion != "" {
		l.cursorVersion, parseErr = parseVersion(opts.CursorVersion)
	}
	return &ObjectIterator{fetch: func() (page objectPage, err error) {
		err = p.do(ctx, "list versions", func(ctx context.Context) error {
			if parseErr != nil {
				return parseErr
			}
			page, err = l.next(ctx)
			return err
		})
		return page, err
	}}
}

// RestoreVersion makes an older version of an object the latest again, by putting a copy of it on top; what lies between
// stays. The latest one is returned as it is.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrDeleteMarker, ErrInvalid, ErrWrongPassphrase.
func (p *Project) RestoreVersion(ctx context.Context, bucket, key, version string) (object *Object, err error) {
	err = p.do(ctx, "restore version", func(ctx context.Context) error {
		source, err := p.locateVersion(ctx, bucket, key, version)
		if err != nil {
			return err
		}
		if source.version == metainfo.LatestVersion {
			return fmt.Errorf("%w: no version is named", ErrInvalid)
		}
		dest := source
		dest.version = metainfo.LatestVersion
		object, err = p.restore(ctx, source, dest)
		return err
	})
	return object, err
}

// versionsOfOne is the page size when the versions of one object are listed: it has few, and what follows is of others.
const versionsOfOne = 100

// startVersions finishes the cursor of a listing of versions.
func (l *listing) startVersions(lister *keys.Lister) error {
	if !l.versions {
		return nil
	}
	from := l.opts.Cursor
	if l.only != "" && from == "" {
		encrypted, err := l.keys.EncryptPath(l.bucket, l.only)
		if err != nil {
			return err
		}
		l.cursor, l.cursorVersion = encrypted[len(lister.EncryptedPrefix()):], newestVersion
	}
	if from == "" && l.only == "" && l.cursorVersion != metainfo.LatestVersion {
		return fmt.Errorf("%w: version without a key to go on behind", ErrInvalid)
	}
	return nil
}

// newestVersion as a cursor comes before all versions of a key.
const newestVersion = metainfo.NullVersion - 1
