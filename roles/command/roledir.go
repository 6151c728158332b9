package command

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/config"
)

// loaded is the settings of a role with where they are from.
type loaded struct {
	file   string // of settings
	exists bool
	report *config.Report
}

// loadRole gives role its settings. dir points at the field of its directory, of which name, below the user's data
// directory, is the default.
func (a *app) loadRole(c *cli.Context, role config.Role, dir *string, name string) (loaded, error) {
	flags := setFlags(c, role)
	environ := a.settingEnviron()
	_, _ = config.Load(role, "", environ, flags) // only for the directory: faults come again below
	if *dir == "" {
		home, err := a.dataDir()
		if err != nil {
			return loaded{}, err
		}
		*dir = filepath.Join(home, name)
		flags["dir"] = *dir
	}
	absolute, err := filepath.Abs(*dir)
	if err != nil {
		return loaded{}, err
	}
	l := loaded{file: config.FileIn(absolute)}
	if _, err := os.Stat(l.file); err == nil {
		l.exists = true
	} else if !errors.Is(err, fs.ErrNotExist) {
		return loaded{}, err
	}
	l.report, err = config.Load(role, l.file, environ, flags)
	if *dir = absolute; err != nil {
		return l, err
	}
	for _, warning := range l.report.Warnings {
		a.warn("%s", warning)
	}
	return l, nil
}

// settingEnviron is the environment without the variables that are no settings, which config would warn of.
func (a *app) settingEnviron() []string {
	return slices.DeleteFunc(slices.Clone(a.env.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "STORJ_ACCESS" || name == "STORJ_API_KEY" || name == joinVariable
	})
}

// dataDir returns the directory of the user's data. Source: XDG Base Directory Specification 0.8.
func (a *app) dataDir() (string, error) {
	for _, variable := range []string{"XDG_DATA_HOME", "LocalAppData"} {
		if base := a.env.getenv(variable); filepath.IsAbs(base) {
			return filepath.Join(base, "storj"), nil
		}
	}
	if home := a.env.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "storj"), nil
	}
	return "", usageError("there is no home directory: give --dir DIR")
}

// showConfig prints settings with their sources.
func (a *app) showConfig(l loaded) error {
	switch {
	case l.report == nil:
		return nil
	case l.exists:
		a.printf("settings file: %s\n\n", l.file)
	default:
		a.printf("settings file: %s, which does not exist\n\n", l.file)
	}
	return l.report.Write(a.out)
}

// showFlag exists so that `config --show` may be typed; showing is all that config does.
func showFlag() cli.Flag {
	return &cli.BoolFlag{Name: "show", Value: true, Usage: "print every setting, its value and where it is from"}
}

// outsideAddress returns where others reach a socket that listens on listen: that address, or, when it is every address
// of the machine, the first one that is not loopback. guessed is set in the latter case.
func outsideAddress(listen string) (address string, guessed bool, err error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", false, fmt.Errorf("%w: %q is not host:port", config.ErrValue, listen)
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return listen, false, nil
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", false, fmt.Errorf("list addresses of this machine: %w", err)
	}
	for _, a := range addresses {
		if ipNet, ok := a.(*net.IPNet); ok && ipNet.IP.IsGlobalUnicast() && ipNet.IP.To4() != nil {
			return net.JoinHostPort(ipNet.IP.String(), port), true, nil
		}
	}
	return net.JoinHostPort("127.0.0.1", port), true, nil
}

// insideAddress returns where a process on this machine reaches a socket that listens on listen.
func insideAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%w: %q is not host:port", config.ErrValue, listen)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// isLoopback says whether only this machine reaches an address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
