package uplink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"storj/ecenc/cipher"
	"storj/metainfo"
	"storj/netx"
	"storj/pieces"
)

// In these tests time is that of a bubble: minutes of retries cost nothing.

func TestAbort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	u, err := p.Upload(t.Context(), bucketName, "object", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Write(content(3 * testSegment)); err != nil {
		t.Fatal(err)
	}
	if err := u.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := u.Abort(t.Context()); !errors.Is(err, ErrUploadDone) {
		t.Errorf("aborted twice: %v", err)
	}
	if _, err := u.Commit(t.Context()); !errors.Is(err, ErrUploadDone) {
		t.Errorf("committed after abort: %v", err)
	}
	if _, err := u.Write([]byte{1}); !errors.Is(err, ErrUploadDone) {
		t.Errorf("written after abort: %v", err)
	}
	if _, err := p.Stat(t.Context(), bucketName, "object"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("aborted object: %v", err)
	}
	if got := p.sizes.loaded.buffers.Large(); got != 0 {
		t.Errorf("%d large buffers are still lent", got)
	}
}

func TestIfAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	p := withBucket(t, w, "secret")
	for _, size := range []int{10, 100000} {
		key := string(rune('a' + size%7))
		put(t, p, key, content(size), &UploadOptions{IfAbsent: true})
		_, err := p.Put(t.Context(), bucketName, key, bytes.NewReader(nil), &UploadOptions{IfAbsent: true})
		if !errors.Is(err, ErrObjectExists) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if got := get(t, p, key, nil); len(got) != size {
			t.Errorf("%d bytes were replaced by %d", size, len(got))
		}
	}
}

func TestCommitWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		for _, size := range []int{10, 100000, testSegment + 5} {
			key := string(rune('a' + size%7))
			w.loseAnswer("CommitObject", 2)
			put(t, p, key, content(size), &UploadOptions{IfAbsent: true})
			if got := get(t, p, key, nil); !bytes.Equal(got, content(size)) {
				t.Errorf("%d bytes came back as other %d", size, len(got))
			}
		}
	})
}

func TestReaderFails(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	broken := errors.New("disk gone")
	r := io.MultiReader(bytes.NewReader(content(2*testSegment)), iotest.ErrReader(broken))
	if _, err := p.Put(t.Context(), bucketName, "object", r, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := p.Stat(t.Context(), bucketName, "object"); !errors.Is(err, ErrObjectNotFound) {
		t.Errorf("half an object: %v", err)
	}
}

// TestSatelliteRestarts takes the satellite away in the middle of an upload and of a download.
func TestSatelliteRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		data := content(6 * testSegment)
		began := time.Now()
		u, err := p.Upload(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if i == 5 {
				time.Sleep(2 * time.Minute) // until every call has got through: two outages in one are longer than the patience
			}
			if i == 2 || i == 5 {
				w.network.Kill(w.satellite.ID)
				time.AfterFunc(70*time.Second, func() { w.network.Revive(w.satellite.ID) })
			}
			if _, err := u.Write(data[i*testSegment:][:testSegment]); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Since(began) < 2*time.Minute {
			t.Error("the satellite was there all the time: the test is wrong")
		}
		if got := get(t, p, "object", nil); !bytes.Equal(got, data) {
			t.Error("content differs")
		}
	})
}

func TestSatelliteStaysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		w.network.Kill(w.satellite.ID)
		began := time.Now()
		if _, err := p.Stat(t.Context(), bucketName, "object"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("stat: %v", err)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("a call that stands alone took %v to fail", took)
		}
		began = time.Now()
		_, err := p.Put(t.Context(), bucketName, "object", bytes.NewReader(content(3*testSegment)), nil)
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > 3*time.Minute {
			t.Errorf("put: %v after %v", err, took)
		}
	})
}

func TestNodesFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		before, then int // nodes killed before the upload and before the download
		notice       bool
	}{
		{"two dead, unknown to the satellite", 2, 0, false},
		{"three dead, unknown to the satellite", 3, 0, false},
		{"four lost after the upload", 0, 4, false},
		{"two before and two after", 2, 2, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10)
				p := withBucket(t, w, "secret")
				for _, n := range w.nodes[:test.before] {
					w.kill(n, test.notice)
				}
				data := content(2*testSegment + 50000)
				put(t, p, "object", data, nil)
				for _, n := range w.nodes[test.before:][:test.then] {
					w.kill(n, test.notice)
				}
				if got := get(t, p, "object", nil); !bytes.Equal(got, data) {
					t.Error("content differs")
				}
			})
		})
	}
}

func TestTooFewNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		data := content(testSegment)
		put(t, p, "object", data, nil)
		for _, n := range w.nodes[:7] {
			w.kill(n, false)
		}
		if _, err := p.Put(t.Context(), bucketName, "other", bytes.NewReader(data), nil); !errors.Is(err, ErrUnavailable) {
			t.Errorf("upload to three nodes of seven: %v", err)
		}
		if _, err := read(t, p, "object", nil); !errors.Is(err, ErrUnavailable) || !errors.Is(err, pieces.ErrTooFewPieces) {
			t.Errorf("download from three nodes of four: %v", err)
		}
		for _, n := range w.nodes[:7] {
			w.network.Revive(n.url.ID)
		}
		time.Sleep(time.Minute)
		if got := get(t, p, "object", nil); !bytes.Equal(got, data) {
			t.Error("content differs")
		}
	})
}

// TestNodesComeBack has too few nodes for a while in the middle of a download.
func TestNodesComeBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		data := content(4 * testSegment)
		put(t, p, "object", data, nil)
		d, err := p.Download(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got := make([]byte, 1000)
		if _, err := io.ReadFull(d, got); err != nil {
			t.Fatal(err)
		}
		for _, n := range w.nodes[:7] {
			w.kill(n, false)
			time.AfterFunc(3*time.Second, func() { w.network.Revive(n.url.ID) })
		}
		rest, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(append(got, rest...), data) {
			t.Fatalf("%d bytes, %v", len(rest), err)
		}
	})
}

// TestSlowReader reads on after the order limits have expired.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		data := content(5 * testSegment)
		put(t, p, "object", data, nil)
		d, err := p.Download(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got := make([]byte, 1000)
		if _, err := io.ReadFull(d, got); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		rest, err := io.ReadAll(d)
		if err != nil || !bytes.Equal(append(got, rest...), data) {
			t.Fatalf("%d bytes, %v", len(rest), err)
		}
		if d.Stats().Retries == 0 {
			t.Error("limits did not expire: the test is wrong")
		}
	})
}

// TestSlowWriter commits after the order limits of the first plan have expired.
func TestSlowWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		u, err := p.Upload(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		data := content(2*testSegment + 50000)
		for chunk := range slices.Chunk(data, 30000) {
			if _, err := u.Write(chunk); err != nil {
				t.Fatal(err)
			}
			time.Sleep(40 * time.Minute)
		}
		if _, err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := get(t, p, "object", nil); !bytes.Equal(got, data) {
			t.Error("content differs")
		}
	})
}

// alter has a node answer for all its pieces with one byte that is not what was uploaded.
func (w *world) alter(t *testing.T, n *testNode) {
	t.Helper()
	err := n.store.Pieces(t.Context(), w.satellite.ID, func(info pieces.Info) error {
		if !n.store.Alter(w.satellite.ID, info.Piece, info.Size/3) {
			t.Errorf("piece %s is not there", info.Piece)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLyingNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		data := content(3*testSegment + 77777)
		put(t, p, "object", data, nil)
		segments, err := p.Locations(t.Context(), bucketName, "object")
		if err != nil {
			t.Fatal(err)
		}
		var liars []*testNode // with data pieces of the first segment: they are asked
		for _, n := range w.nodes {
			for _, piece := range segments[0].Pieces {
				if piece.Number < 3 && piece.NodeID == n.url.ID.String() {
					liars = append(liars, n)
				}
			}
		}
		for _, n := range liars {
			w.alter(t, n)
		}
		d, err := p.Download(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		named := d.Stats().CorruptNodes
		if len(named) == 0 {
			t.Error("nobody was named: no liar was asked, or none was found out")
		}
		for _, id := range named {
			honest := true
			for _, n := range liars {
				honest = honest && n.url.ID.String() != id
			}
			if honest {
				t.Errorf("%s is honest", id)
			}
		}
	})
}

func TestTooManyLiars(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		put(t, p, "object", content(testSegment), nil)
		for _, n := range w.nodes[:8] {
			w.alter(t, n)
		}
		_, err := read(t, p, "object", nil)
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

// TestLyingSatellite has answers to Download altered, as a satellite might to hide a loss.
func TestLyingSatellite(t *testing.T) {
	t.Parallel()
	tests := map[string]func(r *metainfo.DownloadResult){
		"cut by a segment": func(r *metainfo.DownloadResult) {
			last := &r.Segments[len(r.Segments)-1]
			r.Object.Segments--
			r.Object.PlainSize -= last.PlainSize
			r.Length = r.Object.PlainSize
			r.Segments = r.Segments[:len(r.Segments)-1]
		},
		"segment left out":    func(r *metainfo.DownloadResult) { r.Segments = r.Segments[:len(r.Segments)-1] },
		"no segments":         func(r *metainfo.DownloadResult) { r.Segments = nil },
		"shorter range":       func(r *metainfo.DownloadResult) { r.Length-- },
		"other range":         func(r *metainfo.DownloadResult) { r.Offset++ },
		"segments swapped":    func(r *metainfo.DownloadResult) { s := r.Segments; s[0], s[1] = s[1], s[0] },
		"position passed off": func(r *metainfo.DownloadResult) { s := r.Segments; s[1] = s[0]; s[1].PlainOffset = testSegment },
		"other metadata":      func(r *metainfo.DownloadResult) { r.Object.Metadata[30] ^= 1 },
		"inline altered":      func(r *metainfo.DownloadResult) { r.Segments[2].Inline[5] ^= 1 },
	}
	for name, lie := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10)
				p := withBucket(t, w, "secret")
				put(t, p, "object", content(2*testSegment+100), nil)
				hook := func(method string, resp any) error {
					if method == "Download" {
						lie(resp.(*metainfo.DownloadResult))
					}
					return nil
				}
				w.service.after.Store(&hook)
				if _, err := read(t, p, "object", nil); !errors.Is(err, ErrCorrupt) {
					t.Errorf("got %v, want ErrCorrupt", err)
				}
			})
		})
	}
}

// TestSegmentPassedOff has the satellite hand out one segment in the place of another, also when it is asked again.
func TestSegmentPassedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		put(t, p, "object", content(2*testSegment), nil)
		asked := 0
		hook := func(_ string, resp any) error {
			switch r := resp.(type) {
			case *metainfo.DownloadResult:
				r.Segments[1].Salt, r.Segments[1].Limits = r.Segments[0].Salt, r.Segments[0].Limits
			case *metainfo.DownloadSegmentsResult:
				asked++
				r.Segments[0].Salt[0] ^= 1
			}
			return nil
		}
		w.service.after.Store(&hook)
		got, err := read(t, p, "object", nil)
		if !errors.Is(err, ErrCorrupt) || asked != 1 {
			t.Errorf("got %v after asking %d times, want ErrCorrupt after 1", err, asked)
		}
		if !bytes.Equal(got, content(2 * testSegment)[:len(got)]) {
			t.Error("bytes of the wrong segment were handed out")
		}
	})
}

func TestObjectDeletedWhileRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		w.service.segmentSize = cipher.PlainBlockSize
		p := withBucket(t, w, "secret")
		const segments = 50 // more than one answer has
		u, err := p.Upload(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		for range segments {
			if _, err := u.Write(make([]byte, cipher.PlainBlockSize)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := u.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := get(t, p, "object", nil); len(got) != segments*cipher.PlainBlockSize {
			t.Fatalf("got %d bytes", len(got))
		}
		d, err := p.Download(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, err := io.ReadFull(d, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		gone := func(method string) error {
			if method == "DownloadSegments" {
				return metainfo.ErrObjectNotFound
			}
			return nil
		}
		w.service.before.Store(&gone)
		if _, err := io.Copy(io.Discard, d); !errors.Is(err, ErrObjectNotFound) {
			t.Errorf("got %v, want ErrObjectNotFound", err)
		}
	})
}

// TestInvalidAcknowledgements has the satellite refuse a segment's acknowledgements once.
func TestInvalidAcknowledgements(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"CommitSegment", "CommitObject"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 10)
				p := withBucket(t, w, "secret")
				w.refuse(method, 1, metainfo.ErrAcks)
				data := content(2*testSegment + 50000)
				put(t, p, "object", data, nil)
				if got := get(t, p, "object", nil); !bytes.Equal(got, data) {
					t.Error("content differs")
				}
			})
		})
	}
}

func TestFailureInTheBackgroundShows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		w.refuse("CommitSegment", 1, metainfo.ErrDenied)
		u, err := p.Upload(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		var writeErr error
		for i := 0; i < 20 && writeErr == nil; i++ {
			_, writeErr = u.Write(content(testSegment))
		}
		if !errors.Is(writeErr, ErrPermissionDenied) {
			t.Errorf("write: %v", writeErr)
		}
		if _, err := u.Write([]byte{1}); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("write again: %v", err)
		}
		if _, err := u.Commit(t.Context()); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("commit: %v", err)
		}
		if _, err := u.Commit(t.Context()); !errors.Is(err, ErrUploadDone) {
			t.Errorf("commit again: %v", err)
		}
	})
}

func TestContextEndsTransfers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		put(t, p, "object", content(4*testSegment), nil)
		ctx, cancel := context.WithCancel(t.Context())
		u, err := p.Upload(ctx, bucketName, "other", nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Download(ctx, bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		cancel()
		if _, err := u.Write([]byte{1}); !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v", err)
		}
		if _, err := io.Copy(io.Discard, d); !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v", err)
		}
		if err := u.Abort(t.Context()); err != nil {
			t.Errorf("abort: %v", err)
		}
		_, err = p.Stat(ctx, bucketName, "object")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stat: %v", err)
		}
	})
}

// TestCauseOfTheCaller holds that a context which ended for a reason of the caller's own is still an ended context.
func TestCauseOfTheCaller(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("supper is ready")
	u, err := p.Upload(ctx, bucketName, "object", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel(reason)
	_, writeErr := u.Write([]byte{1})
	_, commitErr := u.Commit(t.Context())
	_, statErr := p.Stat(ctx, bucketName, "object")
	for _, err := range []error{writeErr, commitErr, statErr} {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || errors.Is(err, ErrInternal) {
			t.Errorf("got %v", err)
		}
	}
}

// TestCommitWithItsOwnContext has Commit hang on a satellite that does not answer.
func TestCommitWithItsOwnContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		p := withBucket(t, w, "secret")
		u, err := p.Upload(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.network.Hang(w.satellite.ID)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err = u.Commit(ctx)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 20*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		w.network.Unhang(w.satellite.ID)
	})
}

func TestCloseEndsTransfers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10)
		w.scheme.Total = 8
		p := withBucket(t, w, "secret")
		put(t, p, "object", content(8*testSegment), nil)
		for _, n := range w.nodes {
			w.network.Hang(n.url.ID)
		}
		u, err := p.Upload(t.Context(), bucketName, "other", nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Download(t.Context(), bucketName, "object", nil)
		if err != nil {
			t.Fatal(err)
		}
		abandoned, err := p.Upload(t.Context(), bucketName, "abandoned", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := abandoned.Write(content(testSegment + 1)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 2)
		go func() {
			_, err := u.Write(content(10 * testSegment))
			ended <- err
		}()
		go func() {
			_, err := io.Copy(io.Discard, d)
			ended <- err
		}()
		synctest.Wait()
		began := time.Now()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("close took %v", took)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, ErrClosed) {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
		if err := p.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
		if _, err := p.Stat(t.Context(), bucketName, "object"); !errors.Is(err, ErrClosed) {
			t.Errorf("stat: %v", err)
		}
		if _, err := u.Commit(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("commit: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		for _, n := range w.nodes {
			w.network.Unhang(n.url.ID)
		}
	})
}

func TestClosedDownload(t *testing.T) {
	t.Parallel()
	p := withBucket(t, newWorld(t, 10), "secret")
	put(t, p, "object", content(2*testSegment), nil)
	d, err := p.Download(t.Context(), bucketName, "object", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// TestUploadsTakeTurns has more uploads than large buffers.
func TestUploadsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.service.segmentSize = 8 << 20
	config := w.config(t)
	config.SegmentsInMemory = 2
	p := w.openAccess(t, config, w.access("secret"))
	if _, err := p.CreateBucket(t.Context(), bucketName, nil); err != nil {
		t.Fatal(err)
	}
	const uploads = 5
	var failed atomic.Int64
	done := make(chan struct{})
	data := content(9 << 20)
	for i := range uploads {
		go func() {
			defer func() { done <- struct{}{} }()
			if _, err := p.Put(t.Context(), bucketName, string(rune('a'+i)), bytes.NewReader(data), nil); err != nil {
				failed.Add(1)
			}
		}()
	}
	for range uploads {
		<-done
	}
	if failed.Load() != 0 {
		t.Errorf("%d uploads failed", failed.Load())
	}
}

func TestUnreachableSatellite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		nobody := netx.NodeURL{ID: nodeID("nobody"), Address: w.satellite.Address}
		began := time.Now()
		_, err := RequestAccess(t.Context(), w.config(t), nobody.String(), w.apiKey.Serialize(), []byte("secret"))
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > 30*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}
