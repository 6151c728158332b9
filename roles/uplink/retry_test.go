package uplink

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"storj/metainfo"
	"storj/netx"
)

// script answers calls with its errors in turn, then with success.
type script struct {
	errs  []error
	calls int
}

func (s *script) method(context.Context, *int) (*int, error) {
	s.calls++
	if s.calls <= len(s.errs) {
		return nil, s.errs[s.calls-1]
	}
	return new(int), nil
}

func repeatErr(err error, n int) (errs []error) {
	for range n {
		errs = append(errs, fmt.Errorf("call: %w", err))
	}
	return errs
}

func TestCallRepeatsByKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		repeat func(error) bool
		errs   []error
		calls  int
		want   error
	}{
		{"success", repeatable, nil, 1, nil},
		{"unavailable", repeatable, repeatErr(netx.ErrClosed, 4), 5, nil},
		{"rate limit", repeatable, repeatErr(metainfo.ErrRateLimit, 2), 3, nil},
		{"busy", repeatable, repeatErr(netx.ErrBusy, 1), 2, nil},
		{"not found", repeatable, repeatErr(metainfo.ErrObjectNotFound, 1), 1, metainfo.ErrObjectNotFound},
		{"denied", repeatable, repeatErr(metainfo.ErrDenied, 1), 1, metainfo.ErrDenied},
		{"disk full", repeatable, repeatErr(metainfo.ErrFull, 1), 1, metainfo.ErrFull},
		{"once: never heard", unheard, repeatErr(netx.ErrUnreachable, 3), 4, nil},
		{"once: cut off in the middle", unheard, repeatErr(netx.ErrClosed, 1), 1, netx.ErrClosed},
		{"once: timed out", unheard, repeatErr(netx.ErrTimeout, 1), 1, netx.ErrTimeout},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{errs: test.errs}
				_, err := call(t.Context(), policy{time.Minute, test.repeat}, s.method, new(int))
				if s.calls != test.calls || !errors.Is(err, test.want) {
					t.Errorf("%d calls and %v, want %d and %v", s.calls, err, test.calls, test.want)
				}
			})
		})
	}
}

func TestCallHasPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{errs: repeatErr(netx.ErrUnreachable, 1000)}
		const patience = 2 * time.Minute
		began := time.Now()
		_, err := call(t.Context(), policy{patience, repeatable}, s.method, new(int))
		took := time.Since(began)
		if !errors.Is(err, netx.ErrUnreachable) || took > patience || took < patience-longestPause {
			t.Errorf("gave up after %v with %v, patience is %v", took, err, patience)
		}
		if least, most := int(patience/longestPause), int(2*patience/longestPause)+10; s.calls < least || s.calls > most {
			t.Errorf("%d calls, want %d to %d", s.calls, least, most)
		}
	})
}

func TestCallEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("closed meanwhile")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(cause) })
		began := time.Now()
		s := &script{errs: repeatErr(netx.ErrUnreachable, 1000)}
		_, err := call(ctx, policy{time.Hour, repeatable}, s.method, new(int))
		if !errors.Is(err, cause) || time.Since(began) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestCallBoundsEachAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		hang := func(ctx context.Context, _ *int) (*int, error) {
			if calls++; calls == 3 {
				return new(int), nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		_, err := call(t.Context(), policy{5 * time.Minute, repeatable}, hang, new(int))
		if took := time.Since(began); err != nil || took < 2*callTimeout || took > 2*callTimeout+2*longestPause {
			t.Errorf("%v after %v; two attempts of %v hang", err, took, callTimeout)
		}
	})
}

func TestPauseGrowsWithinBounds(t *testing.T) {
	t.Parallel()
	for attempt := range 100 {
		want := longestPause
		if attempt < 6 {
			want = min(longestPause, firstPause<<attempt)
		}
		if got := pause(attempt); got < want/2 || got > want {
			t.Errorf("attempt %d: pause of %v, want %v to %v", attempt, got, want/2, want)
		}
	}
}
