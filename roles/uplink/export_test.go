package uplink

import (
	"context"
	"fmt"
	"testing"
)

// OpenExample opens a project on a network in memory, for examples. end takes it down.
func OpenExample() (project *Project, end func()) {
	t := &exampleT{}
	w := newWorld(t, 10)
	return w.open(t, "secret"), func() {
		for i := len(t.cleanups) - 1; i >= 0; i-- {
			t.cleanups[i]()
		}
	}
}

// exampleT is as much of a test as the world in memory needs.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func (*exampleT) Helper()                  {}
func (*exampleT) Context() context.Context { return context.Background() }
func (t *exampleT) Cleanup(f func())       { t.cleanups = append(t.cleanups, f) }
func (*exampleT) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (*exampleT) Error(args ...any)        { panic(fmt.Sprint(args...)) }
