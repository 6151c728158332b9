package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"storj/roles/command/screen"
)

// topic is a page of help that belongs to no command.
type topic struct {
	name, usage string
	show        func(a *app, w io.Writer) error
}

func topics() []topic {
	return []topic{
		{"exit-codes", "what the exit status says", (*app).showExitCodes},
		{"environment", "variables that commands read", (*app).showEnvironment},
		{"places", "how sj://bucket/key is read", (*app).showPlaces},
	}
}

func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Usage: "explain a command or a topic", ArgsUsage: "[COMMAND... | TOPIC]", Category: categoryOther,
		UsageText: "storj help cp\nstorj help satellite key create\nstorj help exit-codes",
		Action: func(c *cli.Context) error {
			return a.help(c.Args().Slice())
		},
	}
}

func (a *app) help(words []string) error {
	if len(words) == 1 {
		for _, t := range topics() {
			if t.name == words[0] {
				return t.show(a, a.out)
			}
		}
	}
	var path []*cli.Command
	commands := a.root.Commands
	for _, word := range words {
		found := findCommand(commands, word)
		if found == nil {
			return unknownCommand(strings.Join(words, " "), commands, word)
		}
		path = append(path, found)
		commands = found.Subcommands
	}
	return a.showHelp(path)
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// showHelp prints the page of a command, or of the whole program for an empty path.
func (a *app) showHelp(path []*cli.Command) error {
	if len(path) == 0 {
		return a.showRootHelp()
	}
	c := path[len(path)-1]
	names := []string{"storj"}
	for _, p := range path {
		names = append(names, p.Name)
	}
	full := strings.Join(names, " ")
	a.printf("%s - %s\n\n", a.style.Bold(full), c.Usage)
	arguments := c.ArgsUsage
	if len(c.Subcommands) > 0 {
		arguments = "COMMAND ..."
	}
	a.printf("%s\n  %s\n", a.style.Bold("Usage"), strings.TrimSpace(full+" [flags] "+arguments))
	if c.Description != "" {
		a.printf("\n%s\n", strings.TrimSpace(c.Description))
	}
	if err := a.showCommands("Commands", c.Subcommands); err != nil {
		return err
	}
	if c.UsageText != "" {
		a.printf("\n%s\n", a.style.Bold("Examples"))
		for line := range strings.SplitSeq(c.UsageText, "\n") {
			a.printf("  %s\n", line)
		}
	}
	if err := a.showFlags("Flags", c.Flags); err != nil {
		return err
	}
	return a.showFlags("Flags of all commands", a.root.Flags)
}

func (a *app) showRootHelp() error {
	a.printf("%s - %s\n\n", a.style.Bold("storj"), a.root.Usage)
	a.printf("%s\n  storj COMMAND [flags] [arguments]\n", a.style.Bold("Usage"))
	for _, category := range categories() {
		var list []*cli.Command
		for _, c := range a.root.Commands {
			if c.Category == category {
				list = append(list, c)
			}
		}
		if err := a.showCommands(category, list); err != nil {
			return err
		}
	}
	if err := a.showFlags("Flags of all commands", a.root.Flags); err != nil {
		return err
	}
	a.printf("\n%s\n", a.style.Bold("More"))
	t := screen.NewTable(a.out)
	t.Row("  storj COMMAND --help", "flags and examples")
	for _, topic := range topics() {
		t.Row("  storj help "+topic.name, topic.usage)
	}
	return t.Flush()
}

func (a *app) showCommands(title string, commands []*cli.Command) error {
	t := screen.NewTable(a.out)
	rows := 0
	for _, c := range commands {
		if !c.Hidden {
			t.Row("  "+strings.TrimSpace(c.Name+" "+c.ArgsUsage), c.Usage)
			rows++
		}
	}
	if rows > 0 {
		a.printf("\n%s\n", a.style.Bold(title))
	}
	return t.Flush()
}

func (a *app) showFlags(title string, flags []cli.Flag) error {
	if len(flags) == 0 {
		return nil
	}
	a.printf("\n%s\n", a.style.Bold(title))
	t := screen.NewTable(a.out)
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			t.Row(flagRow(f, d))
		}
	}
	return t.Flush()
}

// valueOnly stands behind the name of a value that is not part of the sentence that explains the flag.
const valueOnly = "\x00"

// flagRow returns "--name VALUE" and what it does. The name of the value stands in backquotes in the usage.
func flagRow(f cli.Flag, d cli.DocGenerationFlag) (string, string) {
	usage, value := d.GetUsage(), ""
	if before, rest, found := strings.Cut(usage, "`"); found {
		if name, after, found := strings.Cut(rest, "`"); found {
			usage, value = before+name+after, name
			if sentence, found := strings.CutPrefix(after, valueOnly); found {
				usage = sentence
			}
		}
	}
	if value == "" && d.TakesValue() {
		value = "VALUE"
	}
	left := "  "
	for i, name := range f.Names() {
		if i > 0 {
			left += ", "
		}
		if len(name) == 1 {
			left += "-" + name
		} else {
			left += "--" + name
		}
	}
	if d.TakesValue() {
		left += " " + value
		if text := strings.Trim(d.GetDefaultText(), `"`); text != "" && text != "0" {
			usage += " [" + text + "]"
		}
	}
	return left, usage
}

func (a *app) showExitCodes(w io.Writer) error {
	t := screen.NewTable(w, "STATUS", "MEANING")
	for _, code := range exitCodes() {
		t.Row(fmt.Sprint(code.status), code.meaning)
	}
	return t.Flush()
}

func (a *app) showEnvironment(w io.Writer) error {
	t := screen.NewTable(w, "VARIABLE", "MEANING")
	for _, v := range variables() {
		t.Row(v[0], v[1])
	}
	return t.Flush()
}

// variables lists what commands read from the environment.
func variables() [][2]string {
	return [][2]string{
		{"STORJ_ACCESS", "access to use: name of a saved one, a file, or the grant itself; --access goes before it"},
		{"STORJ_API_KEY", "API key for `storj access create`"},
		{"STORJ_CONFIG_DIR", "directory of saved accesses and settings; --config-dir goes before it"},
		{"STORJ_PARALLEL, STORJ_MEMORY, ...", "settings of commands that move objects, named as their flags"},
		{"STORJ_SATELLITE_...", "settings of `storj satellite`, named as its flags"},
		{"STORJ_NODE_JOIN", "token for `storj node run`, or @FILE that holds it"},
		{"STORJ_NODE_...", "settings of `storj node`, named as its flags"},
		{"NO_COLOR", "set to anything: no colours"},
	}
}

func (a *app) showPlaces(w io.Writer) error {
	_, err := io.WriteString(w, `sj://BUCKET/KEY   an object. All behind the bucket's slash is the key, byte for byte: nothing is decoded
                  or cleaned, so quote spaces for your shell; sj://b//x has the key "/x"
sj://BUCKET/DIR/  a prefix: all objects whose keys begin with DIR/
sj://BUCKET       the whole bucket
sj://             all buckets
-                 standard input or output
anything else     a local path; a file called "-" is ./-, one called "sj:x" is ./sj:x
`)
	return err
}
