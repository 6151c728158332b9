package quicnet

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/quic-go/quic-go"
	"github.com/rs/zerolog"
)

// Options tunes a Transport. A zero field is its default.
type Options struct {
	Address string         // host:port of the socket; 127.0.0.1:0. An empty host is every address, IPv4 and IPv6
	Log     zerolog.Logger // the zero value logs nothing
	Metrics *metrics.Set   // nil: counted, but shown nowhere

	MaxStreams         int           // streams at once that one connection's peer may open; 256
	MaxConns           int           // accepted connections at once; 8192
	MaxConnsPerAddress int           // accepted connections at once of one IP address or IPv6 /64, handshakes included; 2048
	AcceptQueue        int           // connections waiting for Accept; 1024
	MaxHandshakes      int           // handshakes at once, above which addresses must be proved (RFC 9000, 8.1.2); 256
	HandshakeTimeout   time.Duration // without an answer; 5 s
	IdleTimeout        time.Duration // without any packet; 60 s
	KeepAlive          time.Duration // between packets on an idle Control connection that we dialed; 15 s
	PlainReceive       bool          // do not use UDP GRO
}

func (o Options) withDefaults() Options {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Metrics == nil {
		o.Metrics = metrics.NewSet()
	}
	setDefault(&o.MaxStreams, 256)
	setDefault(&o.MaxConns, 8192)
	setDefault(&o.MaxConnsPerAddress, 2048)
	setDefault(&o.AcceptQueue, 1024)
	setDefault(&o.MaxHandshakes, 256)
	setDefault(&o.HandshakeTimeout, 5*time.Second)
	setDefault(&o.IdleTimeout, 60*time.Second)
	setDefault(&o.KeepAlive, 15*time.Second)
	return o
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// Receive windows in bytes; see Why in the package comment. Streams start with room for a whole piece.
const (
	streamWindow    = 4 << 20
	maxStreamWindow = 6 << 20
	connWindow      = 8 << 20
	maxConnWindow   = 16 << 20
)

func (o Options) quicConfig(keepAlive time.Duration) *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           o.HandshakeTimeout,
		MaxIdleTimeout:                 o.IdleTimeout,
		KeepAlivePeriod:                keepAlive,
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         maxStreamWindow,
		InitialConnectionReceiveWindow: connWindow,
		MaxConnectionReceiveWindow:     maxConnWindow,
		MaxIncomingStreams:             int64(o.MaxStreams),
		MaxIncomingUniStreams:          -1,
	}
}
