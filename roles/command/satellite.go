package command

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/netx/identity"
	"storj/netx/quicnet"
	"storj/roles/satellite"
	"storj/roles/satellite/admin"
	"storj/roles/satellite/overlay"
	"storj/roles/satellite/placement"
)

// The files in the directory of a satellite, beside its settings.
const (
	satelliteIdentityFile = "identity.key"
	satelliteDBFile       = "satellite.db"
	// satelliteAddressFile holds host:port at which a process on this machine reaches the running satellite.
	satelliteAddressFile = "satellite.addr"
)

func (a *app) satelliteCommand() *cli.Command {
	return &cli.Command{
		Name: "satellite", Usage: "run the satellite: who knows what is stored where", Category: categoryRoles,
		Description: "All commands find the satellite by --dir, or STORJ_SATELLITE_DIR, or in the user's data directory. Those that\nask or change something work while it runs and while it does not.",
		Subcommands: []*cli.Command{
			a.satelliteSetupCommand(), a.satelliteRunCommand(), a.satelliteInviteCommand(), a.satelliteStatusCommand(),
			a.satelliteNodesCommand(), a.satelliteProjectCommand(), a.satelliteKeyCommand(), a.satelliteConfigCommand(),
			a.satelliteCheckCommand(),
			a.satelliteHealthCommand(), a.satelliteRepairCommand(), a.satelliteRebalanceCommand(),
			a.satellitePlacementCommand(),
			a.satelliteBackupCommand(), a.satelliteRestoreCommand(), a.satelliteClockCommand(),
			a.satelliteGCCommand(), a.satelliteRestoreTrashCommand(), a.satelliteUsageCommand(),
		},
	}
}

// satelliteRole is what commands know of a satellite of this machine.
type satelliteRole struct {
	config config.Satellite
	loaded loaded
}

func (r *satelliteRole) path(name string) string { return filepath.Join(r.config.Dir, name) }

// address returns where nodes and uplinks find the satellite.
func (r *satelliteRole) address() (address string, guessed bool, err error) {
	if r.config.ExternalAddress != "" {
		return r.config.ExternalAddress, false, nil
	}
	return outsideAddress(r.config.Address)
}

func (a *app) loadSatellite(c *cli.Context) (*satelliteRole, error) {
	var r satelliteRole
	var err error
	r.loaded, err = a.loadRole(c, &r.config, &r.config.Dir, "satellite")
	return &r, err
}

func (r *satelliteRole) identity() (*identity.Identity, error) {
	id, err := identity.Load(r.path(satelliteIdentityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hintError{
			fmt.Errorf("there is no satellite in %s: %w", r.config.Dir, fs.ErrNotExist),
			"`storj satellite setup` makes one; --dir says where it is.",
		}
	}
	return id, err
}

func (a *app) satelliteSetupCommand() *cli.Command {
	return &cli.Command{
		Name: "setup", Usage: "make a new satellite, with a first project and API key",
		Description: `Makes the satellite's identity, database and settings file in --dir. The flags given are remembered in that
file. A backup of the directory is a backup of the satellite.`,
		UsageText: `storj satellite setup                                # for this machine alone
storj satellite setup --address :7777 --external-address storj.example.org:7777`,
		Flags: append([]cli.Flag{
			jsonOutput(),
			&cli.StringFlag{Name: "project", Value: "main", Usage: "`NAME` of the first project"},
		}, settingFlags(&config.Satellite{})...),
		Action: a.satelliteSetup,
	}
}

// setupLine is what setup prints with --json.
type setupLine struct {
	URL     string `json:"url"`
	Dir     string `json:"dir"`
	Project string `json:"project"`
	Key     string `json:"key"`
}

func (a *app) satelliteSetup(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	r, err := a.loadSatellite(c)
	if err != nil {
		return err
	}
	if r.loaded.exists {
		return &hintError{
			fmt.Errorf("%s: %w", r.loaded.file, fs.ErrExist),
			"The satellite is set up: start it with `storj satellite run`, or give another --dir.",
		}
	}
	if strings.HasSuffix(r.config.Address, ":0") {
		return usageErrorf("the address of a satellite needs a port: grants and nodes name it")
	}
	made, err := r.setup(c.Context, c.String("project"))
	if err != nil {
		return err
	}
	if err := config.WriteFile(r.loaded.file, r.loaded.report); err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		return a.printIndented(made)
	}
	a.showSetup(c, r, made)
	return nil
}

// setup makes identity, database, project and key. What a first attempt made, a second one goes on with.
func (r *satelliteRole) setup(ctx context.Context, project string) (*setupLine, error) {
	if err := os.MkdirAll(r.config.Dir, 0o700); err != nil {
		return nil, err
	}
	path := r.path(satelliteIdentityFile)
	id, err := identity.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		if id, err = identity.Generate(); err == nil {
			err = id.Save(path)
		}
	}
	if err != nil {
		return nil, err
	}
	made := &setupLine{Dir: r.config.Dir, Project: project}
	err = r.withDB(ctx, id, func(adm admin.Admin, url netx.NodeURL) error {
		made.URL = url.String()
		if _, err := adm.CreateProject(ctx, project); err != nil && !errors.Is(err, metainfo.ErrProjectExists) {
			return err
		}
		var err error
		made.Key, err = adm.CreateAPIKey(ctx, project, "first-"+strings.ToLower(rand.Text()[:6]))
		return err
	})
	return made, err
}

func (a *app) showSetup(c *cli.Context, r *satelliteRole, made *setupLine) {
	dir := ""
	if c.IsSet("dir") {
		dir = " --dir " + c.String("dir")
	}
	a.printf("satellite  %s\nproject    %s\nAPI key    %s\n", made.URL, made.Project, made.Key)
	a.errorLine("\nThe API key is not shown again. What next:\n")
	a.errorLine("  storj satellite run%s                 start the satellite", dir)
	a.errorLine("  storj satellite invite%s              print a token; on the machine with the disks:", dir)
	a.errorLine("  storj node run --join TOKEN --capacity 500GB")
	a.errorLine("  storj access create --satellite %s", made.URL)
	a.errorLine("                                        on the machine with your files\n")
	address, guessed, err := r.address()
	switch {
	case err != nil:
	case isLoopback(address):
		a.warn("%s is reached from this machine only; for others: --address :7777 --external-address HOST:7777", address)
	case guessed:
		a.warn("the address %s was guessed; if others reach this machine otherwise, set external-address in %s", address, r.loaded.file)
	}
}

// withDB works on the database of a satellite that does not run. Errors: kv.ErrLocked when it does.
func (r *satelliteRole) withDB(ctx context.Context, id *identity.Identity, work func(adm admin.Admin, url netx.NodeURL) error) error {
	profile, err := placement.ParseProfile(r.config.Redundancy)
	if err != nil {
		return err
	}
	address, _, err := r.address()
	if err != nil {
		return err
	}
	return r.withTables(ctx, func(db *metabase.DB) error {
		url := netx.NodeURL{ID: id.ID(), Address: address}
		return work(admin.New(admin.Options{DB: db, Satellite: url, Profile: profile}), url)
	})
}

func (a *app) satelliteRunCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "start the satellite, until it is interrupted",
		UsageText: "storj satellite run\nSTORJ_SATELLITE_LOG_LEVEL=debug storj satellite run --dir /srv/satellite",
		Flags:     settingFlags(&config.Satellite{}),
		Action:    a.satelliteRun,
	}
}

func (a *app) satelliteRun(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
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
	sat, listening, err := a.newSatellite(c.Context, r, id)
	if err != nil {
		return err
	}
	inside, err := insideAddress(listening)
	if err == nil {
		err = os.WriteFile(r.path(satelliteAddressFile), []byte(inside+"\n"), 0o600)
	}
	if err == nil {
		err = sat.Run(c.Context)
		_ = os.Remove(r.path(satelliteAddressFile)) // best effort: readers take a stale one
	}
	return errors.Join(err, sat.Close())
}

// newSatellite puts the satellite together, and returns the address of its socket.
func (a *app) newSatellite(ctx context.Context, r *satelliteRole, id *identity.Identity) (*satellite.Satellite, string, error) {
	log, err := config.NewLogger(a.env.Stderr, r.config.Log, a.env.Environ)
	if err != nil {
		return nil, "", err
	}
	profile, err := placement.ParseProfile(r.config.Redundancy)
	if err != nil {
		return nil, "", err
	}
	address, _, err := r.address()
	if err != nil {
		return nil, "", err
	}
	tags, err := overlay.ParseTagPolicy(r.config.AcceptTags)
	if err != nil {
		return nil, "", err
	}
	set := metrics.NewSet()
	transport, err := quicnet.New(id, quicnet.Options{Address: r.config.Address, Log: log, Metrics: set})
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w", r.config.Address, err)
	}
	rateLimit := r.config.RateLimit.PerSecond()
	if rateLimit == 0 {
		rateLimit = -1 // off
	}
	listening := transport.Address()
	tune := satellite.Tune{
		CheckInInterval: time.Duration(r.config.CheckInInterval), OnlineWindow: time.Duration(r.config.NodeOnlineWindow),
		AuditsPerDay: float64(r.config.AuditsPerDay), LoopInterval: time.Duration(r.config.LoopInterval),
	}
	if err := a.rehearseTune(&tune); err != nil {
		return nil, "", errors.Join(err, transport.Close())
	}
	sat, err := satellite.New(ctx, satellite.Options{
		Identity: id, Transport: transport, DBPath: r.path(satelliteDBFile), Relaxed: r.config.RelaxedSync,
		Address: address, Redundancy: profile, OpenJoin: r.config.OpenJoin, AcceptTags: tags, RateLimit: rateLimit,
		Backup:       a.backupOptions(r, id),
		DebugAddress: r.config.DebugAddress, Version: a.env.Version.Version, Log: log, Metrics: []*metrics.Set{set},
		Tune: tune,
		Repair: satellite.RepairOptions{
			Memory: int64(r.config.RepairMemory), BytesPerSecond: int64(r.config.RepairBandwidth),
			RebalanceAuto: r.config.Rebalance == "auto", RebalanceRate: cmp.Or(int64(r.config.RebalanceBandwidth), 1<<40),
		},
	})
	return sat, listening, err
}

func (a *app) satelliteConfigCommand() *cli.Command {
	return &cli.Command{
		Name: "config", Usage: "show the settings and where they are from",
		UsageText: "storj satellite config --show",
		Flags:     append([]cli.Flag{showFlag()}, settingFlags(&config.Satellite{})...),
		Action: func(c *cli.Context) error {
			r, err := a.loadSatellite(c)
			return errors.Join(a.showConfig(r.loaded), err)
		},
	}
}
