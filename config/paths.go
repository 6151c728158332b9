package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoHome is returned when the environment names no home directory.
var ErrNoHome = errors.New("no home directory: set HOME or XDG_CONFIG_HOME, or give --config-dir")

// ClientDir returns the directory of a client: the one set, else storj in $XDG_CONFIG_HOME (XDG Base Directory
// Specification 0.8), else in .config of $HOME; on Windows in %AppData%. It need not exist.
func ClientDir(c *Client, environ []string) (string, error) {
	if c.Dir != "" {
		return c.Dir, nil
	}
	if base := lookup(environ, "XDG_CONFIG_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "storj"), nil
	}
	if base := lookup(environ, "AppData"); filepath.IsAbs(base) {
		return filepath.Join(base, "storj"), nil
	}
	if home := lookup(environ, "HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "storj"), nil
	}
	return "", ErrNoHome
}

// lookup returns the value of a variable; the last entry counts, as for a process.
func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// FileOf returns the settings file of a role before its settings are loaded: in the directory that a flag or the
// environment names. For a client it is in ClientDir. It is empty when there is no directory.
func FileOf(role Role, environ []string, flags map[string]string) string {
	name := "dir"
	client, isClient := role.(*Client)
	if isClient {
		name = "config-dir"
	}
	dir, given := flags[name]
	if !given {
		dir = lookup(environ, EnvName(role, name))
	}
	if isClient && dir == "" {
		dir, _ = ClientDir(&Client{Dir: client.Dir}, environ) // without a home there is no file
	}
	return FileIn(dir)
}
