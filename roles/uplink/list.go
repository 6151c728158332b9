package uplink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"storj/ecenc/keys"
	"storj/metainfo"
)

// ListOptions narrows a listing. The zero value, and nil, is the top level of the bucket.
type ListOptions struct {
	Prefix    string // keys that begin with it
	Cursor    string // keys after this one, which an earlier listing with the same Prefix and Recursive gave
	Recursive bool   // else keys with a further "/" behind Prefix are shown as one item, their common prefix
	Custom    bool   // fill in Object.Custom and Object.Tags: costs a decryption each
}

// List lists the objects of a bucket. Nothing is asked before the first Next.
//
// Order: that of encrypted keys, which is the same every time but not that of the alphabet; in buckets with plain names
// the order of the bytes of the keys.
//
// With an access to a prefix, a listing above it that is not Recursive shows the way there and nothing else; below it, all
// there is; elsewhere it fails with ErrPermissionDenied.
func (p *Project) List(ctx context.Context, bucket string, opts *ListOptions) *ObjectIterator {
	if opts == nil {
		opts = &ListOptions{}
	}
	l := &listing{project: p, bucket: bucket, opts: *opts}
	return &ObjectIterator{fetch: func() (page objectPage, err error) {
		err = p.do(ctx, "list", func(ctx context.Context) error {
			page, err = l.next(ctx)
			return err
		})
		return page, err
	}}
}

// ObjectIterator goes through objects, a page of the satellite at a time. For one goroutine.
type ObjectIterator struct {
	fetch  func() (objectPage, error)
	page   objectPage
	item   *Object
	hidden int
	ended  bool
	err    error

	changes uint64
	asked   bool
}

// objectPage is a page of the satellite, decrypted.
type objectPage struct {
	objects []*Object
	hidden  int
	more    bool
	changes uint64
}

// Next moves to the next object or prefix and says whether there is one. After false, Err tells why.
func (it *ObjectIterator) Next() bool {
	it.item = nil
	for len(it.page.objects) == 0 && !it.ended {
		it.page, it.err = it.fetch()
		it.hidden += it.page.hidden
		if !it.asked {
			it.asked, it.changes = true, it.page.changes
		}
		it.ended = !it.page.more || it.err != nil
	}
	if len(it.page.objects) == 0 {
		return false
	}
	it.item, it.page.objects = it.page.objects[0], it.page.objects[1:]
	return true
}

// Item returns the object that Next moved to; it belongs to the caller.
func (it *ObjectIterator) Item() *Object { return it.item }

// Err returns why the listing ended early, or nil.
func (it *ObjectIterator) Err() error { return it.err }

// Hidden returns how many objects of the pages read so far could not be shown, because their names or metadata do not
// decrypt: they were stored with another passphrase. A listing that shows nothing and hides some has been opened with
// the wrong one.
func (it *ObjectIterator) Hidden() int { return it.hidden }

// Changes is the bucket's Changes when the listing began, known after the first Next: what was listed is still right while
// the bucket has no other.
func (it *ObjectIterator) Changes() uint64 { return it.changes }

// listing is where a listing stands.
type listing struct {
	project *Project
	bucket  string
	opts    ListOptions
	keys    *keys.Access
	lister  *keys.Lister
	dir     string // opts.Prefix up to its last "/"
	cursor  []byte // encrypted, relative to the lister's prefix

	versions      bool
	only          string // the one key whose versions are listed; empty: all
	cursorVersion uint64
}

// start prepares the keys. Errors: those of locate, ErrInvalid for a cursor outside the prefix.
func (l *listing) start(ctx context.Context) (err error) {
	if err := metainfo.CheckBucketName(l.bucket); err != nil {
		return err
	}
	if l.keys, err = l.project.keysOf(ctx, l.bucket); err != nil {
		return err
	}
	lister, err := keys.NewLister(l.keys, l.bucket, l.opts.Prefix)
	if err != nil {
		return err
	}
	l.dir = strings.TrimSuffix(l.opts.Prefix, lister.Filter())
	if l.opts.Cursor != "" {
		if l.cursor, err = l.encryptCursor(lister.EncryptedPrefix()); err != nil {
			return err
		}
	}
	if err := l.startVersions(lister); err != nil {
		return err
	}
	l.lister = lister
	return nil
}

// encryptCursor returns the cursor as the satellite gave it: relative to the prefix, and a common prefix with its "/".
func (l *listing) encryptCursor(prefix []byte) ([]byte, error) {
	if !strings.HasPrefix(l.opts.Cursor, l.dir) {
		return nil, fmt.Errorf("%w: cursor outside the prefix", ErrInvalid)
	}
	var encrypted []byte
	var err error
	if strings.HasSuffix(l.opts.Cursor, "/") && !l.opts.Recursive && l.opts.Cursor != l.dir {
		encrypted, _, err = l.keys.EncryptPrefix(l.bucket, l.opts.Cursor)
	} else {
		encrypted, err = l.keys.EncryptPath(l.bucket, l.opts.Cursor)
	}
	if err != nil {
		return nil, err
	}
	return encrypted[len(prefix):], nil
}

func (l *listing) next(ctx context.Context) (objectPage, error) {
	if l.lister == nil {
		err := l.start(ctx)
		if errors.Is(err, keys.ErrNoKey) && l.keys != nil && !l.opts.Recursive {
			return l.way(ctx)
		}
		if err != nil {
			return objectPage{}, err
		}
	}
	req := &metainfo.ListObjectsRequest{
		Auth: l.project.auth(), Bucket: l.bucket, Prefix: l.lister.EncryptedPrefix(), Cursor: l.cursor,
		Recursive: l.opts.Recursive, Metadata: l.opts.Custom, Versions: l.versions, CursorVersion: l.cursorVersion,
	}
	if l.only != "" {
		req.Limit = versionsOfOne
	}
	list, err := call(ctx, l.project.standalone(), l.project.meta.ListObjects, req)
	if err != nil {
		return objectPage{}, l.project.found(l.bucket, err)
	}
	page := objectPage{more: list.More, changes: list.Changes, objects: make([]*Object, 0, len(list.Items))}
	if list.More && len(list.Items) == 0 {
		return objectPage{}, fmt.Errorf("%w: empty page with more behind it", ErrInternal)
	}
	for i := range list.Items {
		l.add(&page, &list.Items[i])
	}
	if n := len(list.Items); n > 0 {
		last := &list.Items[n-1].Object
		l.cursor, l.cursorVersion = last.Key, last.Version
		page.more = page.more && (l.only == "" || bytes.Equal(last.Key, list.Items[0].Object.Key))
	} else if l.cursor == nil && l.dir != "" {
		page.hidden = l.foreign(ctx)
	}
	return page, nil
}

// foreign looks at the top of the bucket when there is nothing under a prefix, and returns how many names do not decrypt
// there if none of those seen does: with the wrong passphrase a prefix is another one, and must not look empty.
func (l *listing) foreign(ctx context.Context) (hidden int) {
	const seen = 10
	lister, err := keys.NewLister(l.keys, l.bucket, "")
	if err != nil {
		return 0 // the access opens no more than the prefix: there is nothing to compare with
	}
	list, err := l.project.meta.ListObjects(ctx, &metainfo.ListObjectsRequest{
		Auth: l.project.auth(), Bucket: l.bucket, Limit: seen,
	})
	if err != nil {
		return 0 // best effort: the listing itself has succeeded
	}
	for i := range list.Items {
		if _, err := lister.DecryptName(list.Items[i].Object.Key); err == nil {
			return 0
		}
		hidden++
	}
	return hidden
}

// add decrypts an item into the page, if it is one of those asked for.
func (l *listing) add(page *objectPage, item *metainfo.ListItem) {
	name, err := l.lister.DecryptName(item.Object.Key)
	if err != nil {
		page.hidden++
		return
	}
	key := l.dir + name
	if !strings.HasPrefix(key, l.opts.Prefix) || key == l.opts.Cursor && !l.versions {
		return // a plain name that is all of the prefix has an empty cursor, and comes again
	}
	if l.only != "" && (key != l.only || item.Prefix) {
		return
	}
	switch {
	case item.Prefix:
		page.objects = append(page.objects, &Object{Key: key, IsPrefix: true})
	case !l.opts.Custom || item.Object.Marker:
		page.objects = append(page.objects, systemOf(&item.Object, key))
	default:
		t := target{bucket: l.bucket, key: key, keys: l.keys}
		o, err := t.open(&item.Object)
		if err != nil {
			page.hidden++
			return
		}
		page.objects = append(page.objects, o.object(key))
	}
}
