package command

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"
)

// printf writes to standard output. Errors come when it is flushed.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(a.out, format, args...)
}

// tell writes a line of what was done for people; with --json the result says it.
func (a *app) tell(c *cli.Context, format string, args ...any) {
	if !c.Bool(jsonFlag) {
		a.printf(format+"\n", args...)
	}
}

// printJSON writes a value as one line.
func (a *app) printJSON(value any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

// printIndented writes a value for scripts and people alike.
func (a *app) printIndented(value any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// arguments checks how many arguments there are; most < 0 is any number.
func arguments(c *cli.Context, least, most int) ([]string, error) {
	args := c.Args().Slice()
	name := c.Command.HelpName
	switch {
	case len(args) < least && c.Command.ArgsUsage != "":
		return nil, usageErrorf("%s wants %s; see `%s --help`", name, c.Command.ArgsUsage, name)
	case most >= 0 && len(args) > most && most == 0:
		return nil, usageErrorf("%s takes no arguments, was given %q", name, args[0])
	case most >= 0 && len(args) > most:
		return nil, usageErrorf("%s takes at most %d arguments, was given %d", name, most, len(args))
	}
	return args, nil
}

func (a *app) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show which build this is", Category: categoryOther,
		UsageText: "storj version\nstorj version --json",
		Flags:     []cli.Flag{jsonOutput()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			v := a.env.Version
			if c.Bool(jsonFlag) {
				return a.printIndented(v)
			}
			a.printf("storj %s\n", v.Version)
			if v.Commit != "" {
				a.printf("commit %s %s\n", v.Commit, v.Date)
			}
			a.printf("%s %s\n", v.Go, v.System)
			return nil
		},
	}
}
