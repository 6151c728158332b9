package pace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/time/rate"
)

// ErrRate is returned for text that is no rate.
var ErrRate = errors.New("not a rate: write 20MB/s, 500kB/s or 2MiB/s")

const (
	// least is the lowest rate, bytes a second: below it a transfer would look dead.
	least = 1 << 10
	// most is what leaves the arithmetic of the bucket exact.
	most = 1 << 50
	// chunk is how much moves at once: small enough that a low rate is smooth, large enough that taking turns costs nothing.
	chunk = 64 << 10
)

// Parse reads a rate in bytes a second: a number, a unit (B, kB, MB, GB, TB of 1000; KiB, MiB, GiB, TiB of 1024) and, if
// one likes, "/s". Empty, "0" and "none" are no limit: 0. Errors: ErrRate.
func Parse(text string) (bytesPerSecond int64, err error) {
	text = strings.TrimSpace(text)
	switch text {
	case "", "0", "none":
		return 0, nil
	}
	body := strings.TrimSuffix(strings.TrimSuffix(text, "/s"), "ps")
	number := strings.TrimRight(body, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := unitBytes(strings.TrimSpace(body[len(number):]))
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !known || !(value*unit >= least) || value*unit > most {
		return 0, fmt.Errorf("%w, at least 1KiB/s: %q", ErrRate, text)
	}
	return int64(value * unit), nil
}

func unitBytes(name string) (float64, bool) {
	if name == "" || strings.EqualFold(name, "b") {
		return 1, true
	}
	letter := strings.IndexByte("kmgt", name[0]|0x20)
	if letter < 0 {
		return 0, false
	}
	base := 1000.0
	switch strings.ToLower(name[1:]) {
	case "ib", "i":
		base = 1024
	case "b", "":
	default:
		return 0, false
	}
	size := base
	for range letter {
		size *= base
	}
	return size, true
}

// Limiter is a rate that several transfers share. Nil is no limit.
type Limiter struct {
	bucket *rate.Limiter
}

// New makes a limiter; nil for 0 or less.
func New(bytesPerSecond int64) *Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	// a tenth of a second, but a whole chunk at least
	burst := int(max(chunk, min(bytesPerSecond/10, 16<<20)))
	return &Limiter{rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

// wait returns when n bytes may move; n is at most chunk.
func (l *Limiter) wait(ctx context.Context, n int) error {
	if err := l.bucket.WaitN(ctx, n); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err // the deadline of ctx would come first
	}
	return nil
}

// Reader returns r at the rate of the limiter. A read returns the error of ctx once that has ended.
func (l *Limiter) Reader(ctx context.Context, r io.Reader) io.Reader {
	if l == nil {
		return r
	}
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p[:min(len(p), chunk)])
		if waitErr := l.wait(ctx, n); waitErr != nil {
			return n, waitErr
		}
		return n, err
	})
}

// Writer returns w at the rate of the limiter.
func (l *Limiter) Writer(ctx context.Context, w io.Writer) io.Writer {
	if l == nil {
		return w
	}
	return writeFunc(func(p []byte) (written int, err error) {
		for len(p) > 0 {
			part := p[:min(len(p), chunk)]
			if err := l.wait(ctx, len(part)); err != nil {
				return written, err
			}
			n, err := w.Write(part)
			written += n
			if err != nil {
				return written, err
			}
			p = p[len(part):]
		}
		return written, nil
	})
}

type readFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(p []byte) (int, error) { return f(p) }

type writeFunc func([]byte) (int, error)

// Write implements io.Writer.
func (f writeFunc) Write(p []byte) (int, error) { return f(p) }
