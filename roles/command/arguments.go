package command

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// commandLine is a line as the library wants it: flags before arguments, each level's flags behind its command.
type commandLine struct {
	args []string
	path []*cli.Command // the command that was meant, from the top
	help bool           // somebody asked for help
}

// arrange sorts the words of a line. People write `storj ls sj://b -r --access home`; the library reads flags only in
// front of arguments, and global ones only in front of the command. Behind "--" everything is an argument.
//
// Errors: usage, for a flag that no command in the path has.
func arrange(root *cli.App, words []string) (commandLine, error) {
	s := sorter{commands: root.Commands, levels: [][]cli.Flag{root.Flags}, flags: make([][]string, 1)}
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case word == "--":
			s.arguments = append(s.arguments, words[i+1:]...)
			i = len(words)
		case len(word) > 1 && word[0] == '-':
			used, err := s.flag(word, words[i+1:])
			if err != nil {
				return commandLine{path: s.line.path}, err
			}
			i += used
		default:
			s.word(word)
		}
	}
	return s.finish(), nil
}

// sorter holds the words seen so far, by level of command.
type sorter struct {
	line      commandLine
	commands  []*cli.Command // that may follow
	levels    [][]cli.Flag   // flags of the root and each command of the path
	flags     [][]string     // words, by level
	arguments []string
}

func (s *sorter) word(word string) {
	if len(s.arguments) == 0 {
		for _, c := range s.commands {
			if c.HasName(word) {
				s.line.path = append(s.line.path, c)
				s.commands = c.Subcommands
				s.levels = append(s.levels, c.Flags)
				s.flags = append(s.flags, nil)
				return
			}
		}
	}
	s.arguments = append(s.arguments, word)
}

// flag places a flag at the deepest level that has it, and says how many of the following words are its value.
func (s *sorter) flag(word string, following []string) (used int, err error) {
	name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if name == "help" || name == "h" {
		s.line.help = true
		return 0, nil
	}
	if name == "version" && len(s.line.path) == 0 {
		s.word("version")
		return 0, nil
	}
	for level := len(s.levels) - 1; level >= 0; level-- {
		f := findFlag(s.levels[level], name)
		if f == nil {
			continue
		}
		s.flags[level] = append(s.flags[level], word)
		if takes, ok := f.(cli.DocGenerationFlag); !ok || !takes.TakesValue() || hasValue {
			return 0, nil
		}
		if len(following) == 0 {
			return 0, usageErrorf("flag %s wants a value", word)
		}
		s.flags[level] = append(s.flags[level], following[0])
		return 1, nil
	}
	return 0, s.unknownFlag(word, name)
}

func (s *sorter) unknownFlag(word, name string) error {
	shown := "storj"
	for _, c := range s.line.path {
		shown += " " + c.Name
	}
	if len(s.line.path) == 0 && len(s.arguments) > 0 {
		return unknownCommand(s.arguments[0], s.commands, s.arguments[0])
	}
	var known []cli.Flag
	for _, level := range s.levels {
		known = append(known, level...)
	}
	if near := cli.SuggestFlag(known, name, true); near != "" && len(name) > 1 {
		return usageErrorf("%s has no flag %s; did you mean %s?", shown, word, near)
	}
	return usageErrorf("%s has no flag %s; `%s --help` lists them", shown, word, shown)
}

func findFlag(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

// finish puts the words together again.
func (s *sorter) finish() commandLine {
	s.line.args = append(s.line.args, s.flags[0]...)
	for i, c := range s.line.path {
		s.line.args = append(s.line.args, c.Name)
		s.line.args = append(s.line.args, s.flags[i+1]...)
	}
	if len(s.arguments) > 0 {
		s.line.args = append(append(s.line.args, "--"), s.arguments...)
	}
	return s.line
}
