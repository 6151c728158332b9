package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/accesses"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

// defaultAccessName is what an access is called that nobody named.
const defaultAccessName = "main"

func (a *app) accessCommand() *cli.Command {
	return &cli.Command{
		Name: "access", Usage: "make, keep and choose access grants", Category: categoryAccess,
		Description: `An access grant says where the satellite is, proves the right to use a project, and holds the keys that
open what is stored. Whoever has it can do what it permits: keep it like a password.`,
		Subcommands: []*cli.Command{
			a.accessCreateCommand(), a.accessImportCommand(), a.accessExportCommand(), a.accessListCommand(),
			a.accessUseCommand(), a.accessRemoveCommand(), a.accessInspectCommand(),
			a.accessRestrictCommand(), a.accessRevokeCommand(),
		},
	}
}

func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "replace what has the same name"}
}

func useFlag() cli.Flag {
	return &cli.BoolFlag{Name: "use", Usage: "use it from now on (the first one always is)"}
}

// saveNew saves a grant and says so.
func (a *app) saveNew(c *cli.Context, store accesses.Store, name, grant string) error {
	err := store.Save(name, grant, accesses.SaveOptions{Use: c.Bool("use"), Replace: c.Bool("force")})
	if err != nil {
		return err
	}
	current, err := store.Find("")
	if err == nil && current.Name == name {
		a.tell(c, "saved access %s; it is used from now on", name)
		return nil
	}
	a.tell(c, "saved access %s; to use it: storj access use %s", name, name)
	return nil
}

func (a *app) accessImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "save a grant under a name", ArgsUsage: "NAME [FILE | - | GRANT]",
		Description: "Without a second argument the grant is asked for. As an argument it is seen by other users of the machine; a file or - is better.",
		UsageText:   "storj access import home grant.txt\nssh server cat grant.txt | storj access import home - --use",
		Flags:       []cli.Flag{useFlag(), forceFlag()},
		Action:      a.accessImport,
	}
}

func (a *app) accessImport(c *cli.Context) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	store, err := a.store(c)
	if err != nil {
		return err
	}
	if err := checkNew(store, args[0], c.Bool("force")); err != nil {
		return err
	}
	grant, err := a.givenGrant(c.Context, args[1:])
	if err != nil {
		return err
	}
	if _, err := uplink.ParseAccess(grant); err != nil {
		return err
	}
	return a.saveNew(c, store, args[0], grant)
}

// givenGrant returns the grant that an argument is, or names the file of; or the answer of a person.
func (a *app) givenGrant(ctx context.Context, args []string) (string, error) {
	if len(args) == 0 {
		grant, err := a.askSecret(ctx, "Access grant:", "a file, or - for standard input")
		return strings.TrimSpace(grant), err
	}
	if _, err := uplink.ParseAccess(args[0]); err == nil {
		return args[0], nil
	}
	if !couldBePath(args[0]) {
		return "", fmt.Errorf("%w: %s", uplink.ErrAccessInvalid, abbreviate(args[0]))
	}
	raw, err := a.readSecretFile(args[0])
	return strings.TrimSpace(string(raw)), err
}

func (a *app) accessExportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write a grant to a file or to standard output", ArgsUsage: "[NAME [FILE]]",
		Description: "Without a name the access in use. The grant is a secret: the file is readable by its owner alone.",
		UsageText:   "storj access export home grant.txt\nstorj access export home | ssh laptop storj access import home -",
		Flags:       []cli.Flag{forceFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 0, 2)
			if err != nil {
				return err
			}
			named, err := a.namedGrant(c, args)
			if err != nil {
				return err
			}
			if len(args) < 2 {
				a.printf("%s\n", named.Grant)
				return nil
			}
			return writeSecretFile(args[1], named.Grant, c.Bool("force"))
		},
	}
}

// namedGrant returns the access that the first argument says, or the one in use.
func (a *app) namedGrant(c *cli.Context, args []string) (accesses.Named, error) {
	store, err := a.store(c)
	if err != nil {
		return accesses.Named{}, err
	}
	if len(args) == 0 {
		return a.grant(c, store)
	}
	return a.findGrant(store, args[0])
}

// accessLine is what --json prints for an access.
type accessLine struct {
	Name         string     `json:"name,omitempty"`
	Current      bool       `json:"current,omitempty"`
	Satellite    string     `json:"satellite,omitempty"`
	APIKeyID     string     `json:"api_key_id,omitempty"`
	Restrictions int        `json:"restrictions"` // -1: by a later version, the rest is not known
	Everything   bool       `json:"everything"`   // opens all buckets
	Opens        []string   `json:"opens,omitempty"`
	Allows       []string   `json:"allows,omitempty"`
	NotBefore    *time.Time `json:"not_before,omitempty"`
	Expires      *time.Time `json:"expires,omitempty"`
	MaxObjectTTL string     `json:"max_object_ttl,omitempty"`
	Denies       []string   `json:"denies,omitempty"` // beside what is not in Allows
	Invalid      bool       `json:"invalid,omitempty"`
	Grant        string     `json:"grant,omitempty"` // the secret itself, where it is asked for
}

func newAccessLine(named accesses.Named) accessLine {
	line := accessLine{Name: named.Name, Current: named.Current}
	access, err := uplink.ParseAccess(named.Grant)
	if err != nil {
		line.Invalid = true
		return line
	}
	info := access.Inspect()
	line.Satellite, line.APIKeyID, line.Restrictions = info.SatelliteURL, info.APIKeyID, info.Restrictions
	line.Everything = info.AllPaths
	for _, path := range info.Paths {
		line.Opens = append(line.Opens, "sj://"+path.Bucket+"/"+path.Prefix)
	}
	p := info.Permission
	if info.Restrictions >= 0 {
		line.Allows = p.Operations()
	}
	for _, name := range deniableNames() {
		if *deniable(&p.Locks, name) {
			line.Denies = append(line.Denies, name)
		}
	}
	line.NotBefore, line.Expires = instant(p.NotBefore), instant(p.NotAfter)
	if p.MaxObjectTTL > 0 {
		line.MaxObjectTTL = p.MaxObjectTTL.String()
	}
	return line
}

// instant returns nil for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// rows adds what the access opens, and when, to a table for people.
func (l accessLine) rows(t *screen.Table) {
	t.Row("opens", l.opens())
	allows := strings.Join(l.Allows, ", ")
	if l.Restrictions < 0 {
		allows = "unknown: it was restricted by a later version"
	}
	t.Row("allows", allows)
	if len(l.Denies) > 0 {
		t.Row("denies", strings.Join(l.Denies, ", "))
	}
	if l.NotBefore != nil {
		t.Row("begins", screen.Instant(*l.NotBefore))
	}
	t.Row("expires", l.expires())
	if l.MaxObjectTTL != "" {
		t.Row("uploads", "expire within "+l.MaxObjectTTL)
	}
}

func (l accessLine) opens() string {
	switch {
	case l.Invalid:
		return "not a valid grant"
	case l.Everything:
		return "everything"
	case len(l.Opens) == 0:
		return "nothing"
	}
	return screen.Printable(strings.Join(l.Opens, ", "))
}

func (l accessLine) expires() string {
	if l.Expires == nil {
		return "never"
	}
	return screen.Instant(*l.Expires)
}

func (a *app) accessListCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Aliases: []string{"ls"}, Usage: "show the saved accesses",
		UsageText: "storj access list\nstorj access list -v",
		Flags: []cli.Flag{
			jsonOutput(),
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "with all that may be shown of them"},
		},
		Action: a.accessList,
	}
}

func (a *app) accessList(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	store, err := a.store(c)
	if err != nil {
		return err
	}
	list, err := store.List()
	if err != nil {
		return err
	}
	if c.Bool(jsonFlag) {
		for _, named := range list {
			if err := a.printJSON(newAccessLine(named)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		a.errorLine("no accesses are saved; make one with `storj access create`")
		return nil
	}
	headings := []string{"", "NAME", "SATELLITE"}
	if c.Bool("verbose") {
		headings = append(headings, "OPENS", "EXPIRES", "API KEY")
	}
	t := screen.NewTable(a.out, headings...)
	for _, named := range list {
		line := newAccessLine(named)
		mark := ""
		if line.Current {
			mark = "*"
		}
		row := []string{mark, line.Name, shortSatellite(line.Satellite)}
		if c.Bool("verbose") {
			row = []string{mark, line.Name, line.Satellite, line.opens(), line.expires(), line.APIKeyID}
		}
		t.Row(row...)
	}
	return t.Flush()
}

// shortSatellite leaves out most of the ID.
func shortSatellite(url string) string {
	const shown = 8
	id, address, found := strings.Cut(url, "@")
	if !found || len(id) <= shown {
		return url
	}
	return id[:shown] + "…@" + address
}

func (a *app) accessUseCommand() *cli.Command {
	return &cli.Command{
		Name: "use", Usage: "choose the access that commands use", ArgsUsage: "NAME",
		UsageText: "storj access use home",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			store, err := a.store(c)
			if err != nil {
				return err
			}
			return store.Use(args[0])
		},
	}
}

func (a *app) accessRemoveCommand() *cli.Command {
	return &cli.Command{
		Name: "remove", Aliases: []string{"rm"}, Usage: "forget saved accesses", ArgsUsage: "NAME...",
		Description: "Forgets the grant on this machine; it stays valid elsewhere, and what it opens stays stored.",
		UsageText:   "storj access remove home",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, -1)
			if err != nil {
				return err
			}
			store, err := a.store(c)
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := store.Remove(name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func (a *app) accessInspectCommand() *cli.Command {
	return &cli.Command{
		Name: "inspect", Usage: "show what an access opens", ArgsUsage: "[NAME | FILE | GRANT]",
		Description: "Without an argument the access in use. Nothing secret is shown, and nobody is asked.",
		UsageText:   "storj access inspect\nstorj access inspect home --json",
		Flags:       []cli.Flag{jsonOutput()},
		Action:      a.accessInspect,
	}
}

func (a *app) accessInspect(c *cli.Context) error {
	args, err := arguments(c, 0, 1)
	if err != nil {
		return err
	}
	named, err := a.namedGrant(c, args)
	if err != nil {
		return err
	}
	if _, err := uplink.ParseAccess(named.Grant); err != nil {
		return err
	}
	line := newAccessLine(named)
	if c.Bool(jsonFlag) {
		return a.printIndented(line)
	}
	t := screen.NewTable(a.out)
	if line.Name != "" {
		t.Row("name", line.Name)
	}
	t.Row("satellite", line.Satellite)
	restricted := "restricted " + screen.Plural(int64(line.Restrictions), "time")
	if line.Restrictions < 0 {
		restricted = "restricted"
	}
	t.Row("API key", line.APIKeyID+", "+restricted)
	line.rows(t)
	return t.Flush()
}
