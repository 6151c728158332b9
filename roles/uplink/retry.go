package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"storj/metainfo"
	"storj/metainfo/metaclient"
	"storj/netx"
)

const (
	firstPause = 100 * time.Millisecond
	// longestPause lets a client of many be back within seconds of a satellite's restart, without a stampede.
	longestPause = 5 * time.Second
	// callPatience is how long a call that stands alone is retried: a person waits for it.
	callPatience = 10 * time.Second
	// nodesPatience is how long a satellite that has too few nodes is asked again: they come back one by one and seldom
	// soon, and a person should not wait for minutes to be told.
	nodesPatience = 15 * time.Second
)

// policy says how long and in which cases a call is repeated.
type policy struct {
	patience time.Duration // no new attempt is made after it
	repeat   func(error) bool
}

// repeatable is for calls that may be made twice: all that may pass with time.
func repeatable(err error) bool {
	return netx.CodeOf(err) == netx.Unavailable || errors.Is(err, netx.ErrBusy)
}

// unheard is for calls that must not be made twice: only what says that the satellite did not act on the request.
func unheard(err error) bool {
	for _, e := range []error{netx.ErrUnreachable, netx.ErrRefused, netx.ErrBusy, metainfo.ErrRateLimit} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// call makes a call of the satellite and repeats it, with growing pauses, while the policy lets it.
func call[Req, Resp any](ctx context.Context, p policy, method func(context.Context, *Req) (*Resp, error), req *Req) (*Resp, error) {
	start := time.Now()
	for attempt := 0; ; attempt++ {
		if ctx.Err() != nil {
			return nil, cause(ctx)
		}
		resp, err := attemptOnce(ctx, method, req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, cause(ctx)
		}
		wait, patience := pause(attempt), p.patience
		if errors.Is(err, metainfo.ErrNotEnoughNodes) {
			patience = min(patience, nodesPatience)
		}
		if !p.repeat(err) || time.Since(start)+wait > patience {
			return nil, err
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// callOnce is call for what must not be done twice and is worth repeating all the same. When an attempt may have been heard,
// or was refused as if it had been made before, ask tells: it returns what the attempt made, or the error that it is given.
func callOnce[Req, Resp any](
	ctx context.Context, p policy, method func(context.Context, *Req) (*Resp, error), req *Req,
	ask func(context.Context, error) (*Resp, error),
) (*Resp, error) {
	doubt := false // an earlier attempt may have been heard
	return call(ctx, p, func(ctx context.Context, req *Req) (*Resp, error) {
		if doubt {
			if resp, err := ask(ctx, errNotOurs); err == nil {
				return resp, nil
			}
		}
		resp, err := method(ctx, req)
		switch {
		case err == nil:
		case repeatable(err):
			doubt = doubt || !unheard(err)
		case doubt:
			return ask(ctx, err)
		}
		return resp, err
	}, req)
}

// errNotOurs is what ask returns for an attempt that was not made.
var errNotOurs = errors.New("not made by an earlier attempt")

// callTimeout bounds one attempt, whatever the caller's deadline: a satellite that hangs must not use up all of it.
const callTimeout = metaclient.CallTimeout

func attemptOnce[Req, Resp any](ctx context.Context, method func(context.Context, *Req) (*Resp, error), req *Req) (*Resp, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return method(ctx, req)
}

// noResult makes a method without a response fit for call.
func noResult[Req any](method func(context.Context, *Req) error) func(context.Context, *Req) (*struct{}, error) {
	return func(ctx context.Context, req *Req) (*struct{}, error) { return nil, method(ctx, req) }
}

// pause grows from firstPause to longestPause; half of it is random.
func pause(attempt int) time.Duration {
	full := longestPause
	if attempt < 10 {
		full = min(firstPause<<attempt, longestPause)
	}
	return full/2 + rand.N(full/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cause(ctx)
	}
}

// cause returns why a context ended. A cause that its caller made up is an error of a context all the same.
func cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if ctx.Err() != nil && !isContextError(err) && kindOf(err) == ErrInternal && !errors.Is(err, ErrInternal) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}
