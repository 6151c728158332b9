package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/roles/command/accesses"
	"storj/roles/command/words"
	"storj/roles/uplink"
)

func (a *app) accessCreateCommand() *cli.Command {
	return &cli.Command{
		Name: "create", Usage: "make an access from a satellite's address, an API key and a passphrase",
		Description: `Asks for what is not given. The passphrase never leaves this machine; another passphrase makes another
access, which does not open what was stored with the first: whether it is the right one for what is stored is
looked at, and said. Neither it nor the API key can be given as a flag, since other users of the machine can
see those, and shells keep them.

A passphrase that is made here is twelve words; typed again, small mistakes in them are noticed. A recovery sheet has
all that it takes, to be printed and put away.`,
		UsageText: `storj access create
storj access create --recovery-sheet sheet.txt
storj access create --satellite 1abc...@203.0.113.7:7777 --api-key-file key.txt --passphrase-file pass.txt --name home
STORJ_API_KEY=... storj access create --satellite ... --generate-passphrase --export-to grant.txt`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "satellite", Usage: "`ID@HOST:PORT` of the satellite"},
			&cli.StringFlag{Name: "api-key-file", Usage: "`FILE` with the API key, - for standard input (or STORJ_API_KEY)"},
			&cli.StringFlag{Name: "passphrase-file", Usage: "`FILE` with the passphrase, - for standard input"},
			&cli.BoolFlag{Name: "generate-passphrase", Usage: "make a passphrase and show it once"},
			&cli.StringFlag{Name: "recovery-sheet", Usage: "write the passphrase and where it belongs to `FILE`, to be printed; - is standard output"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` to save it under", DefaultText: defaultAccessName},
			useFlag(), forceFlag(),
			&cli.StringFlag{Name: "export-to", Usage: "write the grant to `FILE`; it is saved only if --name is given too"},
		},
		Action: a.accessCreate,
	}
}

func (a *app) accessCreate(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	name := c.String("name")
	if name == "" && c.String("export-to") == "" {
		name = defaultAccessName
	}
	store, err := a.store(c)
	if err != nil {
		return err
	}
	if err := checkNew(store, name, c.Bool("force")); err != nil {
		return err
	}
	if a.env.Terminal.Stdin && c.NumFlags() == 0 {
		a.errorLine("An access needs three things: where the satellite is and an API key, both from whoever runs it,\n"+
			"and a passphrase that is yours alone. It will be saved as %q.\n", name)
	}
	made, err := a.requestAccess(c)
	if err != nil {
		return err
	}
	if err := a.offerSheet(c.Context, c.String("recovery-sheet"), made, c.Bool("force")); err != nil {
		return err
	}
	grant, err := made.access.Serialize()
	if err != nil {
		return err
	}
	if file := c.String("export-to"); file != "" {
		if err := writeSecretFile(file, grant, c.Bool("force")); err != nil {
			return err
		}
		a.printf("wrote the grant to %s\n", file)
	}
	if name == "" {
		return nil
	}
	return a.saveNew(c, store, name, grant)
}

// checkNew says whether a name may be saved, before a person is asked for anything. The empty name is not saved.
func checkNew(store accesses.Store, name string, force bool) error {
	if name == "" {
		return nil
	}
	if err := accesses.CheckName(name); err != nil {
		return err
	}
	if _, err := store.Find(name); err == nil && !force {
		return fmt.Errorf("%w: %s", accesses.ErrExists, name)
	}
	return nil
}

// madeAccess is a new access and what it was made of.
type madeAccess struct {
	access     *uplink.Access
	passphrase []byte
	asked      bool // a person at a terminal chose the passphrase, or was shown it
}

// requestAccess gathers what makes an access, and asks the satellite for the rest.
func (a *app) requestAccess(c *cli.Context) (made madeAccess, err error) {
	ctx := c.Context
	if c.String("api-key-file") == "-" && c.String("passphrase-file") == "-" {
		return made, usageError("only one of API key and passphrase can come from standard input")
	}
	satellite := c.String("satellite")
	if satellite == "" {
		if satellite, err = a.ask(ctx, "Satellite (ID@host:port):", "--satellite ID@HOST:PORT"); err != nil {
			return made, err
		}
	}
	key, err := a.apiKey(ctx, c.String("api-key-file"))
	if err != nil {
		return made, err
	}
	if made.passphrase, err = a.passphrase(c); err != nil {
		return made, err
	}
	made.asked = a.env.Terminal.Stdin && c.String("passphrase-file") == ""
	client, err := a.client(c)
	if err != nil {
		return made, err
	}
	config := a.uplinkConfig(client)
	if made.access, err = uplink.RequestAccess(ctx, config, satellite, key, made.passphrase); err != nil {
		return made, err
	}
	return made, a.checkPassphrase(ctx, config, made.access)
}

func (a *app) apiKey(ctx context.Context, file string) (string, error) {
	if file != "" {
		raw, err := a.readSecretFile(file)
		return strings.TrimSpace(string(raw)), err
	}
	if key := strings.TrimSpace(a.env.getenv("STORJ_API_KEY")); key != "" {
		return key, nil
	}
	key, err := a.askSecret(ctx, "API key:", "--api-key-file FILE, or STORJ_API_KEY in the environment")
	return strings.TrimSpace(key), err
}

func (a *app) passphrase(c *cli.Context) ([]byte, error) {
	file, generate := c.String("passphrase-file"), c.Bool("generate-passphrase")
	switch {
	case file != "" && generate:
		return nil, usageError("--passphrase-file and --generate-passphrase exclude each other")
	case file != "":
		raw, err := a.readSecretFile(file)
		if err != nil {
			return nil, err
		}
		phrase, kind := words.Read(string(raw))
		if kind == words.Mistyped {
			a.warn("the passphrase in %s looks like twelve words of this program, but is none: is one mistyped?", file)
		}
		return []byte(phrase), nil
	case generate:
		return a.generatePassphrase(), nil
	}
	return a.newPassphrase(c.Context)
}
