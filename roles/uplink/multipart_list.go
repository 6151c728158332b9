package uplink

import (
	"context"
	"fmt"
	"strings"

	"storj/ecenc"
	"storj/metainfo"
)

// ListPartsOptions narrows a listing of parts. The zero value, and nil, is all of them.
type ListPartsOptions struct {
	Cursor  int    // numbers after this one
	Version string // of ObjectParts: which version; empty: the latest
}

// ListParts lists the parts of an upload, by number. Nothing is asked before the first Next.
//
// Errors: ErrUploadLost, ErrInvalid, ErrWrongPassphrase.
func (p *Project) ListParts(ctx context.Context, bucket, key, id string, opts *ListPartsOptions) *PartIterator {
	return p.listParts(ctx, opts, func(ctx context.Context) (metainfo.ListPartsRequest, ecenc.Key, error) {
		_, _, u, err := p.upload(ctx, bucket, key, id)
		if err != nil {
			return metainfo.ListPartsRequest{}, ecenc.Key{}, err
		}
		return metainfo.ListPartsRequest{Upload: u.token}, u.content, nil
	})
}

// ObjectParts lists the parts of an object that was uploaded in parts, by number; of another it lists nothing.
//
// Errors: ErrBucketNotFound, ErrObjectNotFound, ErrInvalid, ErrWrongPassphrase.
func (p *Project) ObjectParts(ctx context.Context, bucket, key string, opts *ListPartsOptions) *PartIterator {
	var version string
	if opts != nil {
		version = opts.Version
	}
	return p.listParts(ctx, opts, func(ctx context.Context) (metainfo.ListPartsRequest, ecenc.Key, error) {
		t, err := p.locateVersion(ctx, bucket, key, version)
		if err != nil {
			return metainfo.ListPartsRequest{}, ecenc.Key{}, err
		}
		o, err := p.fetch(ctx, t)
		if err != nil {
			return metainfo.ListPartsRequest{}, ecenc.Key{}, err
		}
		return metainfo.ListPartsRequest{Bucket: bucket, Key: t.encrypted, Version: o.record.Version}, o.content, nil
	})
}

// listParts lists what begin finds.
func (p *Project) listParts(
	ctx context.Context, opts *ListPartsOptions, begin func(context.Context) (metainfo.ListPartsRequest, ecenc.Key, error),
) *PartIterator {
	var cursor uint32
	if opts != nil {
		cursor = uint32(min(max(0, opts.Cursor), MaxParts))
	}
	var req *metainfo.ListPartsRequest
	var content ecenc.Key
	next := func(ctx context.Context) (parts []Part, more bool, err error) {
		if req == nil {
			begun, key, err := begin(ctx)
			if err != nil {
				return nil, false, err
			}
			begun.Auth = p.auth()
			req, content = &begun, key
		}
		req.Cursor = cursor
		list, err := call(ctx, p.standalone(), p.meta.ListParts, req)
		if err != nil {
			return nil, false, err
		}
		for i := range list.Parts {
			s, err := openPart(content, &list.Parts[i])
			if err != nil {
				return nil, false, err
			}
			parts = append(parts, partOf(&list.Parts[i], s))
			cursor = list.Parts[i].Number
		}
		return parts, list.More && len(parts) > 0, nil
	}
	return &PartIterator{iterator[Part]{fetch: func() (parts []Part, more bool, err error) {
		err = p.do(ctx, "list parts", func(ctx context.Context) error {
			parts, more, err = next(ctx)
			return err
		})
		return parts, more, err
	}}}
}

// PartIterator goes through parts, a page of the satellite at a time. For one goroutine.
type PartIterator struct{ pages iterator[Part] }

// Next moves to the next part and says whether there is one. After false, Err tells why.
func (it *PartIterator) Next() bool { return it.pages.next() }

// Item returns the part that Next moved to; it belongs to the caller.
func (it *PartIterator) Item() *Part { return it.pages.item }

// Err returns why the listing ended early, or nil.
func (it *PartIterator) Err() error { return it.pages.err }

// iterator goes through pages.
type iterator[T any] struct {
	fetch func() (list []T, more bool, err error)
	page  []T
	item  *T
	ended bool
	err   error
}

func (it *iterator[T]) next() bool {
	it.item = nil
	for len(it.page) == 0 && !it.ended {
		var more bool
		it.page, more, it.err = it.fetch()
		it.ended = !more || it.err != nil
	}
	if len(it.page) == 0 || it.err != nil {
		return false
	}
	it.item, it.page = &it.page[0], it.page[1:]
	return true
}

// ListUploadsOptions narrows a listing of uploads. The zero value, and nil, is the top level of the bucket.
type ListUploadsOptions struct {
	Prefix    string // keys that begin with it
	Cursor    string // keys after this one, which an earlier listing with the same Prefix and Recursive gave
	CursorID  string // and uploads of Cursor after this one; empty: none of them
	Recursive bool   // else keys with a further "/" behind Prefix are shown as one item, their common prefix
}

// ListUploads lists the uploads in parts of a bucket that have not ended, by key, then ID; the order of keys is that of
// List. Nothing is asked before the first Next.
func (p *Project) ListUploads(ctx context.Context, bucket string, opts *ListUploadsOptions) *UploadIterator {
	if opts == nil {
		opts = &ListUploadsOptions{}
	}
	l := &uploadListing{opts: *opts, listing: listing{project: p, bucket: bucket, opts: ListOptions{
		Prefix: opts.Prefix, Cursor: opts.Cursor, Recursive: opts.Recursive,
	}}}
	it := &UploadIterator{}
	it.pages.fetch = func() (list []PendingUpload, more bool, err error) {
		err = p.do(ctx, "list uploads", func(ctx context.Context) error {
			list, more, err = l.next(ctx, &it.hidden)
			return err
		})
		return list, more, err
	}
	return it
}

// uploadListing is where a listing of uploads stands.
type uploadListing struct {
	listing listing
	opts    ListUploadsOptions
	stream  metainfo.StreamID // of the cursor
}

func (l *uploadListing) start(ctx context.Context) (err error) {
	if l.stream, err = parseStream("upload", l.opts.CursorID); err != nil {
		return err
	}
	return l.listing.start(ctx)
}

func (l *uploadListing) next(ctx context.Context, hidden *int) (uploads []PendingUpload, more bool, err error) {
	if l.listing.lister == nil {
		if err := l.start(ctx); err != nil {
			return nil, false, err
		}
	}
	p := l.listing.project
	list, err := call(ctx, p.standalone(), p.meta.ListUploads, &metainfo.ListUploadsRequest{
		Auth: p.auth(), Bucket: l.listing.bucket, Prefix: l.listing.lister.EncryptedPrefix(), Cursor: l.listing.cursor,
		CursorStream: l.stream, Recursive: l.opts.Recursive,
	})
	if err != nil {
		return nil, false, p.found(l.listing.bucket, err)
	}
	if list.More && len(list.Items) == 0 {
		return nil, false, fmt.Errorf("%w: empty page with more behind it", ErrInternal)
	}
	for i := range list.Items {
		item := &list.Items[i]
		l.listing.cursor, l.stream = item.Upload.Key, item.Upload.Stream
		upload, shown := l.open(item)
		if !shown {
			*hidden++
		} else if upload != nil {
			uploads = append(uploads, *upload)
		}
	}
	return uploads, list.More, nil
}

// open decrypts an item; nil for one that was not asked for.
func (l *uploadListing) open(item *metainfo.UploadItem) (upload *PendingUpload, shown bool) {
	name, err := l.listing.lister.DecryptName(item.Upload.Key)
	if err != nil {
		return nil, false
	}
	key := l.listing.dir + name
	if !strings.HasPrefix(key, l.opts.Prefix) {
		return nil, true
	}
	if item.Prefix {
		return &PendingUpload{Key: key, IsPrefix: true}, true
	}
	t := target{bucket: l.listing.bucket, key: key, keys: l.listing.keys}
	var s *seal
	if len(item.Upload.Metadata) > 0 {
		if _, s, err = t.openPending(&item.Upload); err != nil {
			return nil, false
		}
	}
	return pendingOf(&item.Upload, key, s), true
}

// UploadIterator goes through uploads, a page of the satellite at a time. For one goroutine.
type UploadIterator struct {
	pages  iterator[PendingUpload]
	hidden int
}

// Next moves to the next upload or prefix and says whether there is one. After false, Err tells why.
func (it *UploadIterator) Next() bool { return it.pages.next() }

// Item returns the upload that Next moved to; it belongs to the caller.
func (it *UploadIterator) Item() *PendingUpload { return it.pages.item }

// Err returns why the listing ended early, or nil.
func (it *UploadIterator) Err() error { return it.pages.err }

// Hidden is as that of ObjectIterator.
func (it *UploadIterator) Hidden() int { return it.hidden }
