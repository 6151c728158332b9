package metatest

import (
	"bytes"
	"errors"
	"fmt"

	"storj/metainfo"
)

// testRepeats makes every call that changes something twice, as does a client whose first answer was lost: at once, and
// after somebody else has changed what the first call did. The second call must not undo that.
func testRepeats(b subject) {
	b.repeatCommit("inline", func(key string) func() error {
		req := b.inline(key, 10)
		return func() error { return errOf(b.svc.CommitObject(b.Context(), req)) }
	})
	b.repeatCommit("one segment", func(key string) func() error {
		begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key), Plan: true})
		b.ok(err)
		req := &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 1, Last: b.w.Store(b, begun.Plan, metainfo.Position{}, 0, 10_000, 8)}
		return func() error { return errOf(b.svc.CommitObject(b.Context(), req)) }
	})
	b.repeatCommit("several segments", func(key string) func() error {
		begun, err := b.svc.BeginObject(b.Context(), &metainfo.BeginObjectRequest{Auth: b.auth, Bucket: bucket, Key: []byte(key)})
		b.ok(err)
		segment := &metainfo.CommitSegmentRequest{Auth: b.auth, Upload: begun.Upload, Segment: *Inline(metainfo.Position{}, 0, 10)}
		b.ok(b.svc.CommitSegment(b.Context(), segment))
		b.ok(b.svc.CommitSegment(b.Context(), segment))
		req := &metainfo.CommitObjectRequest{Auth: b.auth, Upload: begun.Upload, Segments: 2, Last: Inline(metainfo.Position{Index: 1}, 10, 5)}
		return func() error { return errOf(b.svc.CommitObject(b.Context(), req)) }
	})
	b.repeatCommit("parts", func(key string) func() error {
		begun := b.beginParts(key)
		b.putPart(begun.Upload, 1, 7)
		return func() error { return errOf(b.commitParts(begun.Upload)) }
	})
	b.repeatCommit("copy", func(key string) func() error {
		from := b.put("source of "+key, 20)
		req := &metainfo.CopyObjectRequest{
			Auth: b.auth, Bucket: bucket, Key: from.Key, Stream: from.Stream, ToBucket: bucket, ToKey: []byte(key), WrappedKey: []byte("w"),
		}
		return func() error { return errOf(b.svc.CopyObject(b.Context(), req)) }
	})
	b.repeatMove()
	b.repeatPart()
	b.repeatMetadata()
}

// repeatMetadata repeats a change of metadata after another.
func (b subject) repeatMetadata() {
	b.Helper()
	made := b.put("metadata", 5)
	update := func(text string) error {
		return b.svc.UpdateMetadata(b.Context(), &metainfo.UpdateMetadataRequest{
			Auth: b.auth, Bucket: bucket, Key: []byte("metadata"), Stream: made.Stream, Metadata: []byte(text),
		})
	}
	for _, step := range []struct{ text, want string }{{"one", "one"}, {"one", "one"}, {"two", "two"}, {"one", "two"}, {"", ""}} {
		b.ok(update(step.text))
		if got, err := b.get("metadata"); err != nil || string(got.Metadata) != step.want {
			b.Errorf("after %q metadata are %q, want %q; %v", step.text, got.Metadata, step.want, err)
		}
	}
}

// repeatCommit repeats what makes an object: at once, after it was replaced, and after it was deleted.
func (b subject) repeatCommit(name string, begin func(key string) func() error) {
	b.Helper()
	commit := begin(name + " twice")
	b.ok(commit())
	first, err := b.get(name + " twice")
	b.ok(err)
	b.wantErr(name+" twice", commit(), nil)
	if again, err := b.get(name + " twice"); err != nil || again.Stream != first.Stream || again.Version != first.Version {
		b.Errorf("%s twice: %+v, %v", name, again, err)
	}

	commit = begin(name + " replaced")
	b.ok(commit())
	other := b.put(name+" replaced", 3)
	if err := commit(); err != nil && !errors.Is(err, metainfo.ErrUpload) {
		b.Errorf("%s, after it was replaced: %v", name, err)
	}
	if got, err := b.get(name + " replaced"); err != nil || got.Stream != other.Stream {
		b.Errorf("%s: a late repeat brought back what had been replaced: %+v, %v", name, got, err)
	}

	commit = begin(name + " deleted")
	b.ok(commit())
	b.remove(name+" deleted", metainfo.LatestVersion)
	if err := commit(); err != nil && !errors.Is(err, metainfo.ErrUpload) {
		b.Errorf("%s, after it was deleted: %v", name, err)
	}
	if _, err := b.get(name + " deleted"); !errors.Is(err, metainfo.ErrObjectNotFound) {
		b.Errorf("%s: a late repeat brought back what had been deleted: %v", name, err)
	}
}

func (b subject) repeatMove() {
	b.Helper()
	from := b.put("from", 20)
	move := &metainfo.CopyObjectRequest{
		Auth: b.auth, Bucket: bucket, Key: []byte("from"), Stream: from.Stream, ToBucket: bucket, ToKey: []byte("moved"), WrappedKey: []byte("w"), Move: true,
	}
	for range 2 {
		got, err := b.svc.CopyObject(b.Context(), move)
		b.ok(err)
		if !bytes.Equal(got.Key, move.ToKey) || got.PlainSize != 20 {
			b.Errorf("moved %+v", got)
		}
	}
	other := b.put("from", 5) // a new one in the old place
	if _, err := b.svc.CopyObject(b.Context(), move); err != nil && !errors.Is(err, metainfo.ErrObjectChanged) {
		b.Errorf("repeated after the source was written anew: %v", err)
	}
	if got, err := b.get("from"); err != nil || got.Stream != other.Stream {
		b.Errorf("a late repeat moved another object: %+v, %v", got, err)
	}
}

// repeatPart repeats a part after another attempt took its place.
func (b subject) repeatPart() {
	b.Helper()
	upload := b.beginParts("re-uploaded")
	begun, err := b.svc.BeginPart(b.Context(), &metainfo.BeginPartRequest{Auth: b.auth, Upload: upload.Upload, Number: 1})
	b.ok(err)
	first := b.fillPart(begun.Upload, 1, 10)
	for range 2 {
		b.ok(errOf(b.svc.CommitPart(b.Context(), first)))
	}
	second := b.putPart(upload.Upload, 1, 20)
	b.want(errOf(b.svc.CommitPart(b.Context(), first)), metainfo.ErrUpload)
	list, err := b.svc.ListParts(b.Context(), &metainfo.ListPartsRequest{Auth: b.auth, Upload: upload.Upload})
	b.ok(err)
	if got := fmt.Sprint(len(list.Parts), list.Parts[0].Stream == second.Stream); got != "1 true" {
		b.Errorf("parts are %+v", list.Parts)
	}
}
