package satellite

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/metainfo/kv"
	"storj/netx"
	"storj/netx/identity"
	"storj/roles/satellite/overlay"
	"storj/roles/satellite/placement"
)

// Options says what a satellite is made of. Identity, Transport and one of DB and DBPath must be set.
type Options struct {
	Identity  *identity.Identity
	Transport netx.Transport // of that identity; the satellite closes it
	DB        kv.Store       // the satellite closes it
	DBPath    string         // bbolt file, when DB is nil
	Relaxed   bool           // do not wait for the disk at each commit of DBPath

	// Address is where nodes and uplinks find the satellite; empty: where the transport listens.
	Address      string
	Redundancy   placement.Profile
	OpenJoin     bool    // nodes may join without a token
	RateLimit    float64 // requests of a project a second; 0: endpoint.DefaultRate, negative: no limit
	RateBurst    int     // 0: as many as a second's
	DebugAddress string  // host:port of metrics and health; empty: none
	Pprof        bool
	Version      string
	Log          zerolog.Logger
	Metrics      []*metrics.Set // of the transport, to be shown with the satellite's own

	Tune Tune
}

// Tune is for tests and unusual networks. A zero field is its default.
type Tune struct {
	CheckInInterval time.Duration // overlay.DefaultInterval
	OnlineWindow    time.Duration // placement.OfflineAfter
	MinFree         int64         // bytes; placement.Options.MinFree
	ChoreInterval   time.Duration // between rounds of each chore; 10 minutes
	ZombieAge       time.Duration // uploads without a sign of life are ended after it; 48 hours
}

func (t Tune) withDefaults() Tune {
	setDefault(&t.CheckInInterval, overlay.DefaultInterval)
	setDefault(&t.OnlineWindow, placement.OfflineAfter)
	setDefault(&t.ChoreInterval, 10*time.Minute)
	setDefault(&t.ZombieAge, zombieAge)
	return t
}

func setDefault(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}
