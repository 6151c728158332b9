package uplink

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestOneWriterWins has 50 writers make the same object if it is absent, and 50 replace it if it is the one they know.
func TestOneWriterWins(t *testing.T) {
	t.Parallel()
	const writers = 50
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	other := w.open(t, "secret")
	race := func(want error, opts UploadOptions, size int) (winner int) {
		var won, lost atomic.Int64
		var running sync.WaitGroup
		for i := range writers {
			running.Go(func() {
				project := p
				if i%2 == 1 {
					project = other
				}
				data := content(size)
				data[0] = byte(i)
				_, err := project.Put(t.Context(), bucketName, "object", bytes.NewReader(data), &opts)
				switch {
				case err == nil:
					won.Add(1)
					winner = i // by one alone, else the test fails
				case errors.Is(err, want):
					lost.Add(1)
				default:
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		running.Wait()
		if won.Load() != 1 || lost.Load() != writers-1 {
			t.Fatalf("%d won and %d lost", won.Load(), lost.Load())
		}
		return winner
	}
	for _, size := range []int{100, 100000} {
		winner := race(ErrObjectExists, UploadOptions{IfAbsent: true}, size)
		if got := get(t, p, "object", nil); got[0] != byte(winner) {
			t.Errorf("%d won and %d is stored", winner, got[0])
		}
		stat, err := p.Stat(t.Context(), bucketName, "object")
		if err != nil {
			t.Fatal(err)
		}
		winner = race(ErrObjectChanged, UploadOptions{IfRevision: stat.Revision}, size)
		if got := get(t, p, "object", nil); got[0] != byte(winner) {
			t.Errorf("%d replaced it and %d is stored", winner, got[0])
		}
		if err := p.Delete(t.Context(), bucketName, "object"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIfRevision(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	for _, size := range []int{10, 100000} {
		first := put(t, p, "object", content(size), nil)
		second := put(t, p, "object", content(size+1), &UploadOptions{IfRevision: first.Revision})
		_, err := p.Put(t.Context(), bucketName, "object", bytes.NewReader(nil), &UploadOptions{IfRevision: first.Revision})
		if !errors.Is(err, ErrObjectChanged) {
			t.Errorf("replaced one that was replaced: %v", err)
		}
		if _, err := p.DeleteObject(t.Context(), bucketName, "object", &DeleteOptions{IfRevision: first.Revision}); !errors.Is(err, ErrObjectChanged) {
			t.Errorf("deleted one that was replaced: %v", err)
		}
		put(t, p, "other", content(3), nil)
		_, err = p.Copy(t.Context(), bucketName, "other", bucketName, "object", &CopyOptions{IfRevision: first.Revision})
		if !errors.Is(err, ErrObjectChanged) {
			t.Errorf("copied over one that was replaced: %v", err)
		}
		if _, err := p.Copy(t.Context(), bucketName, "other", bucketName, "object", &CopyOptions{IfRevision: second.Revision}); err != nil {
			t.Errorf("copied over the one that is there: %v", err)
		}
		_, err = p.Put(t.Context(), bucketName, "absent", bytes.NewReader(nil), &UploadOptions{IfRevision: first.Revision})
		if !errors.Is(err, ErrObjectNotFound) {
			t.Errorf("replaced one that is not there: %v", err)
		}
	}
	for _, bad := range []string{"x", "00", "00000000000000000000000000000000"} {
		_, err := p.Put(t.Context(), bucketName, "object", bytes.NewReader(nil), &UploadOptions{IfRevision: bad})
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("revision %q: %v", bad, err)
		}
	}
}

// TestConditionWhoseAnswerIsLost repeats a write that has been made: it must not be taken for somebody else's.
func TestConditionWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		for _, size := range []int{10, 100000, testSegment + 5} {
			first := put(t, p, "object", content(size), nil)
			w.loseAnswer("CommitObject", 2)
			put(t, p, "object", content(size+1), &UploadOptions{IfRevision: first.Revision})
			if got := get(t, p, "object", nil); len(got) != size+1 {
				t.Errorf("%d bytes are stored, want %d", len(got), size+1)
			}
		}
	})
}

// TestCopyReplaces gives a copy other metadata, tags and expiry than its source has.
func TestCopyReplaces(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	put(t, p, "source", content(testSegment+1), &UploadOptions{Metadata: CustomMetadata{"a": "1"}, Tags: Tags{"t": "1"}})
	tests := []struct {
		name         string
		opts         CopyOptions
		custom, tags string
	}{
		{"nothing", CopyOptions{}, "1", "1"},
		{"metadata", CopyOptions{Metadata: CustomMetadata{"a": "2"}}, "2", "1"},
		{"tags", CopyOptions{Tags: Tags{"t": "2"}}, "1", "2"},
		{"both", CopyOptions{Metadata: CustomMetadata{}, Tags: Tags{}}, "", ""},
	}
	for _, test := range tests {
		made, err := p.Copy(t.Context(), bucketName, "source", bucketName, "copy", &test.opts)
		if err != nil {
			t.Fatal(err)
		}
		stat, err := p.Stat(t.Context(), bucketName, "copy")
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []*Object{made, stat} {
			if o.Custom["a"] != test.custom || o.Tags["t"] != test.tags {
				t.Errorf("%s: %v and %v", test.name, o.Custom, o.Tags)
			}
		}
		if !bytes.Equal(get(t, p, "copy", nil), content(testSegment+1)) {
			t.Errorf("%s: content differs", test.name)
		}
	}
}
