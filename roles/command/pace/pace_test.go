package pace

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"20MB/s": 20e6, "20MB": 20e6, "1.5MiB/s": 3 << 19, "500k": 500e3, "2GB/s": 2e9, "100000": 100000, "4 MB/s": 4e6,
		"": 0, "0": 0, "none": 0, "10 mbps": 10e6, "1TiB/s": 1 << 40,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, bad := range []string{"fast", "-1MB/s", "1", "1B/s", "NaNMB", "1XB/s", "9e30", "MB/s", "1MB/h", "Inf"} {
		if got, err := Parse(bad); !errors.Is(err, ErrRate) {
			t.Errorf("%q: %d, %v", bad, got, err)
		}
	}
}

// TestShared: several readers and writers together keep the rate.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const bytesPerSecond, each, movers = 1 << 20, 1 << 20, 6
		l := New(bytesPerSecond)
		began := time.Now()
		var group sync.WaitGroup
		for i := range movers {
			group.Go(func() {
				var n int64
				var err error
				source := bytes.NewReader(make([]byte, each))
				if i%2 == 0 {
					n, err = io.Copy(io.Discard, l.Reader(t.Context(), source))
				} else {
					n, err = io.Copy(l.Writer(t.Context(), io.Discard), source)
				}
				if n != each || err != nil {
					t.Errorf("moved %d, %v", n, err)
				}
			})
		}
		group.Wait()
		span := time.Since(began).Seconds()
		if want := float64(movers*each) / bytesPerSecond; span < want-0.2 || span > want+0.2 {
			t.Errorf("took %.2f s, want %.2f s", span, want)
		}
	})
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		l := New(least)
		time.AfterFunc(time.Second, cancel)
		_, err := io.Copy(io.Discard, l.Reader(ctx, bytes.NewReader(make([]byte, 10*chunk))))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestNone(t *testing.T) {
	t.Parallel()
	l := New(0)
	r := bytes.NewReader(nil)
	if l != nil || l.Reader(t.Context(), r) != io.Reader(r) || l.Writer(t.Context(), io.Discard) != io.Discard {
		t.Error("no limit is in the way")
	}
}
