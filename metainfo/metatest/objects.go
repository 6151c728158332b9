package metatest

import (
	"fmt"
	"slices"

	"storj/metainfo"
)

func testList(b subject) {
	for _, key := range []string{"a", "b/1", "b/2", "b/c/3", "d"} {
		b.put(key, 10)
	}
	tests := []struct {
		prefix    string
		recursive bool
		want      []string
	}{
		{want: []string{"a", "b/", "d"}},
		{recursive: true, want: []string{"a", "b/1", "b/2", "b/c/3", "d"}},
		{prefix: "b/", want: []string{"1", "2", "c/"}},
		{prefix: "b/", recursive: true, want: []string{"1", "2", "c/3"}},
		{prefix: "x/"},
	}
	for _, test := range tests {
		for _, limit := range []int{1, 2, 0} {
			var got []string
			for cursor := []byte(nil); ; {
				page, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{
					Auth: b.auth, Bucket: bucket, Prefix: []byte(test.prefix), Cursor: cursor, Limit: limit, Recursive: test.recursive, Metadata: true,
				})
				b.ok(err)
				for _, item := range page.Items {
					got, cursor = append(got, string(item.Object.Key)), item.Object.Key
					if full := "meta " + test.prefix + string(cursor); !item.Prefix && string(item.Object.Metadata) != full {
						b.Errorf("metadata of %s is %q", cursor, item.Object.Metadata)
					}
				}
				if !page.More {
					break
				}
			}
			if !slices.Equal(got, test.want) {
				b.Errorf("list of %q recursive %v by %d is %q, want %q", test.prefix, test.recursive, limit, got, test.want)
			}
		}
	}
	_, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: b.auth, Bucket: bucket, Prefix: []byte("half")})
	b.want(err, metainfo.ErrListLimit)
	_, err = b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: b.auth, Bucket: "absent"})
	b.want(err, metainfo.ErrBucketNotFound)
}

// items names objects without a version.
func items(keys ...[]byte) []metainfo.DeleteItem {
	list := make([]metainfo.DeleteItem, len(keys))
	for i, key := range keys {
		list[i].Key = key
	}
	return list
}

func testDelete(b subject) {
	for i := range 5 {
		b.put(fmt.Sprintf("k%d", i), 5)
	}
	result, err := b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{
		Auth: b.auth, Bucket: bucket, Items: items([]byte("k1"), []byte("none"), []byte("k3"), []byte("k1")),
	})
	b.ok(err)
	for i, found := range []bool{true, false, true, false} {
		if result.Items[i].Found != found {
			b.Errorf("item %d: %+v", i, result.Items[i])
		}
	}
	_, err = b.get("k1")
	b.want(err, metainfo.ErrObjectNotFound)
	_, err = b.get("k0")
	b.want(err, nil)
	_, err = b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{Auth: b.auth, Bucket: "absent", Items: items([]byte("k"))})
	b.want(err, metainfo.ErrBucketNotFound)
	_, err = b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{Auth: b.auth, Bucket: bucket, Items: items([]byte{})})
	b.want(err, metainfo.ErrObjectKey)
}

func testCopyAndMove(b subject) {
	made := b.putRemote("from", 50_000, 50_000)
	req := &metainfo.CopyObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte("from"), Stream: made.Stream,
		ToBucket: bucket, ToKey: []byte("to"), WrappedKey: []byte("new wrap"),
	}
	copied, err := b.svc.CopyObject(b.Context(), req)
	b.ok(err)
	if copied.Stream == made.Stream || copied.PlainSize != made.PlainSize || string(copied.WrappedKey) != "new wrap" {
		b.Errorf("copy is %+v", copied)
	}
	one, err := b.download("from", 0, -1)
	b.ok(err)
	two, err := b.download("to", 0, -1)
	b.ok(err)
	for i := range one.Segments {
		a, c := b.w.Limit(b, one.Segments[i].Limits[0]), b.w.Limit(b, two.Segments[i].Limits[0])
		if a.Piece != c.Piece {
			b.Error("a copy has other pieces")
		}
	}
	req.IfAbsent = true
	_, err = b.svc.CopyObject(b.Context(), req)
	b.want(err, metainfo.ErrObjectExists)
	req.IfAbsent, req.Stream = false, copied.Stream
	_, err = b.svc.CopyObject(b.Context(), req)
	b.want(err, metainfo.ErrObjectChanged)
	req.Stream, req.Move, req.ToKey = made.Stream, true, []byte("moved")
	_, err = b.svc.CopyObject(b.Context(), req)
	b.ok(err)
	_, err = b.get("from")
	b.want(err, metainfo.ErrObjectNotFound)
	_, err = b.get("moved")
	b.want(err, nil)
	req.Key, req.ToBucket = []byte("to"), "absent"
	req.Stream = copied.Stream
	_, err = b.svc.CopyObject(b.Context(), req)
	b.want(err, metainfo.ErrBucketNotFound)
}

func testMetadata(b subject) {
	made := b.put("m", 10)
	req := &metainfo.UpdateMetadataRequest{Auth: b.auth, Bucket: bucket, Key: []byte("m"), Stream: made.Stream, Metadata: []byte("new")}
	b.ok(b.svc.UpdateMetadata(b.Context(), req))
	got, err := b.get("m")
	b.ok(err)
	if string(got.Metadata) != "new" {
		b.Errorf("metadata is %q", got.Metadata)
	}
	req.Stream = metainfo.NewStreamID()
	b.want(b.svc.UpdateMetadata(b.Context(), req), metainfo.ErrObjectChanged)
	req.Key = []byte("none")
	b.want(b.svc.UpdateMetadata(b.Context(), req), metainfo.ErrObjectNotFound)
}
