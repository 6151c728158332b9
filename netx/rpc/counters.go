package rpc

import (
	"errors"
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	"storj/netx"
)

// Why something was refused, as metric label.
const (
	causeConns        = "connections"
	causeConnsAddress = "connections_address"
	causeStreams      = "streams"
	causeStreamsPeer  = "streams_peer"
	causeStreamsAddr  = "streams_address"
	causeBodies       = "bodies"
	causeTooLarge     = "too_large"
	causeUnknown      = "unknown_method"
	causeMalformed    = "malformed"
	causeSlow         = "slow"
	causeBroken       = "broken"
)

type serverCounters struct {
	refused        map[string]*metrics.Counter
	received, sent *metrics.Counter // bytes
}

func newServerCounters(set *metrics.Set) *serverCounters {
	c := &serverCounters{
		refused:  make(map[string]*metrics.Counter),
		received: set.GetOrCreateCounter("storj_rpc_server_received_bytes_total"),
		sent:     set.GetOrCreateCounter("storj_rpc_server_sent_bytes_total"),
	}
	for _, cause := range []string{
		causeConns, causeConnsAddress, causeStreams, causeStreamsPeer, causeStreamsAddr,
		causeBodies, causeTooLarge, causeUnknown, causeMalformed, causeSlow, causeBroken,
	} {
		c.refused[cause] = set.GetOrCreateCounter(fmt.Sprintf("storj_rpc_server_refused_total{cause=%q}", cause))
	}
	return c
}

func (c *serverCounters) refuse(cause string) { c.refused[cause].Inc() }

// causeOf names why a request could not be received.
func causeOf(err error) string {
	switch {
	case errors.Is(err, netx.ErrBusy):
		return causeBodies
	case errors.Is(err, netx.ErrTooLarge):
		return causeTooLarge
	case errors.Is(err, netx.ErrUnknownMethod):
		return causeUnknown
	case errors.Is(err, netx.ErrMalformed):
		return causeMalformed
	case errors.Is(err, netx.ErrTimeout):
		return causeSlow
	}
	return causeBroken
}

// callCounters counts the calls of one method by code. Codes that a later version may add count as Internal.
type callCounters [netx.Cancelled + 1]*metrics.Counter

func newCallCounters(set *metrics.Set, number Method) (c callCounters) {
	for code := range c {
		name := fmt.Sprintf("storj_rpc_server_calls_total{method=\"%d\",code=%q}", number, netx.Code(code))
		c[code] = set.GetOrCreateCounter(name)
	}
	return c
}

func (c *callCounters) count(err error) {
	code := netx.CodeOf(err)
	if int(code) >= len(c) {
		code = netx.Internal
	}
	c[code].Inc()
}

type poolCounters struct {
	dials    *metrics.Counter
	failed   *metrics.Counter
	silenced *metrics.Counter
	retired  *metrics.Counter
	repeated *metrics.Counter
}

func newPoolCounters(set *metrics.Set) *poolCounters {
	return &poolCounters{
		dials:    set.GetOrCreateCounter("storj_rpc_pool_dials_total"),
		failed:   set.GetOrCreateCounter("storj_rpc_pool_dials_failed_total"),
		silenced: set.GetOrCreateCounter("storj_rpc_pool_dials_silenced_total"),
		retired:  set.GetOrCreateCounter("storj_rpc_pool_retired_total"),
		repeated: set.GetOrCreateCounter("storj_rpc_pool_repeated_total"),
	}
}

func (c *poolCounters) dial(err error) {
	c.dials.Inc()
	if err != nil {
		c.failed.Inc()
	}
}
