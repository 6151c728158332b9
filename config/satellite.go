package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Satellite is the settings of a satellite.
type Satellite struct {
	Dir              string // identity, database, settings file
	Address          string
	ExternalAddress  string // empty: Address
	DebugAddress     string // empty: off
	Redundancy       string // auto, or required/repair/optimal/total
	OpenJoin         bool
	RateLimit        Rate
	CheckInInterval  Duration
	NodeOnlineWindow Duration
	RelaxedSync      bool
	Log              Log
}

var _ Role = (*Satellite)(nil)

func (*Satellite) name() string { return "satellite" }

func (s *Satellite) settings() []Setting {
	dir := text("dir", &s.Dir, "", "path", "Directory of the identity, the database and the settings file.")
	dir.NoFile = true
	return append([]Setting{
		dir,
		address(text("address", &s.Address, "127.0.0.1:7777", "host:port",
			"UDP address to listen on; an empty host (:7777) is every address of the machine."), &s.Address, false, true),
		address(text("external-address", &s.ExternalAddress, "", "host:port",
			"Address that nodes and uplinks are told; empty: the one listened on."), &s.ExternalAddress, true, false),
		address(text("debug-address", &s.DebugAddress, "", "host:port",
			"Loopback TCP address of metrics and health over HTTP; empty: off."), &s.DebugAddress, true, true),
		text("redundancy", &s.Redundancy, "auto", "required/repair/optimal/total",
			"Pieces of new segments: auto follows the number of nodes; fixed as 4/6/8/10.").
			allow("auto, or four ascending numbers from 1 to 255", func() error { return checkRedundancy(s.Redundancy) }),
		boolean("open-join", &s.OpenJoin, false,
			"Let nodes join without a token: for networks to which strangers have no way."),
		rate("rate-limit", &s.RateLimit, ratePerSecond(1000), "requests of a project",
			"Requests that each project may make; off: without limit."),
		between(duration("check-in-interval", &s.CheckInInterval, Duration(time.Hour),
			"How often nodes report."), &s.CheckInInterval, Duration(time.Second), Duration(day)),
		between(duration("node-online-window", &s.NodeOnlineWindow, Duration(4*time.Hour),
			"How long after its last report a node counts as online."),
			&s.NodeOnlineWindow, Duration(2*time.Second), Duration(week)),
		boolean("relaxed-sync", &s.RelaxedSync, false,
			"Do not wait for the disk at each commit: faster, but a power cut may lose the last second."),
	}, s.Log.settings("info")...)
}

func (s *Satellite) validate() (faults []Fault) {
	if s.Dir == "" {
		faults = append(faults, Fault{Setting: "dir", Problem: "is needed: --dir PATH"})
	}
	if s.NodeOnlineWindow < 2*s.CheckInInterval {
		faults = append(faults, Fault{Setting: "node-online-window", Problem: fmt.Sprintf(
			"%s is less than two check-in-intervals of %s: nodes would seem offline", s.NodeOnlineWindow, s.CheckInInterval)})
	}
	return faults
}

// checkRedundancy allows auto and four numbers that do not descend.
func checkRedundancy(value string) error {
	if value == "auto" {
		return nil
	}
	const maxTotal = 255 // of the code, which is over GF(2^8)
	parts, last := strings.Split(value, "/"), 1
	for _, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < last || n > maxTotal || len(parts) != 4 {
			return fmt.Errorf("%w: %q is neither auto nor four ascending numbers like 4/6/8/10", ErrValue, value)
		}
		last = n
	}
	return nil
}
