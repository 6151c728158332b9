package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Node is the settings of a storage node.
type Node struct {
	Dir             string // identity, satellites, settings file; and the pieces, unless there are Disks
	Capacity        Size   // for pieces in Dir
	Disks           []string
	Reserve         Size // 0: chosen by the store
	Address         string
	ExternalAddress string // empty: as seen by the satellite
	Domain          string
	DebugAddress    string // empty: off
	RelaxedSync     bool
	Tags            []string
	Scrub           Duration // in which everything is read once; 0: off
	CompactSpeed    Speed    // 0: no bound
	Bandwidth       Speed    // 0: full
	Schedule        []string
	Monthly         Size // 0: no cap
	Log             Log
}

// Disk is a directory for pieces and the bytes that it may take.
type Disk struct {
	Path     string
	Capacity Size
}

var _ Role = (*Node)(nil)

// piecesDir is where pieces are kept in a node's own directory.
const piecesDir = "pieces"

// minCapacity is the least that a disk may give: a few full segments on one node.
const minCapacity = 500 * MB

func (*Node) name() string { return "node" }

func (n *Node) settings() []Setting {
	dir := text("dir", &n.Dir, "", "path", "Directory of the identity, the settings file and, without disks, the pieces.")
	dir.NoFile = true
	return append([]Setting{
		dir,
		size("capacity", &n.Capacity, 0, "Space that the node gives to pieces in its directory.").
			allow(asText(minCapacity)+" or more; needed without disks", func() error { return checkCapacity(n.Capacity) }),
		list("disks", &n.Disks, "path=size",
			"Directories for pieces with the space of each, instead of capacity: /mnt/a/storj=4TB,/mnt/b/storj=8TB.").
			allow("each "+asText(minCapacity)+" or more", func() error { _, err := parseDisks(n.Disks); return err }),
		between(size("reserve", &n.Reserve, 0,
			"Space that each disk keeps free for others; 0: a hundredth of the disk, at most 5GiB."), &n.Reserve, 0, 100*TB),
		address(text("address", &n.Address, ":28967", "host:port",
			"UDP address to listen on; an empty host is every address of the machine."), &n.Address, false, true),
		address(text("external-address", &n.ExternalAddress, "", "host:port",
			"Address at which others reach the node; empty: the one that the satellite sees, with the port listened on."),
			&n.ExternalAddress, true, false),
		text("domain", &n.Domain, "", "name",
			"Failure domain: nodes of one domain may fail together, as those of one house; empty: decided by the satellite.").
			allow("at most 64 letters, digits, and -_.=", func() error { return checkDomain(n.Domain) }),
		address(text("debug-address", &n.DebugAddress, "", "host:port",
			"Loopback TCP address of metrics and health over HTTP; empty: off."), &n.DebugAddress, true, true),
		boolean("relaxed-sync", &n.RelaxedSync, false,
			"Do not wait for the disk at each piece: faster, but a power cut may lose the last second."),
		list("tag", &n.Tags, "name=value",
			"What the satellite's owner may place pieces by: site=attic, country=de; may be repeated.").
			allow("at most 16, of letters, digits, and -_.", func() error { return checkTags(n.Tags) }),
		between(duration("scrub", &n.Scrub, Duration(30*day),
			"In which time everything that is stored is read once, to find rot and tell the satellite; 0s: off."),
			&n.Scrub, 0, Duration(10*365*day)),
		speed("compact-speed", &n.CompactSpeed, 256e6/8,
			"How fast space of deleted pieces is won back, reading and writing together."),
		speed("bandwidth", &n.Bandwidth, 0, "What the node may use of the line, both directions together."),
		list("schedule", &n.Schedule, "hours=speed",
			"Bandwidth at some hours of the day, by the local clock: 08:00-23:00=5Mbit,23:00-08:00=full.").
			allow("HH:MM-HH:MM=speed", func() error { _, err := parseSchedule(n.Schedule); return err }),
		between(size("monthly", &n.Monthly, 0,
			"What the node may move in a calendar month, both directions together; 0: no cap. Uploads end at 95 % of it."),
			&n.Monthly, 0, 100*PB),
	}, n.Log.settings("info")...)
}

// Hours returns the schedule. The settings must have been loaded without error.
func (n *Node) Hours() []Hours {
	list, _ := parseSchedule(n.Schedule) // was checked when it was loaded
	return list
}

func (n *Node) validate() (faults []Fault) {
	if n.Dir == "" {
		faults = append(faults, Fault{Setting: "dir", Problem: "is needed: --dir PATH"})
	}
	switch {
	case n.Capacity == 0 && len(n.Disks) == 0:
		faults = append(faults, Fault{Setting: "capacity", Problem: "is needed: how much may the node store? --capacity 500GB"})
	case n.Capacity != 0 && len(n.Disks) != 0:
		faults = append(faults, Fault{Setting: "disks", Problem: "give either capacity or disks: each disk has its own size"})
	}
	return faults
}

// PieceDisks returns the directories for pieces. The settings must have been loaded without error.
func (n *Node) PieceDisks() []Disk {
	if disks, err := parseDisks(n.Disks); err == nil && len(disks) > 0 {
		return disks
	}
	return []Disk{{Path: filepath.Join(n.Dir, piecesDir), Capacity: n.Capacity}}
}

func checkCapacity(size Size) error {
	if size != 0 && size < minCapacity {
		return fmt.Errorf("%w: %s is less than %s", ErrValue, size, minCapacity)
	}
	return nil
}

// parseDisks reads path=size; the path may have = in it, the size may not.
func parseDisks(texts []string) (disks []Disk, err error) {
	seen := make(map[string]bool, len(texts))
	for _, text := range texts {
		cut := strings.LastIndexByte(text, '=')
		if cut <= 0 {
			return nil, fmt.Errorf("%w: %q is not path=size", ErrValue, text)
		}
		path := filepath.Clean(text[:cut])
		capacity, err := ParseSize(text[cut+1:])
		if err != nil {
			return nil, err
		}
		if capacity < minCapacity {
			return nil, fmt.Errorf("%w: %s of %s is less than %s", ErrValue, capacity, path, minCapacity)
		}
		if seen[path] {
			return nil, fmt.Errorf("%w: disk %s is given twice", ErrValue, path)
		}
		seen[path] = true
		disks = append(disks, Disk{Path: path, Capacity: capacity})
	}
	return disks, nil
}

// checkTags looks at tags: name=value, each name once.
func checkTags(tags []string) error {
	const maxTags, maxTag = 16, 128
	if len(tags) > maxTags {
		return fmt.Errorf("%w: more than %d tags", ErrValue, maxTags)
	}
	seen := map[string]bool{}
	for _, tag := range tags {
		name, value, _ := strings.Cut(tag, "=")
		if name == "" || value == "" || len(tag) > maxTag || strings.ContainsFunc(name+value, notWord) || strings.Contains(name, ".") {
			return fmt.Errorf("%w: tag %q is not name=value of letters, digits, and -_.", ErrValue, tag)
		}
		if seen[name] {
			return fmt.Errorf("%w: tag %s is given twice", ErrValue, name)
		}
		seen[name] = true
	}
	return nil
}

func notWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
}

func checkDomain(name string) error {
	const maxDomain = 64
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.=", r)
	})
	if bad || len(name) > maxDomain {
		return fmt.Errorf("%w: %q is not a domain name of at most %d letters, digits and -_.=", ErrValue, name, maxDomain)
	}
	return nil
}
