package uplink

import "context"

// future is the outcome of work that runs elsewhere. It may be waited for by any number of goroutines.
type future[T any] struct {
	done  chan struct{} // closed by whoever does the work
	value T
	err   error
}

// wait returns the outcome, or the cause of ctx if that ends first.
func (f *future[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		var none T
		return none, cause(ctx)
	}
}

// run does the work, on the caller's goroutine.
func (f *future[T]) run(ctx context.Context, work func(context.Context) (T, error)) {
	defer close(f.done)
	f.value, f.err = work(ctx)
}

func newFuture[T any]() *future[T] { return &future[T]{done: make(chan struct{})} }
