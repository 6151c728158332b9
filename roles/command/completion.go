package command

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/uplink"
)

func (a *app) completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print a script that completes commands, flags and names", ArgsUsage: "bash|zsh|fish",
		Category: categoryOther,
		UsageText: `source <(storj completion bash)                                     # in ~/.bashrc
source <(storj completion zsh)                                      # in ~/.zshrc, after compinit
storj completion fish > ~/.config/fish/completions/storj.fish`,
		Action: func(c *cli.Context) error {
			args, err := arguments(c, 1, 1)
			if err != nil {
				return err
			}
			script, ok := completionScripts()[args[0]]
			if !ok {
				return usageErrorf("there is completion for bash, zsh and fish, not for %q", args[0])
			}
			a.printf("%s", script)
			return nil
		},
	}
}

// completionScripts returns the scripts by shell. Each asks `storj __complete`, with the words before the cursor, for one
// candidate a line; none means files.
func completionScripts() map[string]string {
	return map[string]string{
		"bash": `_storj() {
  # not COMP_WORDS: it is cut at colons
  local line="${COMP_LINE:0:$COMP_POINT}" words cur cut i
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  cur="${words[${#words[@]}-1]}"
  local IFS=$'\n'
  COMPREPLY=($(storj __complete -- "${words[@]:1}" 2>/dev/null))
  if [[ "$cur" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
    cut="${cur%"${cur##*:}"}" # what readline takes for a word of its own
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]="${COMPREPLY[i]#"$cut"}"; done
  fi
  [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" == */ ]] && compopt -o nospace
}
complete -o default -F _storj storj
`,
		"zsh": `#compdef storj
_storj() {
  local -a found
  found=("${(@f)$(storj __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -z "$found[1]" ]]; then
    _files
  elif [[ ${#found} == 1 && "$found[1]" == */ ]]; then
    compadd -U -S '' -- "${found[@]}"
  else
    compadd -U -- "${found[@]}"
  fi
}
compdef _storj storj
`,
		"fish": `function __storj_complete
  set -l words (commandline -opc) (commandline -ct)
  storj __complete -- $words[2..-1] 2>/dev/null
end
complete -c storj -a '(__storj_complete)'
`,
	}
}

// completionPatience bounds how long a person waits for names from the satellite.
const completionPatience = 2 * time.Second

// mostCandidates keeps a large bucket from flooding the shell.
const mostCandidates = 500

func (a *app) completeCommand() *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true,
		Action: func(c *cli.Context) error {
			words := c.Args().Slice()
			if len(words) == 0 {
				words = []string{""}
			}
			for _, candidate := range a.candidates(c, words[:len(words)-1], words[len(words)-1]) {
				a.printf("%s\n", candidate)
			}
			return nil
		},
	}
}

// candidates returns what the word last, behind the others, may be completed to.
func (a *app) candidates(c *cli.Context, before []string, last string) []string {
	s := sorter{commands: a.root.Commands, levels: [][]cli.Flag{a.root.Flags}, flags: make([][]string, 1)}
	wantsValue := ""
	for _, word := range before {
		switch {
		case wantsValue != "":
			wantsValue = ""
		case len(word) > 1 && word[0] == '-':
			wantsValue = s.valueFlag(word)
		default:
			s.word(word)
		}
	}
	switch {
	case wantsValue == accessFlag:
		return matching(a.accessNames(c), last)
	case wantsValue != "":
		return nil
	case strings.HasPrefix(last, "-"):
		return matching(s.flagNames(), last)
	case len(s.commands) > 0 && len(s.arguments) == 0:
		return matching(commandNames(s.commands), last)
	case len(s.line.path) == 0:
		return nil
	}
	return a.argumentCandidates(c, s.line.path, last)
}

// valueFlag returns the name of the flag if the next word is its value, else "".
func (s *sorter) valueFlag(word string) string {
	name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	for _, level := range s.levels {
		if f, ok := findFlag(level, name).(cli.DocGenerationFlag); ok && f.TakesValue() && !hasValue {
			return name
		}
	}
	return ""
}

func (s *sorter) flagNames() []string {
	names := []string{"--help"}
	for _, level := range s.levels {
		for _, f := range level {
			names = append(names, "--"+f.Names()[0])
		}
	}
	return names
}

func commandNames(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}

func matching(names []string, prefix string) []string {
	found := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, prefix) })
	slices.Sort(found)
	return found
}

// argumentCandidates completes the arguments of a command that has no further subcommands.
func (a *app) argumentCandidates(c *cli.Context, path []*cli.Command, last string) []string {
	command := path[len(path)-1]
	switch {
	case command.Name == "completion":
		return matching([]string{"bash", "zsh", "fish"}, last)
	case command.Name == "help":
		names := commandNames(a.root.Commands)
		for _, t := range topics() {
			names = append(names, t.name)
		}
		return matching(names, last)
	case path[0].Name == "access":
		return matching(a.accessNames(c), last)
	case !strings.Contains(command.ArgsUsage, location.Scheme) && !strings.Contains(command.ArgsUsage, "SOURCE"):
		return nil
	case strings.HasPrefix(last, location.Scheme):
		return a.remoteCandidates(c, last)
	case last != "" && strings.HasPrefix(location.Scheme, last):
		return []string{location.Scheme}
	}
	return nil
}

func (a *app) accessNames(c *cli.Context) []string {
	store, err := a.store(c)
	if err != nil {
		return nil
	}
	list, err := store.List()
	if err != nil {
		return nil
	}
	var names []string
	for _, named := range list {
		names = append(names, named.Name)
	}
	return names
}

// remoteCandidates asks the satellite. Whatever goes wrong, there are no candidates.
func (a *app) remoteCandidates(c *cli.Context, last string) []string {
	place, err := location.ParseRemote(last)
	if err != nil {
		return nil
	}
	var found []string
	_ = a.withProject(c, func(ctx context.Context, p *uplink.Project) error { // best effort: completion is silent
		ctx, cancel := context.WithTimeout(ctx, completionPatience)
		defer cancel()
		if !strings.Contains(last[len(location.Scheme):], "/") {
			it := p.ListBuckets(ctx, nil)
			for it.Next() && len(found) < mostCandidates {
				found = append(found, location.Scheme+it.Item().Name+"/")
			}
			return it.Err()
		}
		it := p.List(ctx, place.Bucket, &uplink.ListOptions{Prefix: place.Key})
		for it.Next() && len(found) < mostCandidates {
			found = append(found, location.Location{Remote: true, Bucket: place.Bucket, Key: it.Item().Key}.String())
		}
		return it.Err()
	})
	found = slices.DeleteFunc(found, func(name string) bool { return strings.ContainsAny(name, "\r\n") })
	return matching(found, last)
}
