package metatest

import (
	"bytes"
	"errors"
	"time"

	"storj/ecenc/macaroon"
	"storj/metainfo"
	"storj/pieces"
)

// testCommitErrors commits segments that contradict their plan.
func testCommitErrors(b subject) {
	tests := []struct {
		name   string
		change func(s *metainfo.NewSegment)
		want   error // nil: it is taken
	}{
		{name: "as planned", change: func(*metainfo.NewSegment) {}},
		{name: "just enough", change: func(s *metainfo.NewSegment) { s.Pieces = s.Pieces[:7] }},
		{name: "too few", change: func(s *metainfo.NewSegment) { s.Pieces = s.Pieces[:6] }, want: metainfo.ErrAcks},
		{name: "none", change: func(s *metainfo.NewSegment) { s.Pieces = nil }, want: metainfo.ErrAcks},
		{name: "one forged", change: func(s *metainfo.NewSegment) { s.Pieces[0].Ack.MAC[0] ^= 1 }},
		{name: "two forged", change: func(s *metainfo.NewSegment) {
			s.Pieces[0].Ack.MAC[0] ^= 1
			s.Pieces[1].Ack.MAC[0] ^= 1
		}, want: metainfo.ErrAcks},
		{name: "all of another size", change: func(s *metainfo.NewSegment) {
			for i := range s.Pieces {
				s.Pieces[i].Ack.Size++
			}
		}, want: metainfo.ErrAcks},
		{name: "numbers exchanged", change: func(s *metainfo.NewSegment) {
			s.Pieces[0].Number, s.Pieces[1].Number = 1, 0
		}, want: metainfo.ErrAcks},
		{name: "number twice", change: func(s *metainfo.NewSegment) { s.Pieces[1].Number = 0 }, want: metainfo.ErrSegment},
		{name: "node twice", change: func(s *metainfo.NewSegment) { s.Pieces[1].Node = s.Pieces[0].Node }, want: metainfo.ErrSegment},
		{name: "number out of range", change: func(s *metainfo.NewSegment) { s.Pieces[0].Number = 10 }, want: metainfo.ErrSegment},
		{name: "more than total", change: func(s *metainfo.NewSegment) {
			s.Pieces = append(s.Pieces, s.Pieces[:3]...)
		}, want: metainfo.ErrSegment},
		{name: "no share size", change: func(s *metainfo.NewSegment) { s.ShareSize = 0 }, want: metainfo.ErrSegment},
		{name: "negative share size", change: func(s *metainfo.NewSegment) { s.ShareSize = -64 }, want: metainfo.ErrSegment},
		{name: "odd share size", change: func(s *metainfo.NewSegment) { s.ShareSize++ }, want: metainfo.ErrSegment},
		{name: "huge share size", change: func(s *metainfo.NewSegment) { s.ShareSize = 1 << 20 }, want: metainfo.ErrSegment},
		{name: "share size that pads more", change: func(s *metainfo.NewSegment) { s.ShareSize += 64 }, want: metainfo.ErrAcks},
		{name: "plain size differs", change: func(s *metainfo.NewSegment) { s.PlainSize++ }, want: metainfo.ErrSegment},
		{name: "negative plain size", change: func(s *metainfo.NewSegment) { s.PlainSize = -1 }, want: metainfo.ErrSegment},
		{name: "encrypted size impossible", change: func(s *metainfo.NewSegment) { s.EncryptedSize = 3 }, want: metainfo.ErrSegment},
		{name: "encrypted size too large", change: func(s *metainfo.NewSegment) {
			s.EncryptedSize, s.PlainSize = metainfo.SegmentCipherSize+32<<10, metainfo.SegmentSize+32<<10-16
		}, want: metainfo.ErrSegment},
		{name: "negative offset", change: func(s *metainfo.NewSegment) { s.PlainOffset = -5 }, want: metainfo.ErrSegment},
		{name: "not at the start", change: func(s *metainfo.NewSegment) { s.PlainOffset = 5 }, want: metainfo.ErrSegmentMissing},
		{name: "other position", change: func(s *metainfo.NewSegment) { s.Position.Index = 1 }, want: metainfo.ErrSegment},
		{name: "inline and remote", change: func(s *metainfo.NewSegment) { s.Inline = []byte("x") }, want: metainfo.ErrSegment},
		{name: "pieces without token", change: func(s *metainfo.NewSegment) { s.Token = nil }, want: metainfo.ErrSegment},
		{name: "token altered", change: func(s *metainfo.NewSegment) {
			s.Token = bytes.Clone(s.Token)
			s.Token[20] ^= 1
		}, want: metainfo.ErrUpload},
		{name: "token cut", change: func(s *metainfo.NewSegment) { s.Token = s.Token[:10] }, want: metainfo.ErrUpload},
	}
	for _, test := range tests {
		begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{
			Auth: b.auth, Bucket: bucket, Key: []byte(test.name), Plan: true,
		})
		b.ok(err)
		segment := b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 100_000, 8)
		test.change(segment)
		_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
			Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: segment, WrappedKey: []byte("w"),
		})
		if !errors.Is(err, test.want) || test.want == nil && err != nil {
			b.Errorf("%s: error %v, want %v", test.name, err, test.want)
		}
		_, err = b.get(test.name)
		if exists := err == nil; exists != (test.want == nil) {
			b.Errorf("%s: object exists %v", test.name, exists)
		}
	}
	b.commitOthersPlan()
	b.commitMissing()
}

// commitOthersPlan shows the plan of one upload in another.
func (b subject) commitOthersPlan() {
	b.Helper()
	var begun [2]*metainfo.BeginObjectResult
	for i := range begun {
		var err error
		begun[i], err = b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte{'x', byte('0' + i)}, Plan: true})
		b.ok(err)
	}
	req := &metainfo.CommitObjectRequest{
		Auth: b.auth, Upload: begun[0].Upload, Segments: 1, Last: b.w.Store(b, begun[1].Plan, metainfo.Position{}, 0, 100_000, 8),
	}
	_, err := b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrUpload)
	req.Last = b.w.Store(b, begun[0].Plan, metainfo.Position{}, 0, 100_000, 8)
	req.Last.Pieces = b.w.Store(b, begun[1].Plan, metainfo.Position{}, 0, 100_000, 8).Pieces
	_, err = b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrAcks) // piece IDs of another root
	req.Upload = begun[0].Plan.Token
	_, err = b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrUpload)
}

// commitMissing commits an object without all of its segments.
func (b subject) commitMissing() {
	b.Helper()
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("gap")})
	b.ok(err)
	b.ok(b.svc.CommitSegment(b.Context(), &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: begun.Upload, Segment: *Inline(metainfo.Position{}, 0, 10)}))
	_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
		Auth: b.auth, Upload: begun.Upload, Segments: 3, Last: Inline(metainfo.Position{Index: 2}, 20, 10),
	})
	b.want(err, metainfo.ErrSegmentMissing)
}

// testAuthorisation tries what restricted keys may and may not.
func testAuthorisation(b subject) {
	made := b.put("dir/a", 10)
	b.put("b", 10)
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("dir/new"), Plan: true})
	b.ok(err)
	d, err := b.download("dir/a", 0, -1)
	b.ok(err)

	calls := map[string]func(auth metainfo.Auth) error{
		"read": func(auth metainfo.Auth) error {
			_, err := b.svc.Download(b.Context(), &metainfo.DownloadRequest{Auth: auth, Bucket: bucket, Key: []byte("dir/a"), Length: -1})
			return err
		},
		"read on": func(auth metainfo.Auth) error {
			_, err := b.svc.DownloadSegments(b.Context(), &metainfo.DownloadSegmentsRequest{Auth: auth, Token: d.Token, Length: 10})
			return err
		},
		"stat": func(auth metainfo.Auth) error {
			_, err := b.svc.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("dir/a")})
			return err
		},
		"write": func(auth metainfo.Auth) error {
			_, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("dir/new"), Plan: true})
			return err
		},
		"write on": func(auth metainfo.Auth) error {
			_, err := b.svc.BeginSegment(b.Context(), &metainfo.BeginSegmentRequest{Auth: auth, Upload: begun.Upload})
			return err
		},
		"write inline": func(auth metainfo.Auth) error {
			_, err := b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
				Auth: auth, Bucket: bucket, Key: append([]byte("dir/"), pieces.NewPieceID().String()...), Segments: 1, Last: Inline(metainfo.Position{}, 0, 3),
			})
			return err
		},
		"replace": func(auth metainfo.Auth) error {
			_, err := b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{
				Auth: auth, Bucket: bucket, Key: []byte("dir/b"), Segments: 1, Last: Inline(metainfo.Position{}, 0, 4), WrappedKey: []byte(time.Now().String()),
			})
			return err
		},
		"metadata": func(auth metainfo.Auth) error {
			return b.svc.UpdateMetadata(b.Context(), &metainfo.UpdateMetadataRequest{Auth: auth, Bucket: bucket, Key: []byte("dir/a"), Stream: made.Stream})
		},
		"list": func(auth metainfo.Auth) error {
			_, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: auth, Bucket: bucket, Prefix: []byte("dir/")})
			return err
		},
		"list all": func(auth metainfo.Auth) error {
			_, err := b.svc.ListObjects(b.Context(), &metainfo.ListObjectsRequest{Auth: auth, Bucket: bucket})
			return err
		},
		"delete": func(auth metainfo.Auth) error {
			_, err := b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: bucket, Items: items([]byte("dir/x"))})
			return err
		},
		"copy": func(auth metainfo.Auth) error {
			_, err := b.svc.CopyObject(b.Context(), &metainfo.CopyObjectRequest{
				Auth: auth, Bucket: bucket, Key: []byte("dir/a"), Stream: made.Stream, ToBucket: bucket, ToKey: append([]byte("dir/copy"), pieces.NewPieceID().String()...),
			})
			return err
		},
		"other key": func(auth metainfo.Auth) error {
			_, err := b.svc.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("b")})
			return err
		},
		"other prefix": func(auth metainfo.Auth) error {
			_, err := b.svc.DeleteObjects(b.Context(), &metainfo.DeleteObjectsRequest{Auth: auth, Bucket: bucket, Items: items([]byte("dir/x"), []byte("dirt"))})
			return err
		},
		"get bucket": func(auth metainfo.Auth) error {
			_, err := b.svc.GetBucket(b.Context(), &metainfo.BucketRequest{Auth: auth, Name: bucket})
			return err
		},
		"other bucket": func(auth metainfo.Auth) error {
			_, err := b.svc.CreateBucket(b.Context(), &metainfo.CreateBucketRequest{Auth: auth, Name: "b" + pieces.NewPieceID().String()})
			return err
		},
		"info": func(auth metainfo.Auth) error {
			_, err := b.svc.ProjectInfo(b.Context(), &metainfo.ProjectInfoRequest{Auth: auth})
			return err
		},
	}
	b.put("dir/b", 10)
	all := make([]string, 0, len(calls))
	for name := range calls {
		all = append(all, name)
	}
	now := time.Now()
	for _, test := range []struct {
		name   string
		caveat macaroon.Caveat
		denied []string
	}{
		{name: "nothing", caveat: macaroon.Caveat{}},
		{name: "no reads", caveat: macaroon.Caveat{DisallowReads: true}, denied: []string{"read", "read on", "copy"}},
		{name: "no writes", caveat: macaroon.Caveat{DisallowWrites: true}, denied: []string{"write", "write on", "write inline", "replace", "metadata", "copy", "other bucket"}},
		{name: "no lists", caveat: macaroon.Caveat{DisallowLists: true}, denied: []string{"list", "list all"}},
		{name: "no reads or lists", caveat: macaroon.Caveat{DisallowReads: true, DisallowLists: true},
			denied: []string{"read", "read on", "stat", "list", "list all", "copy", "other key"}},
		{name: "no deletes", caveat: macaroon.Caveat{DisallowDeletes: true}, denied: []string{"replace", "delete", "other prefix"}},
		{name: "a prefix", caveat: macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("dir/")}}},
			denied: []string{"list all", "other key", "other prefix", "other bucket"}},
		{name: "another prefix", caveat: macaroon.Caveat{AllowedPaths: []macaroon.AllowedPath{{Bucket: bucket, EncryptedPrefix: []byte("di/")}}},
			denied: []string{"read", "read on", "stat", "write", "write on", "write inline", "replace", "metadata", "list", "list all", "delete", "copy", "other key", "other prefix", "other bucket"}},
		{name: "past", caveat: macaroon.Caveat{NotAfter: now.Add(-time.Hour)}, denied: all},
		{name: "future", caveat: macaroon.Caveat{NotBefore: now.Add(time.Hour)}, denied: all},
		{name: "in time", caveat: macaroon.Caveat{NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}},
		{name: "short lives", caveat: macaroon.Caveat{MaxObjectTTL: time.Hour}, denied: []string{"copy", "write on"}},
	} {
		auth := b.w.Auth(b, test.caveat)
		for name, call := range calls {
			denied := false
			for _, d := range test.denied {
				denied = denied || d == name
			}
			if err := call(auth); errors.Is(err, metainfo.ErrDenied) != denied || !denied && err != nil {
				b.Errorf("key with %s, %s: error %v, want denied %v", test.name, name, err, denied)
			}
		}
	}
	b.shortLives()
}

// shortLives writes with a key that bounds the life of objects.
func (b subject) shortLives() {
	b.Helper()
	auth := b.w.Auth(b, macaroon.Caveat{MaxObjectTTL: time.Hour})
	req := &metainfo.CommitObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("short"), Segments: 1, Last: Inline(metainfo.Position{}, 0, 3)}
	object, err := b.svc.CommitObject(b.Context(), req)
	b.ok(err)
	if left := time.Until(object.Expires); left > time.Hour || left < 50*time.Minute {
		b.Errorf("object lives for %v, want an hour", left)
	}
	req.Expires = time.Now().Add(2 * time.Hour)
	_, err = b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrDenied)
	req.Expires = time.Now().Add(-time.Second)
	_, err = b.svc.CommitObject(b.Context(), req)
	b.want(err, metainfo.ErrExpiry)
}

// testForeignProject shows tokens of one project with the key of another.
func testForeignProject(b subject) {
	begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte("k"), Plan: true})
	b.ok(err)
	b.putRemote("d", 10_000)
	d, err := b.download("d", 0, -1)
	b.ok(err)
	_, key := b.w.NewProject(b, "other")
	auth := Auth(b, key)
	_, err = b.svc.BeginSegment(b.Context(), &metainfo.BeginSegmentRequest{Auth: auth, Upload: begun.Upload})
	b.want(err, metainfo.ErrUpload)
	_, err = b.svc.ReplacePieces(b.Context(), &metainfo.ReplacePiecesRequest{Auth: auth, Token: begun.Plan.Token, Numbers: []int{1}})
	b.want(err, metainfo.ErrUpload)
	b.want(b.svc.CommitSegment(b.Context(), &metainfo.CommitSegmentRequest{Auth: auth, Upload: begun.Upload, Segment: *Inline(metainfo.Position{}, 0, 1)}), metainfo.ErrUpload)
	b.want(b.svc.AbortObject(b.Context(), &metainfo.AbortObjectRequest{Auth: auth, Upload: begun.Upload}), metainfo.ErrUpload)
	_, err = b.svc.CommitObject(b.Context(), &metainfo.CommitObjectRequest{Auth: auth, Upload: begun.Upload, Segments: 0})
	b.want(err, metainfo.ErrUpload)
	_, err = b.svc.DownloadSegments(b.Context(), &metainfo.DownloadSegmentsRequest{Auth: auth, Token: d.Token, Length: 1})
	b.want(err, metainfo.ErrObjectNotFound)
	_, err = b.svc.GetObject(b.Context(), &metainfo.ObjectRequest{Auth: auth, Bucket: bucket, Key: []byte("d")})
	b.want(err, metainfo.ErrBucketNotFound)
}
