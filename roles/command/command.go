package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/screen"
)

// Main runs the command line of env and returns the exit status. ctx ends the command: what it was writing is then
// cleaned up, and the status is that of an interrupt.
func Main(ctx context.Context, env Env) int {
	a := &app{env: env, stdin: bufio.NewReader(env.Stdin)}
	a.style = screen.Style{Colour: env.colour(env.Terminal.Stdout)}
	a.errStyle = screen.Style{Colour: env.colour(env.Terminal.Stderr)}
	a.out = bufio.NewWriterSize(env.Stdout, outputBuffer)
	a.root = a.newRoot()
	err := a.run(ctx)
	if flushErr := a.out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("write output: %w", flushErr)
	}
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w (%w)", context.Canceled, err)
	}
	return a.report(err)
}

// outputBuffer keeps a listing of a million lines from being a million system calls.
const outputBuffer = 32 << 10

// app is one run of the program.
type app struct {
	env      Env
	stdin    *bufio.Reader
	out      *bufio.Writer // standard output; flushed at the end, and before anything that waits for a person
	style    screen.Style
	errStyle screen.Style
	root     *cli.App
}

func (a *app) run(ctx context.Context) error {
	args := a.env.Args
	if len(args) == 0 {
		args = []string{"storj"}
	}
	line, err := arrange(a.root, args[1:])
	if err != nil {
		return err
	}
	if line.help {
		return a.showHelp(line.path)
	}
	return a.root.RunContext(ctx, append([]string{args[0]}, line.args...))
}

// Categories of commands, in the order in which help shows them.
const (
	categoryObjects = "Objects"
	categoryBuckets = "Buckets"
	categoryAccess  = "Access"
	categoryRoles   = "Run a network"
	categoryOther   = "Other"
)

func categories() []string {
	return []string{categoryObjects, categoryBuckets, categoryAccess, categoryRoles, categoryOther}
}

// commands lists the subcommands in the order in which help shows them.
func (a *app) commands() []*cli.Command {
	return []*cli.Command{
		a.cpCommand(),
		a.syncCommand(),
		a.lsCommand(),
		a.treeCommand(),
		a.catCommand(),
		a.mvCommand(),
		a.rmCommand(),
		a.statCommand(),
		a.duCommand(),
		a.metaCommand(),
		a.tagCommand(),
		a.versionsCommand(),
		a.restoreCommand(),
		a.lockCommand(),
		a.uploadsCommand(),
		a.mbCommand(),
		a.rbCommand(),
		a.bucketCommand(),
		a.usageCommand(),
		a.accessCommand(),
		a.shareCommand(),
		a.upCommand(),
		a.demoCommand(),
		a.benchCommand(),
		a.satelliteCommand(),
		a.nodeCommand(),
		a.versionCommand(),
		a.completionCommand(),
		a.helpCommand(),
		a.completeCommand(),
		a.docsCommand(),
	}
}

func (a *app) newRoot() *cli.App {
	root := &cli.App{
		Name:        "storj",
		HelpName:    "storj",
		Usage:       "store files on your own network of disks, encrypted before they leave the machine",
		Writer:      a.out,
		ErrWriter:   a.env.Stderr,
		Reader:      a.stdin,
		Flags:       globalFlags(),
		Commands:    a.commands(),
		Action:      a.rootAction,
		HideHelp:    true,
		HideVersion: true,
		// errors are ours to report, not the library's
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              asUsageError,
		DisableSliceFlagSeparator: true,
	}
	prepare(root.Commands)
	return root
}

// prepare gives all commands what the library wants on each.
func prepare(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelp = true
		c.OnUsageError = asUsageError
		if c.Action == nil {
			c.Action = missingSubcommand
		}
		prepare(c.Subcommands)
	}
}

func asUsageError(_ *cli.Context, err error, _ bool) error { return usageError(err.Error()) }

func missingSubcommand(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return unknownCommand(c.Command.Name+" "+name, c.Command.Subcommands, name)
	}
	var names []string
	for _, sub := range c.Command.Subcommands {
		if !sub.Hidden {
			names = append(names, sub.Name)
		}
	}
	return usageErrorf("%s: say what to do: %s", c.Command.Name, strings.Join(names, ", "))
}

func (a *app) rootAction(c *cli.Context) error {
	if name := c.Args().First(); name != "" {
		return unknownCommand(name, a.root.Commands, name)
	}
	return a.showHelp(nil)
}

// unknownCommand returns the error for a name that no command has, with one that looks like it.
func unknownCommand(shown string, commands []*cli.Command, name string) error {
	err := fmt.Sprintf("there is no command %q", shown)
	if near := cli.SuggestCommand(commands, name); near != "" && len(name) > 1 {
		err += ". " + near // a whole question
	}
	return usageError(err)
}

const (
	accessFlag    = "access"
	configDirFlag = "config-dir"
	jsonFlag      = "json"
)

// globalFlags may stand anywhere in the line.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: accessFlag, Usage: "access to use: `NAME` of a saved one, a file, or the grant itself (or STORJ_ACCESS)"},
		&cli.StringFlag{Name: configDirFlag, Usage: "`DIR` of saved accesses and settings (or STORJ_CONFIG_DIR)"},
	}
}

func jsonOutput() cli.Flag {
	return &cli.BoolFlag{Name: jsonFlag, Usage: "print JSON, for scripts"}
}

// settingFlags makes flags of the settings that are named, or of all of them.
func settingFlags(role config.Role, names ...string) []cli.Flag {
	var flags []cli.Flag
	for _, s := range config.Settings(role) {
		if len(names) == 0 || slices.Contains(names, s.Name) {
			flags = append(flags, settingFlag(s))
		}
	}
	return flags
}

func settingFlag(s config.Setting) cli.Flag {
	usage := flagUsage(s.Doc)
	if s.Range != "" {
		usage += " (" + s.Range + ")"
	}
	if s.Kind == config.Bool {
		return &cli.BoolFlag{Name: s.Name, Usage: usage}
	}
	// a name of the value in front of the usage; see flagRow
	value := s.Kind.String()
	if s.Kind == config.Text || s.Kind == config.List {
		value = s.Unit
	}
	usage = "`" + strings.ToUpper(value) + "`" + valueOnly + usage
	if s.Kind == config.List {
		return &cli.StringSliceFlag{Name: s.Name, Usage: usage}
	}
	return &cli.StringFlag{Name: s.Name, Usage: usage, DefaultText: s.Default}
}

// flagUsage makes a sentence the fragment that the other flags' usages are.
func flagUsage(doc string) string {
	doc = strings.TrimSuffix(doc, ".")
	if len(doc) > 1 && doc[1] >= 'a' && doc[1] <= 'z' {
		return strings.ToLower(doc[:1]) + doc[1:]
	}
	return doc
}

// setFlags returns what of the settings was given as a flag, for config.Load.
func setFlags(c *cli.Context, role config.Role) map[string]string {
	flags := make(map[string]string)
	for _, s := range config.Settings(role) {
		switch {
		case !c.IsSet(s.Name):
		case s.Kind == config.Bool:
			flags[s.Name] = fmt.Sprint(c.Bool(s.Name))
		case s.Kind == config.List:
			flags[s.Name] = strings.Join(c.StringSlice(s.Name), ",")
		default:
			flags[s.Name] = c.String(s.Name)
		}
	}
	setDirs(flags, c.StringSlice("dir"))
	return flags
}

// setDirs takes the directories of a repeatable --dir: the first is the node's own, and with more than one each is a
// disk of the capacity given.
func setDirs(flags map[string]string, dirs []string) {
	if len(dirs) == 0 {
		return
	}
	flags["dir"] = dirs[0]
	if len(dirs) == 1 {
		return
	}
	disks := make([]string, len(dirs))
	for i, dir := range dirs {
		if i == 0 {
			dir = filepath.Join(dir, "pieces")
		}
		if absolute, err := filepath.Abs(dir); err == nil { // else it stays as it is, good for this start
			dir = absolute
		}
		disks[i] = dir + "=" + flags["capacity"]
	}
	flags["disks"] = strings.Join(disks, ",")
	delete(flags, "capacity")
}

// errorLine writes a line to standard error; best effort, there is nowhere to report that it cannot.
func (a *app) errorLine(format string, args ...any) {
	_, _ = fmt.Fprintf(a.env.Stderr, format+"\n", args...)
}

// warn tells a person of what does not stop the command.
func (a *app) warn(format string, args ...any) {
	a.errorLine("%s %s", a.errStyle.Yellow("warning:"), fmt.Sprintf(format, args...))
}

// readAllLimited reads a short secret or document. Errors: over the limit.
func readAllLimited(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(raw)) > limit {
		return nil, usageErrorf("more than %d bytes on standard input", limit)
	}
	return raw, err
}
