// Package config is the settings of the roles: one plain struct a role, read from four sources, printed with their source.
//
//	var node config.Node
//	file := config.FileOf(&node, os.Environ(), flags)
//	report, err := config.Load(&node, file, os.Environ(), flags)
//	log := config.NewLogger(os.Stderr, node.Log, os.Environ())
//	err = report.Write(os.Stdout)             // config --show: every value and where it is from
//	err = config.WriteFile(file, report)      // setup: all settings with comments, the defaults commented out
//
// Flags of a command are made from Settings, which tells name, kind, unit, default, range and meaning of each.
//
// # Order
//
// A default is overruled by the file, that by the environment, that by a flag. All sources are read and all values
// checked before Load returns, so that its error names every fault at once.
//
// # FORMAT
//
// The file is YAML: one map from the names of settings to plain values, durations as 90s or 7d, sizes as 500GB or 1TiB,
// lists as YAML lists. An unknown name, a name given twice, an alias or a nested map is a fault. At most 1 MiB.
//
//	capacity: 4TB
//	external-address: node.example.org:28967
//
// The environment has the same names in upper case behind the prefix of the role: STORJ_SATELLITE_OPEN_JOIN=true,
// STORJ_NODE_CAPACITY=4TB, STORJ_UP_NODES=4 and, of the client, STORJ_PARALLEL=8; lists are separated by commas. Unknown
// names are no fault there, since others set variables too (a container platform sets STORJ_NODE_PORT for a service of
// that name); one that looks mistyped is a warning.
//
// # Concurrency
//
// Nothing here is kept: concurrent calls are safe on different structs.
//
// # Why
//
// A setting exists when two people would set it differently; protocol constants are consts of their wing. Rooms have
// Options of their own and never see this package: roles translate. Secrets are never settings, since settings are
// printed: only the paths of files that hold them. The tables are code rather than struct tags, so that the compiler
// reads them.
package config
