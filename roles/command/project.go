package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/accesses"
	"storj/roles/uplink"
)

// clientSettings are those of config.Client that data commands have as flags; config-dir is global.
func clientFlags(names ...string) []cli.Flag { return settingFlags(&config.Client{}, names...) }

// client returns the settings of the commands that store and fetch objects.
func (a *app) client(c *cli.Context) (*config.Client, error) {
	var probe config.Client
	flags := setFlags(c, &probe)
	if _, err := config.Load(&probe, "", a.settingEnviron(), flags); err != nil {
		return nil, err
	}
	dir, err := config.ClientDir(&probe, a.env.Environ)
	if err != nil {
		return nil, err
	}
	var client config.Client
	report, err := config.Load(&client, config.FileIn(dir), a.settingEnviron(), flags)
	if err != nil {
		return nil, err
	}
	for _, warning := range report.Warnings {
		a.warn("%s", warning)
	}
	client.Dir = dir
	return &client, nil
}

// store returns where accesses are kept.
func (a *app) store(c *cli.Context) (accesses.Store, error) {
	client, err := a.client(c)
	if err != nil {
		return accesses.Store{}, err
	}
	return accesses.Store{Dir: client.Dir}, nil
}

// saveAccess keeps a grant under a name in the store of this user, in place of one of that name; use makes it the
// current one.
func (a *app) saveAccess(c *cli.Context, name, grant string, use bool) error {
	store, err := a.store(c)
	if err != nil {
		return err
	}
	return store.Save(name, grant, accesses.SaveOptions{Use: use, Replace: true})
}

// grant returns the access that a command is to use, and what it is called.
//
// Order: --access, STORJ_ACCESS, the current one of the store. The first two may be a name in the store, a grant or a
// file that holds one.
func (a *app) grant(c *cli.Context, store accesses.Store) (accesses.Named, error) {
	chosen := c.String(accessFlag)
	if chosen == "" {
		chosen = strings.TrimSpace(a.env.getenv("STORJ_ACCESS"))
	}
	return a.findGrant(store, chosen)
}

func (a *app) findGrant(store accesses.Store, chosen string) (accesses.Named, error) {
	if chosen == "" || accesses.CheckName(chosen) == nil {
		found, err := store.Find(chosen)
		if err == nil && store.Exposed() {
			a.warn("%s can be read by other users; `chmod 600` it", store.Path())
		}
		if err == nil || !errors.Is(err, accesses.ErrNotFound) {
			return found, err
		}
	}
	if _, err := uplink.ParseAccess(chosen); err == nil {
		return accesses.Named{Grant: chosen}, nil
	}
	absent := fmt.Errorf("%w, nor a file, nor a valid grant: %s", accesses.ErrNotFound, abbreviate(chosen))
	if !couldBePath(chosen) {
		return accesses.Named{}, absent
	}
	text, err := accesses.ReadGrant(chosen)
	if errors.Is(err, fs.ErrNotExist) {
		return accesses.Named{}, absent
	}
	if err != nil {
		return accesses.Named{}, fmt.Errorf("read access: %w", err)
	}
	return accesses.Named{Grant: text}, nil
}

// couldBePath tells a path from a mistyped grant, which is a secret and must not get into the message of the system.
func couldBePath(text string) bool {
	const longestFileName = 100
	return len(text) <= longestFileName || strings.ContainsAny(text, `/\`)
}

// abbreviate keeps a mistyped grant out of messages.
func abbreviate(text string) string {
	if !couldBePath(text) || strings.ContainsAny(text, "\n\r") {
		return fmt.Sprintf("(a text of %d characters)", len(text))
	}
	return text
}

// withProject opens the project of the chosen access for as long as work runs.
func (a *app) withProject(c *cli.Context, work func(ctx context.Context, p *uplink.Project) error) error {
	client, err := a.client(c)
	if err != nil {
		return err
	}
	named, err := a.grant(c, accesses.Store{Dir: client.Dir})
	if err != nil {
		return err
	}
	access, err := uplink.ParseAccess(named.Grant)
	if err != nil {
		return err
	}
	project, err := uplink.Open(c.Context, a.uplinkConfig(client), access)
	if err != nil {
		return err
	}
	// The heap of a transfer is a few large buffers that are used again: letting garbage double it would double the
	// memory of the process (376 MB for a large upload, measured 2026-11), and collecting it earlier costs next to nothing.
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	err = work(c.Context, project)
	return errors.Join(err, project.Close())
}

const gcPercent = 25

// uplinkConfig translates settings. A segment takes up to largestSegment of memory; half of the budget is for them, the
// rest for erasure coding and what the runtime keeps.
func (a *app) uplinkConfig(client *config.Client) uplink.Config {
	const largestSegment = 64 * config.MiB
	segments := max(1, int(client.Memory/2/largestSegment))
	return uplink.Config{
		Transport:         a.env.Transport,
		SegmentsInMemory:  segments,
		SegmentsPerUpload: min(2, segments),
	}
}
