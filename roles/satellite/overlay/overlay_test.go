package overlay

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"storj/netx"
)

// TestStrangersShareTurns has one host ask for more ping-backs than it may: the others must not wait for it.
func TestStrangersShareTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Log: zerolog.Nop()})
		for range maxPings {
			o.pings <- struct{}{} // all are busy with addresses that do not answer
		}
		var waiting sync.WaitGroup
		for range maxPingsPerHost {
			waiting.Go(func() { _, _ = o.strangers("one")(t.Context(), netx.NodeURL{}) })
		}
		synctest.Wait()
		begun := time.Now()
		if _, err := o.strangers("one")(t.Context(), netx.NodeURL{}); !errors.Is(err, netx.ErrBusy) || time.Since(begun) > 0 {
			t.Errorf("one too many of a host: %v after %v", err, time.Since(begun))
		}
		if _, err := o.strangers("two")(t.Context(), netx.NodeURL{}); !errors.Is(err, netx.ErrBusy) || time.Since(begun) != pingTimeout {
			t.Errorf("another host: %v after %v, want it to wait for %v", err, time.Since(begun), pingTimeout)
		}
		waiting.Wait()
		if len(o.asking) != 0 {
			t.Errorf("hosts left: %v", o.asking)
		}
	})
}

// TestAskedReportsAreTaken: a node that reports as often as it is told to is never refused, however short the interval.
func TestAskedReportsAreTaken(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 10 * time.Second, DefaultInterval} {
		synctest.Test(t, func(t *testing.T) {
			o := New(Options{Log: zerolog.Nop(), Interval: interval})
			for i := range 1000 {
				if !o.allow(netx.NodeID{1}) {
					t.Fatalf("report %d, every %v, was refused", i, interval/soon)
				}
				time.Sleep(interval / soon)
			}
			for range checkInBurst {
				o.allow(netx.NodeID{1})
			}
			if o.allow(netx.NodeID{1}) {
				t.Errorf("%d reports at once were taken", checkInBurst+1)
			}
		})
	}
}
