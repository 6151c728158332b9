package uplink

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/metainfo"
)

// way is a page for a listing above what a restricted access opens: the folders, and shared objects, on the way there. The
// satellite cannot be asked for them, since their neighbours are not ours to see; they are known from the access. It is
// asked whether the access still counts.
//
// Errors: keys.ErrNoKey when nothing that is opened begins with the prefix.
func (l *listing) way(ctx context.Context) (objectPage, error) {
	dir := l.opts.Prefix[:strings.LastIndexByte(l.opts.Prefix, '/')+1]
	var page objectPage
	found := false
	for i := range l.keys.Prefixes {
		shared := &l.keys.Prefixes[i]
		list := macaroon.Action{Op: macaroon.List, Bucket: l.bucket, EncryptedPath: shared.EncryptedPath, Time: time.Now()}
		if !strings.HasPrefix(shared.Path, l.opts.Prefix) || l.project.access.apiKey.Permits(list) != nil {
			continue
		}
		found = true
		if object, err := l.step(ctx, shared, dir); err != nil {
			return objectPage{}, err
		} else if object != nil && object.Key > l.opts.Cursor {
			page.objects = append(page.objects, object)
		}
	}
	if !found {
		return objectPage{}, keys.ErrNoKey
	}
	slices.SortFunc(page.objects, func(a, b *Object) int { return strings.Compare(a.Key, b.Key) })
	page.objects = slices.CompactFunc(page.objects, func(a, b *Object) bool { return a.Key == b.Key })
	_, err := call(ctx, l.project.standalone(), l.project.meta.ProjectInfo, &metainfo.ProjectInfoRequest{Auth: l.project.auth()})
	if err != nil {
		return objectPage{}, err
	}
	return page, nil
}

// step is what a listing of dir shows for a shared prefix below it; nil for an object that is not there.
func (l *listing) step(ctx context.Context, shared *keys.Prefix, dir string) (*Object, error) {
	name, _, folder := strings.Cut(shared.Path[len(dir):], "/")
	if folder {
		return &Object{Key: dir + name + "/", IsPrefix: true}, nil
	}
	o, err := l.project.fetch(ctx, target{bucket: l.bucket, key: shared.Path, encrypted: shared.EncryptedPath, keys: l.keys})
	if errors.Is(err, metainfo.ErrObjectNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return o.object(shared.Path), nil
}
