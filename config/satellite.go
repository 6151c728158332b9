package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Satellite is the settings of a satellite.
type Satellite struct {
	Dir                  string // identity, database, settings file
	Address              string
	ExternalAddress      string // empty: Address
	DebugAddress         string // empty: off
	Redundancy           string // auto, or required/repair/optimal/total
	OpenJoin             bool
	AcceptTags           string // auto, all, none, or names with commas between them
	AuditsPerDay         int
	RateLimit            Rate
	CheckInInterval      Duration
	NodeOnlineWindow     Duration
	RelaxedSync          bool
	LoopInterval         Duration
	RepairBandwidth      Speed // 0: full
	RepairMemory         Size
	Rebalance            string // auto or off
	RebalanceBandwidth   Speed
	BackupTo             string // directory; empty: none
	BackupEvery          Duration
	BackupKeep           int
	BackupPassphraseFile string
	Log                  Log
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
		text("accept-tags", &s.AcceptTags, "auto", "all, none, NAME,NAME",
			"Tags of nodes that count without your word; auto: all where nodes join by token, none with open-join.").
			allow("auto, all, none, or names of tags with commas between them", func() error { return checkTagNames(s.AcceptTags) }),
		between(number("audits-per-day", &s.AuditsPerDay, 12, "audits",
			"How often each node is asked to prove that it has a piece, at least."), &s.AuditsPerDay, 1, 1000),
		rate("rate-limit", &s.RateLimit, ratePerSecond(1000), "requests of a project",
			"Requests that each project may make; off: without limit."),
		between(duration("check-in-interval", &s.CheckInInterval, Duration(time.Hour),
			"How often nodes report."), &s.CheckInInterval, Duration(time.Second), Duration(day)),
		between(duration("node-online-window", &s.NodeOnlineWindow, Duration(4*time.Hour),
			"How long after its last report a node counts as online."),
			&s.NodeOnlineWindow, Duration(2*time.Second), Duration(week)),
		boolean("relaxed-sync", &s.RelaxedSync, false,
			"Do not wait for the disk at each commit: faster, but a power cut may lose the last second."),
		between(duration("loop-interval", &s.LoopInterval, Duration(2*time.Hour),
			"How often all segments are looked at: for repair, garbage, audits and health."),
			&s.LoopInterval, Duration(time.Minute), Duration(day)),
		speed("repair-bandwidth", &s.RepairBandwidth, 0, "What repair may use of the line, both directions together."),
		between(size("repair-memory", &s.RepairMemory, 256*MiB,
			"Memory for the pieces that are being repaired; 181 MiB for the largest segment."), &s.RepairMemory, 16*MiB, TiB),
		oneOf(text("rebalance", &s.Rebalance, "off", "auto, off",
			"Store old segments anew when the network has outgrown their redundancy; off: when you tell it to."),
			&s.Rebalance, "auto", "off"),
		speed("rebalance-bandwidth", &s.RebalanceBandwidth, Speed(4*MB), "What rebalancing may use of the line, both directions together."),
		text("backup-to", &s.BackupTo, "", "path",
			"Directory to which the satellite backs itself up, best on another disk; empty: no backups."),
		between(duration("backup-every", &s.BackupEvery, Duration(day),
			"How often it does so."), &s.BackupEvery, Duration(time.Minute), Duration(4*week)),
		between(number("backup-keep", &s.BackupKeep, 7, "backups",
			"How many backups are kept there."), &s.BackupKeep, 1, 1000),
		text("backup-passphrase-file", &s.BackupPassphraseFile, "", "path",
			"File with the passphrase that these backups are encrypted with. Keep a copy of it elsewhere."),
	}, s.Log.settings("info")...)
}

func (s *Satellite) validate() (faults []Fault) {
	if s.Dir == "" {
		faults = append(faults, Fault{Setting: "dir", Problem: "is needed: --dir PATH"})
	}
	if s.BackupTo != "" && s.BackupPassphraseFile == "" {
		faults = append(faults, Fault{Setting: "backup-passphrase-file", Problem: "is needed for backup-to"})
	}
	if s.NodeOnlineWindow < 2*s.CheckInInterval {
		faults = append(faults, Fault{Setting: "node-online-window", Problem: fmt.Sprintf(
			"%s is less than two check-in-intervals of %s: nodes would seem offline", s.NodeOnlineWindow, s.CheckInInterval)})
	}
	return faults
}

// checkTagNames allows words of letters, digits, - and _ with commas between them.
func checkTagNames(value string) error {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name == "" || strings.ContainsFunc(name, odd) {
			return fmt.Errorf("%w: %q is no name of a tag", ErrValue, name)
		}
	}
	return nil
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
