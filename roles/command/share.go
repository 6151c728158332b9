package command

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/accesses"
	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

func (a *app) accessRestrictCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringSliceFlag{Name: "prefix", Usage: "`sj://BUCKET/PREFIX` that it opens; may be repeated (default: all that the access opens)"},
	}
	return &cli.Command{
		Name: "restrict", Usage: "make an access that may do less, for others or for a machine",
		Description: `Makes it from the access in use, or the one of --access, on this machine: nobody is asked but, for a prefix
within a bucket, whether the names in that bucket are encrypted. A prefix that ends in / is a folder; another is one
object, and what lies under its name and /. The new access is printed, unless it is saved.`,
		UsageText: `storj access restrict --prefix sj://photos/2026/ --not-after +24h
storj access restrict --prefix sj://backup --readonly=false --disallow-deletes --export-to server.txt
storj access restrict --prefix sj://inbox/ --writeonly --max-object-ttl 30d --import-as inbox`,
		Flags: append(flags, permissionFlags()...),
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			return a.share(c, c.StringSlice("prefix"))
		},
	}
}

func (a *app) shareCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "everything", Usage: "share all that the access opens, when no place is given"},
	}
	return &cli.Command{
		Name: "share", Usage: "make an access to some places, for others", ArgsUsage: "sj://BUCKET/PREFIX...", Category: categoryAccess,
		Description: `Prints an access grant that opens these places and nothing beside them, by default to read and list. Whoever has
it can use it with --access, or save it with storj access import. Keep it, or save it with --import-as: it is
ended with storj access revoke. What was downloaded until then stays downloaded.

A prefix that ends in / is a folder; another is one object, and what lies under its name and /.`,
		UsageText: `storj share sj://photos/2026/ --not-after +24h > grant.txt
storj share sj://music sj://films/old/ --import-as for-ana`,
		Flags: append(flags, permissionFlags()...),
		Action: func(c *cli.Context) error {
			places, err := arguments(c, 0, -1)
			if err != nil {
				return err
			}
			switch everything := c.Bool("everything"); {
			case len(places) == 0 && !everything:
				return usageError("say what to share: storj share sj://BUCKET/PREFIX (or --everything)")
			case len(places) > 0 && everything:
				return usageError("--everything and places exclude each other")
			}
			return a.share(c, places)
		},
	}
}

func permissionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "readonly", Usage: "permit to download and list alone: the default; --readonly=false permits all", Value: true},
		&cli.BoolFlag{Name: "writeonly", Usage: "permit to upload and delete alone"},
		&cli.BoolFlag{Name: "disallow-reads", Usage: "do not permit to download"},
		&cli.BoolFlag{Name: "disallow-writes", Usage: "do not permit to upload"},
		&cli.BoolFlag{Name: "disallow-lists", Usage: "do not permit to list"},
		&cli.BoolFlag{Name: "disallow-deletes", Usage: "do not permit to delete or replace"},
		&cli.StringSliceFlag{Name: "disallow", Usage: "do not permit `ACTION` (repeatable): " + strings.Join(deniableNames(), ", ")},
		&cli.StringFlag{Name: "not-before", Usage: "valid from `TIME` on: +2h, now, 2027-01-31, 2027-01-31T12:00:00Z, or none", DefaultText: "none"},
		&cli.StringFlag{Name: "not-after", Usage: "valid until `TIME`, in the same forms", DefaultText: "none"},
		&cli.StringFlag{Name: "max-object-ttl", Usage: "what is uploaded expires within `DURATION`, such as 30d", DefaultText: "none"},
		&cli.BoolFlag{Name: "qr", Usage: "draw it as a QR code too, on standard error"},
		&cli.BoolFlag{Name: "url", Usage: "make a link for browsers: not in this version"},
		&cli.StringFlag{Name: "import-as", Usage: "save it as `NAME` instead of printing it"},
		&cli.StringFlag{Name: "export-to", Usage: "write it to `FILE` instead of printing it"},
		useFlag(), forceFlag(), jsonOutput(),
	}
}

// deniableNames are the actions around object lock and settings that can be denied one by one.
func deniableNames() []string {
	return []string{
		"locks", "put-retention", "get-retention", "put-legal-hold", "get-legal-hold", "bypass-governance",
		"put-bucket-lock", "get-bucket-lock", "notifications",
	}
}

// deniable returns where the denial of an action stands, or nil.
func deniable(l *uplink.LockPermission, name string) *bool {
	switch name {
	case "locks":
		return &l.DenyAll
	case "put-retention":
		return &l.DenySetRetention
	case "get-retention":
		return &l.DenyGetRetention
	case "put-legal-hold":
		return &l.DenySetLegalHold
	case "get-legal-hold":
		return &l.DenyGetLegalHold
	case "bypass-governance":
		return &l.DenyBypassGovernance
	case "put-bucket-lock":
		return &l.DenySetBucketLock
	case "get-bucket-lock":
		return &l.DenyGetBucketLock
	case "notifications":
		return &l.DenyNotifications
	}
	return nil
}

// permissionOf reads the permission flags.
func permissionOf(c *cli.Context, now time.Time) (uplink.Permission, error) {
	p := uplink.FullPermission()
	switch {
	case c.Bool("writeonly") && c.IsSet("readonly") && c.Bool("readonly"):
		return p, usageError("--readonly and --writeonly exclude each other")
	case c.Bool("writeonly"):
		p = uplink.WriteOnlyPermission()
	case c.Bool("readonly"):
		p = uplink.ReadOnlyPermission()
	}
	p.AllowDownload = p.AllowDownload && !c.Bool("disallow-reads")
	p.AllowUpload = p.AllowUpload && !c.Bool("disallow-writes")
	p.AllowList = p.AllowList && !c.Bool("disallow-lists")
	p.AllowDelete = p.AllowDelete && !c.Bool("disallow-deletes")
	if p == (uplink.Permission{}) {
		return p, usageError("nothing would be permitted")
	}
	for _, name := range c.StringSlice("disallow") {
		denied := deniable(&p.Locks, name)
		if denied == nil {
			return p, usageErrorf("--disallow: there is no action %q; there are %s", name, strings.Join(deniableNames(), ", "))
		}
		*denied = true
	}
	var err error
	if p.NotBefore, err = parseStart(c.String("not-before"), now); err != nil {
		return p, err
	}
	if p.NotAfter, err = parseExpiry(c.String("not-after"), now); err != nil {
		return p, err
	}
	if p.MaxObjectTTL, err = parseTTL(c.String("max-object-ttl")); err != nil {
		return p, err
	}
	if !p.NotAfter.IsZero() && p.NotAfter.Before(p.NotBefore) {
		return p, usageError("--not-after is before --not-before")
	}
	return p, nil
}

// parseTTL reads how long objects may live. Empty, and "none", is no bound.
func parseTTL(text string) (time.Duration, error) {
	if text == "" || text == "none" {
		return 0, nil
	}
	ttl, err := config.ParseDuration(strings.TrimPrefix(text, "+"))
	if err != nil || ttl <= 0 {
		return 0, usageErrorf("%q is not a length of time: write 12h or 30d", text)
	}
	return time.Duration(ttl), nil
}

func sharePrefixes(places []string) ([]uplink.SharePrefix, error) {
	prefixes := make([]uplink.SharePrefix, len(places))
	for i, place := range places {
		l, err := location.ParseRemote(place)
		if err != nil {
			return nil, err
		}
		if l.Bucket == "" {
			return nil, usageErrorf("%s names no bucket", place)
		}
		prefixes[i] = uplink.SharePrefix{Bucket: l.Bucket, Prefix: l.Key}
	}
	return prefixes, nil
}

// share makes an access from the flags and puts it where they say; what it opens is told on standard error.
func (a *app) share(c *cli.Context, places []string) error {
	if c.Bool("url") {
		return &hintError{
			usageError("--url: links for browsers need a service that this version of storj does not have"),
			"Share the grant itself: with --export-to FILE, or with --qr for a telephone.",
		}
	}
	permission, err := permissionOf(c, time.Now())
	if err != nil {
		return err
	}
	prefixes, err := sharePrefixes(places)
	if err != nil {
		return err
	}
	store, err := a.store(c)
	if err != nil {
		return err
	}
	name, file := c.String("import-as"), c.String("export-to")
	if err := checkNew(store, name, c.Bool("force")); err != nil {
		return err
	}
	var shared *uplink.Access
	err = a.withProject(c, func(ctx context.Context, p *uplink.Project) (err error) {
		shared, err = p.Share(ctx, permission, prefixes...)
		return err
	})
	if err != nil {
		return err
	}
	grant, err := shared.Serialize()
	if err != nil {
		return err
	}
	if file != "" {
		if err := writeSecretFile(file, grant, c.Bool("force")); err != nil {
			return err
		}
		a.tell(c, "wrote the grant to %s", file)
	}
	if name != "" {
		if err := a.saveNew(c, store, name, grant); err != nil {
			return err
		}
	}
	switch {
	case c.Bool(jsonFlag):
		line := newAccessLine(accesses.Named{Name: name, Grant: grant})
		if file == "" && name == "" {
			line.Grant = grant
		}
		return a.printIndented(line)
	case file == "" && name == "":
		a.printf("%s\n", grant)
	}
	if c.Bool("qr") {
		if err := a.drawQR(grant); err != nil {
			return err
		}
	}
	return a.summarise(accesses.Named{Grant: grant})
}

// drawQR draws a text beside standard output.
func (a *app) drawQR(text string) error {
	drawing, width, err := screen.QR(text, a.errStyle)
	if err != nil {
		return err
	}
	if err := a.out.Flush(); err != nil {
		return err
	}
	a.errorLine("%s", drawing)
	if shown := a.env.Terminal.Width; a.env.Terminal.Stderr && shown != nil && shown() < width {
		a.warn("the QR code is %d columns wide, the terminal %d: make it wider or its letters smaller", width, shown())
	}
	return nil
}

// summarise tells a person what a new grant opens, beside standard output.
func (a *app) summarise(named accesses.Named) error {
	line := newAccessLine(named)
	t := screen.NewTable(a.env.Stderr)
	line.rows(t)
	t.Row("to end it", "storj access revoke, with this grant or the name that it is saved under")
	return t.Flush()
}

func (a *app) accessRevokeCommand() *cli.Command {
	return &cli.Command{
		Name: "revoke", Usage: "end an access that was made from the one in use", ArgsUsage: "NAME | FILE | GRANT",
		Description: `The satellite refuses it from now on, and all that were made from it. Only an access that it was made from can do
so: the one in use, or that of --access. What was downloaded with it stays where it is. As an argument, a grant is seen
by other users of the machine; a file is better.`,
		UsageText: "storj access revoke grant.txt\nstorj access revoke for-ana --access home",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			named, err := a.namedGrant(c, args)
			if err != nil {
				return err
			}
			access, err := uplink.ParseAccess(named.Grant)
			if err != nil {
				return err
			}
			err = a.withProject(c, func(ctx context.Context, p *uplink.Project) error { return p.RevokeAccess(ctx, access) })
			if err != nil {
				return err
			}
			a.printf("revoked %s\n", revokedName(named, args[0]))
			return nil
		},
	}
}

// revokedName never shows a grant.
func revokedName(named accesses.Named, given string) string {
	switch {
	case named.Name != "":
		return "access " + named.Name
	case given == named.Grant:
		return "the grant"
	}
	return fmt.Sprintf("the grant in %s", screen.Printable(given))
}
