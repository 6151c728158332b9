package satellite

import (
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"

	"storj/metainfo/kv"
	"storj/metainfo/rangedloop"
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
	OpenJoin     bool // nodes may join without a token
	AcceptTags   overlay.TagPolicy
	RateLimit    float64 // requests of a project a second; 0: endpoint.DefaultRate, negative: no limit
	RateBurst    int     // 0: as many as a second's
	DebugAddress string  // host:port of metrics and health; empty: none
	Pprof        bool
	Version      string
	Log          zerolog.Logger
	Metrics      []*metrics.Set // of the transport, to be shown with the satellite's own

	Repair RepairOptions
	Backup BackupOptions

	Tune Tune
}

// Tune is for tests and unusual networks. A zero field is its default.
type Tune struct {
	CheckInInterval time.Duration // overlay.DefaultInterval
	OnlineWindow    time.Duration // placement.OfflineAfter
	MinFree         int64         // bytes; placement.Options.MinFree
	ChoreInterval   time.Duration // between rounds of each chore; 10 minutes
	ZombieAge       time.Duration // uploads without a sign of life are ended after it; 48 hours
	LifecycleEvery  time.Duration // between rounds of lifecycle rules; a day
	UsageEvery      time.Duration // between counts of what projects with limits store; 10 minutes
	LoopInterval    time.Duration // between passes over all segments; rangedloop.DefaultInterval
	LookInterval    time.Duration // between looks for nodes that were lost, which bring the next pass forward; 10 minutes
	SampleInterval  time.Duration // between samples of who is in contact; an hour
	Quarantine      time.Duration // reputation.DefaultQuarantine
	AuditsPerDay    float64       // of each node; audit.DefaultPerDay
	AuditRetry      time.Duration // between tries of a contained piece; audit.DefaultRetry
	GarbageInterval time.Duration // between garbage filters; gc.DefaultEvery, negative: each pass
	GarbageSkew     time.Duration // gc.DefaultSkew
	RestoreGrace    time.Duration // care.DefaultGrace, negative: none
	TallyInterval   time.Duration // accounting.DefaultInterval
}

func (t Tune) withDefaults() Tune {
	setDefault(&t.CheckInInterval, overlay.DefaultInterval)
	setDefault(&t.OnlineWindow, placement.OfflineAfter)
	setDefault(&t.ChoreInterval, 10*time.Minute)
	setDefault(&t.LoopInterval, rangedloop.DefaultInterval)
	setDefault(&t.LookInterval, 10*time.Minute)
	setDefault(&t.ZombieAge, zombieAge)
	setDefault(&t.LifecycleEvery, 24*time.Hour)
	return t
}

func setDefault(field *time.Duration, value time.Duration) {
	if *field == 0 {
		*field = value
	}
}
