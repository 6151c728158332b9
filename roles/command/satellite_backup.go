package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/metainfo/kv"
	"storj/metainfo/kv/boltkv"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/rpc"
	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/satellite"
	"storj/roles/satellite/accounting"
	"storj/roles/satellite/care"
	"storj/roles/uplink"
)

// passphraseFlag is that of commands which seal or open backups.
func passphraseFlag() cli.Flag {
	return &cli.StringFlag{Name: "passphrase-file", Usage: "`FILE` with the passphrase of the backup, - for standard input; else it is asked for"}
}

// backupFlags are those of commands that make or read a backup, in a file or in a network.
func backupFlags(more ...cli.Flag) []cli.Flag {
	return append(adminFlags(append(more, passphraseFlag())...), clientFlags("memory")...)
}

func (a *app) satelliteBackupCommand() *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "back the satellite up, while it runs or not", ArgsUsage: "FILE | sj://BUCKET/KEY",
		Description: `One encrypted file that restores all: the database as it is at this instant, the identity and the settings. It is
read back before the command ends. With sj:// it goes into a network, best into another one than this satellite's: a
satellite that is gone cannot hand out its own backup. For a backup every day see the settings backup-to, backup-every,
backup-keep and backup-passphrase-file.`,
		UsageText: "storj satellite backup /mnt/usb/satellite.storjbak\nstorj satellite backup sj://backups/satellite-today --access elsewhere --passphrase-file pass.txt",
		Flags:     backupFlags(&cli.BoolFlag{Name: "status", Usage: "show when the running satellite backed itself up"}),
		Action:    a.satelliteBackup,
	}
}

func (a *app) satelliteBackup(c *cli.Context) error {
	if c.Bool("status") {
		return a.backupStatus(c)
	}
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	place, err := location.Parse(args[0])
	if err != nil {
		return err
	}
	r, err := a.loadSatellite(c)
	if err != nil {
		return err
	}
	id, err := r.identity()
	if err != nil {
		return err
	}
	m, err := r.manifest(id, a.env.Version.Version)
	if err != nil {
		return err
	}
	passphrase, err := a.backupPassphrase(c, true)
	if err != nil {
		return err
	}
	m.Created = time.Now().UTC().Truncate(time.Second)
	seal := func(w io.Writer) error {
		return care.Write(w, passphrase, &m, func(w io.Writer) error { return a.dump(c.Context, r, w) })
	}
	if place.Bucket != "" {
		return a.backupRemote(c, place, passphrase, seal)
	}
	return a.backupFile(c.Context, args[0], passphrase, seal)
}

func (a *app) backupStatus(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, url netx.NodeURL) error {
		s, err := care.NewClient(pool, url).Status(ctx)
		if err != nil {
			return err
		}
		last, now := "none: the setting backup-to names no directory", time.Now()
		switch {
		case !s.LastBackup.IsZero():
			last = screen.Ago(s.LastBackup, now) + ", " + screen.Bytes(s.Bytes)
		case s.Scheduled:
			last = "none yet"
		}
		t := screen.NewTable(a.out)
		t.Row("last backup", last)
		if s.Failure != "" {
			t.Row("failed since", screen.Printable(s.Failure))
		}
		if !s.Restored.IsZero() {
			t.Row("restored", fmt.Sprintf("%s, from a backup of %s", screen.Ago(s.Restored, now), screen.Instant(s.Snapshot)))
		}
		return t.Flush()
	})
}

// manifest reads what is backed up beside the database.
func (r *satelliteRole) manifest(id *identity.Identity, version string) (care.Manifest, error) {
	m := care.Manifest{Satellite: id.ID(), Version: version}
	var err error
	if m.Identity, err = os.ReadFile(r.path(satelliteIdentityFile)); err != nil {
		return m, err
	}
	m.Settings, err = os.ReadFile(config.FileIn(r.config.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return m, err
}

// backupPassphrase reads the passphrase of a backup, or asks for it: twice when it is a new one.
func (a *app) backupPassphrase(c *cli.Context, fresh bool) ([]byte, error) {
	if file := c.String("passphrase-file"); file != "" {
		return a.readSecretFile(file)
	}
	if fresh {
		return a.newPassphrase(c.Context)
	}
	text, err := a.askSecret(c.Context, "Passphrase of the backup:", "--passphrase-file FILE (- for standard input)")
	return []byte(text), err
}

// dump writes a dump of the database: of the running satellite, else of its file.
func (a *app) dump(ctx context.Context, r *satelliteRole, w io.Writer) error {
	running, err := a.reach(ctx, r, func(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
		return care.NewClient(pool, satellite).Dump(ctx, w)
	})
	if running || err != nil {
		return err
	}
	return r.withStore(ctx, func(store *boltkv.Store) error {
		_, err := kv.Dump(ctx, store, w)
		return err
	})
}

func (a *app) backupFile(ctx context.Context, path string, passphrase []byte, seal func(w io.Writer) error) error {
	if path == "-" {
		return seal(a.out)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	temp := path + ".part"
	if err := care.WriteFile(temp, seal); err != nil {
		return err
	}
	file, err := os.Open(temp)
	if err == nil {
		err = errors.Join(a.verifyBackup(ctx, file, path, passphrase), file.Close())
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp) // best effort: it is no backup
	}
	return err
}

func (a *app) backupRemote(c *cli.Context, place location.Location, passphrase []byte, seal func(w io.Writer) error) error {
	if place.Key == "" || strings.HasSuffix(place.Key, "/") {
		return usageErrorf("%s names no object", place)
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		upload, err := p.Upload(ctx, place.Bucket, place.Key, nil)
		if err != nil {
			return err
		}
		if err := seal(upload); err != nil {
			return errors.Join(err, upload.Abort(ctx))
		}
		if _, err := upload.Commit(ctx); err != nil {
			return err
		}
		download, err := p.Download(ctx, place.Bucket, place.Key, nil)
		if err != nil {
			return err
		}
		return errors.Join(a.verifyBackup(ctx, download, place.String(), passphrase), download.Close())
	})
}

func (a *app) verifyBackup(ctx context.Context, r io.Reader, name string, passphrase []byte) error {
	counted := &countingReader{r: r}
	_, rows, err := care.Verify(ctx, counted, passphrase)
	if err != nil {
		return fmt.Errorf("the backup does not read back: %w", err)
	}
	a.errorLine("%s: %s, %s, read back", name, screen.Bytes(counted.n), screen.Plural(rows, "row"))
	return nil
}

// countingReader counts what is read.
type countingReader struct {
	r io.Reader
	n int64
}

// Read reads and counts.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (a *app) satelliteRestoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "make a satellite of a backup", ArgsUsage: "FILE | sj://BUCKET/KEY",
		Description: `Makes the directory --dir, which must not exist or be empty: identity, settings and database. At its next start the
satellite has all nodes take out of their trash what was deleted after the backup, and lets no garbage be collected
for a day. What was uploaded after the backup is not known any more, and nodes that joined after it join again.`,
		UsageText: "storj satellite restore /mnt/usb/satellite.storjbak --dir /srv/satellite",
		Flags:     backupFlags(),
		Action:    a.satelliteRestore,
	}
}

func (a *app) satelliteRestore(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	place, err := location.Parse(args[0])
	if err != nil {
		return err
	}
	r, err := a.loadSatellite(c)
	if err != nil {
		return err
	}
	passphrase, err := a.backupPassphrase(c, false)
	if err != nil {
		return err
	}
	if place.Bucket != "" {
		return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
			download, err := p.Download(ctx, place.Bucket, place.Key, nil)
			if err != nil {
				return err
			}
			return errors.Join(a.restoreFrom(ctx, download, passphrase, r.config.Dir), download.Close())
		})
	}
	if args[0] == "-" {
		return a.restoreFrom(c.Context, a.stdin, passphrase, r.config.Dir)
	}
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	return errors.Join(a.restoreFrom(c.Context, file, passphrase, r.config.Dir), file.Close())
}

func (a *app) restoreFrom(ctx context.Context, from io.Reader, passphrase []byte, dir string) error {
	names := care.Names{DB: satelliteDBFile, Identity: satelliteIdentityFile, Settings: filepath.Base(config.FileIn(dir))}
	report, err := care.Restore(ctx, from, passphrase, dir, names)
	if err != nil {
		return err
	}
	m := &report.Manifest
	a.printf("satellite  %s\nsnapshot   %s\nrows       %d\ndirectory  %s\n", m.Satellite, screen.Instant(m.Created), report.Rows, dir)
	if report.Faults != nil {
		a.warn("the backup was made of a database with faults: %v", report.Faults)
	}
	a.errorLine("`storj satellite run` starts it. The satellite that it was made of must not run any more.")
	return nil
}

func (a *app) satelliteCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "look for damage in the database, while the satellite runs or not",
		Description: "Cross-checks all tables; of a satellite that does not run, also every page of the file.",
		UsageText:   "storj satellite check",
		Flags:       settingFlags(&config.Satellite{}, "dir"),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			err := a.onlineOrNot(c, a.checkOnline, func(ctx context.Context, r *satelliteRole) error { return r.withStore(ctx, checkOffline(ctx)) })
			if err == nil {
				a.printf("no damage found\n")
			}
			return err
		},
	}
}

func (a *app) checkOnline(ctx context.Context, pool *rpc.Pool, satellite netx.NodeURL) error {
	found, err := care.NewClient(pool, satellite).Check(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	return fmt.Errorf("%w:\n%s", kv.ErrCorrupt, strings.Join(found, "\n"))
}

func checkOffline(ctx context.Context) func(store *boltkv.Store) error {
	return func(store *boltkv.Store) error {
		if err := store.Check(ctx); err != nil {
			return err
		}
		db, err := metabase.Open(ctx, store)
		if err != nil {
			return err
		}
		accounts := accounting.New(accounting.Options{DB: db})
		return care.Check(ctx, db, map[string]care.Checker{"accounting": accounts.Check})
	}
}

func (a *app) satelliteClockCommand() *cli.Command {
	return &cli.Command{
		Name: "clock", Usage: "show whether the clock is believed, or confirm it",
		Description: `A clock that jumped ahead would expire objects and trash at once. So after a jump of more than a day nothing is deleted
for its age until the clocks of nodes agree with the satellite's. Where they cannot, look at the clock and confirm it.`,
		UsageText: "storj satellite clock\nstorj satellite clock --confirm",
		Flags:     adminFlags(&cli.BoolFlag{Name: "confirm", Usage: "the clock of this machine is right"}),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.withPool(c, func(ctx context.Context, pool *rpc.Pool, url netx.NodeURL) error {
				client := care.NewClient(pool, url)
				if c.Bool("confirm") {
					if err := client.ConfirmClock(ctx); err != nil {
						return err
					}
				}
				status, err := client.Status(ctx)
				if err != nil {
					return err
				}
				a.printf("%s\n", screen.Instant(time.Now()))
				if status.Clock != "" {
					a.warn("%s", status.Clock)
				}
				return nil
			})
		},
	}
}

// backupOptions are those of a satellite that backs itself up; zero where the settings name no place.
func (a *app) backupOptions(r *satelliteRole, id *identity.Identity) satellite.BackupOptions {
	if r.config.BackupTo == "" {
		return satellite.BackupOptions{}
	}
	return satellite.BackupOptions{
		To: r.config.BackupTo, Every: time.Duration(r.config.BackupEvery), Keep: r.config.BackupKeep,
		Passphrase: func() ([]byte, error) { return a.readSecretFile(r.config.BackupPassphraseFile) },
		Manifest:   func() (care.Manifest, error) { return r.manifest(id, a.env.Version.Version) },
	}
}
