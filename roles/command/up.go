package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/screen"
	"storj/roles/devnet"
)

// upAccess is the name under which `storj up` saves the access to its network.
const upAccess = "up"

func (a *app) upCommand() *cli.Command {
	return &cli.Command{
		Name: "up", Category: categoryRoles,
		Usage: "run a whole network in one process: a satellite and ten nodes, on loopback",
		UsageText: "storj up                       # keeps its data; Ctrl-C ends it, the next start finds everything again\n" +
			"storj up --temp --nodes 4      # leaves nothing behind",
		Flags: append(settingFlags(&config.Up{}),
			&cli.BoolFlag{Name: "temp", Usage: "keep everything in a temporary directory that is deleted at the end"},
		),
		Action: a.up,
	}
}

func (a *app) up(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	var settings config.Up
	flags := setFlags(c, &settings)
	if _, err := config.Load(&settings, "", a.settingEnviron(), flags); err != nil {
		return err
	}
	dir, cleanup, err := a.upDir(&settings, c.Bool("temp"))
	if err != nil {
		return err
	}
	defer cleanup()
	log, err := config.NewLogger(a.env.Stderr, settings.Log, a.env.Environ)
	if err != nil {
		return err
	}
	start := time.Now()
	network, err := devnet.Start(c.Context, devnet.Options{
		Dir: dir, Nodes: settings.Nodes, Capacity: int64(settings.NodeCapacity), Redundancy: settings.Redundancy,
		Address: settings.Address, DebugAddress: settings.DebugAddress, RelaxedSync: settings.RelaxedSync,
		Version: a.env.Version.Version, Log: log,
	})
	if err != nil {
		return err
	}
	if err := a.saveAccess(c, upAccess, network.Grant(), true); err != nil {
		return errors.Join(err, network.Close())
	}
	a.welcome(c.Context, network, dir, time.Since(start))
	err = wait(c.Context, network)
	closeErr := network.Close()
	if err == nil && c.Context.Err() != nil {
		a.errorLine("stopped")
	}
	return errors.Join(err, closeErr)
}

// upDir returns where the network lives: the directory set, a temporary one, or the usual one of this user.
func (a *app) upDir(settings *config.Up, temporary bool) (dir string, cleanup func(), err error) {
	if temporary {
		if settings.Dir != "" {
			return "", nil, usageErrorf("--temp and --dir contradict each other")
		}
		return workDir("", "storj-up-")
	}
	dir = settings.Dir
	if dir == "" {
		data, err := a.dataDir()
		if err != nil {
			return "", nil, err
		}
		dir = filepath.Join(data, "up")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make directory of the network: %w", err)
	}
	return dir, func() {}, nil
}

func (a *app) welcome(ctx context.Context, network *devnet.Network, dir string, took time.Duration) {
	status, err := network.Satellite().Admin().Status(ctx)
	if err != nil {
		a.warn("status: %v", err)
		return
	}
	a.printf("A network of a satellite and %s is up after %v, redundancy %s.\n",
		screen.Plural(status.Online, "node"), took.Round(time.Millisecond), status.Redundancy)
	a.printf("Its data is below %s\n\nIn another terminal:\n\n", dir)
	a.printf("    storj mb sj://photos\n    storj cp FILE sj://photos/\n    storj ls sj://photos\n\nCtrl-C ends it.\n")
	for _, warning := range status.Warnings {
		a.warn("%s", warning)
	}
	_ = a.out.Flush() // its error comes again at the end
}

// wait returns when ctx ends, or a peer does by itself.
func wait(ctx context.Context, network *devnet.Network) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-network.Failed():
		return err
	}
}
