package quicnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"storj/netx"
)

type counters struct {
	open         *metrics.Gauge
	accepted     *metrics.Counter
	refusedQueue *metrics.Counter
	refusedLimit *metrics.Counter
	dials        map[string]*metrics.Counter
}

// Results of a dial, as metric label.
const (
	dialOK          = "ok"
	dialRefused     = "refused"
	dialIdentity    = "identity"
	dialUnreachable = "unreachable"
	dialCancelled   = "cancelled"
	dialOther       = "other"
)

func newCounters(set *metrics.Set) *counters {
	c := &counters{
		open:         set.GetOrCreateGauge("storj_quic_connections", nil),
		accepted:     set.GetOrCreateCounter("storj_quic_accepted_total"),
		refusedQueue: set.GetOrCreateCounter(`storj_quic_refused_total{cause="queue"}`),
		refusedLimit: set.GetOrCreateCounter(`storj_quic_refused_total{cause="limit"}`),
		dials:        make(map[string]*metrics.Counter),
	}
	for _, result := range []string{dialOK, dialRefused, dialIdentity, dialUnreachable, dialCancelled, dialOther} {
		c.dials[result] = set.GetOrCreateCounter(fmt.Sprintf("storj_quic_dials_total{result=%q}", result))
	}
	return c
}

func (c *counters) dial(err error) {
	result := dialOther
	switch {
	case err == nil:
		result = dialOK
	case errors.Is(err, netx.ErrRefused):
		result = dialRefused
	case errors.Is(err, netx.ErrIdentity):
		result = dialIdentity
	case errors.Is(err, netx.ErrUnreachable):
		result = dialUnreachable
	case errors.Is(err, context.Canceled):
		result = dialCancelled
	}
	c.dials[result].Inc()
}
