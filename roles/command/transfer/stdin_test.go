package transfer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

func TestStdinReader(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 5*stdinBuffer+17)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for name, source := range map[string]io.Reader{
		"whole":   bytes.NewReader(data),
		"halves":  iotest.HalfReader(bytes.NewReader(data)),
		"dataEOF": iotest.DataErrReader(bytes.NewReader(data)),
		"bytes":   iotest.OneByteReader(bytes.NewReader(data)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := io.ReadAll(newStdinReader(t.Context(), source))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("read %d of %d bytes, %v", len(got), len(data), err)
			}
		})
	}
}

func TestStdinReaderError(t *testing.T) {
	t.Parallel()
	source := io.MultiReader(bytes.NewReader([]byte("abc")), iotest.ErrReader(errFill))
	got, err := io.ReadAll(newStdinReader(t.Context(), source))
	if !errors.Is(err, errFill) || string(got) != "abc" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestStdinReaderInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe() // a terminal at which nobody types
		ctx, cancel := context.WithCancel(t.Context())
		s := newStdinReader(ctx, r)
		done := make(chan error)
		go func() {
			_, err := s.Read(make([]byte, 10))
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("read: %v", err)
		}
		_ = w.Close() // lets the read end that was left behind
	})
}
