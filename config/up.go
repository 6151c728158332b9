package config

// Up is the settings of a whole network in one process.
type Up struct {
	Dir          string // empty: the usual one of this user
	Address      string // of the satellite
	Nodes        int
	NodeCapacity Size
	Redundancy   string
	DebugAddress string // empty: off
	RelaxedSync  bool
	Log          Log
}

var _ Role = (*Up)(nil)

func (*Up) name() string { return "up" }

func (u *Up) settings() []Setting {
	dir := text("dir", &u.Dir, "", "path",
		"Directory that keeps the network between starts; empty: up in the user's data directory.")
	dir.NoFile = true
	return append([]Setting{
		dir,
		address(text("address", &u.Address, "127.0.0.1:7777", "host:port",
			"UDP address of the satellite; port 0 picks one."), &u.Address, false, true),
		between(number("nodes", &u.Nodes, 10, "nodes", "Storage nodes of the network."), &u.Nodes, 1, 200),
		between(size("node-capacity", &u.NodeCapacity, 10*GB, "Space that each node gives."), &u.NodeCapacity, minCapacity, 100*TB),
		text("redundancy", &u.Redundancy, "auto", "required/repair/optimal/total",
			"Pieces of new segments: auto follows the number of nodes; fixed as 4/6/8/10.").
			allow("auto, or four ascending numbers from 1 to 255", func() error { return checkRedundancy(u.Redundancy) }),
		address(text("debug-address", &u.DebugAddress, "", "host:port",
			"Loopback TCP address of metrics and health over HTTP; empty: off."), &u.DebugAddress, true, true),
		boolean("relaxed-sync", &u.RelaxedSync, false,
			"Do not wait for the disk at each write: faster, but a power cut may lose the last second."),
	}, u.Log.settings("warn")...)
}

func (*Up) validate() []Fault { return nil }
