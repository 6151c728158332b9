package command

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// docsCommand prints the manual of the command line, which is kept as docs/cli.md.
func (a *app) docsCommand() *cli.Command {
	return &cli.Command{
		Name: "docs", Usage: "print the manual of all commands", Hidden: true,
		Action: func(c *cli.Context) error {
			if _, err := arguments(c, 0, 0); err != nil {
				return err
			}
			text, err := a.manual()
			if err != nil {
				return err
			}
			a.printf("%s", text)
			return nil
		},
	}
}

// manual writes the manual, in Markdown, from the commands themselves.
func (a *app) manual() (string, error) {
	m := &manual{}
	m.line("# Commands of storj")
	m.line("")
	m.line("This page is made from the program: `storj help` and `storj COMMAND --help` say the same. To renew it after a")
	m.line("change: `go test ./roles/command -run TestManual -update`.")
	m.line("")
	for _, category := range categories() {
		m.line("**%s**", category)
		m.line("")
		for _, c := range a.root.Commands {
			if c.Category == category && !c.Hidden {
				m.line("- [storj %s](#%s) — %s", c.Name, anchor("storj "+c.Name), m.text(c.Usage))
			}
		}
		m.line("")
	}
	m.line("[Topics](#topics): [exit statuses](#exit-codes), [variables](#environment), [places](#places).")
	m.line("")
	m.line("Flags may stand anywhere in the line. These are of all commands:")
	m.line("")
	m.flags(a.root.Flags)
	for _, category := range categories() {
		for _, c := range a.root.Commands {
			if c.Category == category && !c.Hidden {
				m.command([]string{"storj"}, c)
			}
		}
	}
	m.line("## Topics")
	for _, topic := range topics() {
		var page bytes.Buffer
		if err := topic.show(a, &page); err != nil {
			return "", err
		}
		m.line("")
		m.line("### %s", topic.name)
		m.line("")
		m.line("%s.", upperFirst(topic.usage))
		m.line("")
		m.code(page.String())
	}
	return m.out.String(), nil
}

// manual is a page of Markdown that is being written.
type manual struct {
	out strings.Builder
}

func (m *manual) line(format string, args ...any) { fmt.Fprintf(&m.out, format+"\n", args...) }

// text keeps what is no markup from being read as such.
func (m *manual) text(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", `\*`, "|", `\|`, "_", `\_`).Replace(text)
}

func (m *manual) code(text string) {
	m.line("```")
	_, _ = io.WriteString(&m.out, strings.TrimRight(text, "\n")+"\n") // never fails
	m.line("```")
}

// command writes what is known of a command and of those below it.
func (m *manual) command(above []string, c *cli.Command) {
	path := append(above[:len(above):len(above)], c.Name)
	full := strings.Join(path, " ")
	m.line("%s %s", strings.Repeat("#", len(path)), full)
	m.line("")
	m.line("%s.", upperFirst(m.text(c.Usage)))
	m.line("")
	if len(c.Subcommands) == 0 {
		m.code(strings.TrimSpace(full + " [flags] " + c.ArgsUsage))
		m.line("")
	}
	if c.Description != "" {
		for paragraph := range strings.SplitSeq(strings.TrimSpace(c.Description), "\n\n") {
			m.line("%s", m.text(paragraph))
			m.line("")
		}
	}
	if c.UsageText != "" {
		m.line("Examples:")
		m.line("")
		m.code(c.UsageText)
		m.line("")
	}
	m.flags(c.Flags)
	for _, sub := range c.Subcommands {
		if !sub.Hidden {
			m.command(path, sub)
		}
	}
}

func (m *manual) flags(flags []cli.Flag) {
	rows := 0
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		if v, isVisible := f.(cli.VisibleFlag); !ok || isVisible && !v.IsVisible() {
			continue
		}
		if rows == 0 {
			m.line("| Flag | |")
			m.line("|---|---|")
		}
		rows++
		left, right := flagRow(f, d)
		m.line("| `%s` | %s |", strings.TrimSpace(left), m.text(right))
	}
	if rows > 0 {
		m.line("")
	}
}

// anchor returns the name that renderers of Markdown give to a heading.
func anchor(heading string) string { return strings.ReplaceAll(strings.ToLower(heading), " ", "-") }

func upperFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
