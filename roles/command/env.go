package command

import (
	"context"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/term"

	"storj/roles/uplink"
)

// Env is all that a command knows of the process that it runs in.
type Env struct {
	Args    []string // with the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string // NAME=value, as of os.Environ; the last entry of a name counts
	Version Version

	// Terminal says which of the streams are a person's. The zero value is none: no prompts, colour or progress.
	Terminal Terminal
	// Transport, when set, carries the connections of access commands, and those of `satellite health` and its like, for which
	// it must be the satellite's; nil: QUIC.
	Transport uplink.Transport
	// Executable is the path of the program itself, for commands that start others of it; empty: os.Executable.
	Executable string
}

// Terminal says what of the process is a terminal.
type Terminal struct {
	Stdin, Stdout, Stderr bool
	// ReadSecret reads a line without showing it, and shows typed text again when ctx ends; nil: as other lines are read.
	ReadSecret func(ctx context.Context) ([]byte, error)
	// Width returns the columns of the terminal at Stderr; nil or a result under 1: 80.
	Width func() int
}

// Version says which build this is.
type Version struct {
	Version string `json:"version"` // "dev" when not stamped
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"` // of the commit
	Go      string `json:"go"`
	System  string `json:"system"` // os/architecture
}

// BuildVersion completes a version with what the linker left in the binary.
func BuildVersion(version string) Version {
	v := Version{Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Date = s.Value
		case "vcs.modified":
			if s.Value == "true" && v.Commit != "" {
				v.Commit += "+changes"
			}
		}
	}
	return v
}

// ProcessEnv is the environment of this process.
func ProcessEnv(version Version) Env {
	return Env{
		Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Version: version,
		Terminal: Terminal{
			Stdin:      isTerminal(os.Stdin),
			Stdout:     isTerminal(os.Stdout),
			Stderr:     isTerminal(os.Stderr),
			ReadSecret: readSecret,
			Width:      terminalWidth,
		},
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// readSecret reads a line that the terminal does not show. A person who gives up in the middle gets the terminal back as
// it was.
func readSecret(ctx context.Context) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	if state, err := term.GetState(fd); err == nil {
		defer context.AfterFunc(ctx, func() { _ = term.Restore(fd, state) })() // best effort: the process ends
	}
	return term.ReadPassword(fd)
}

func terminalWidth() int {
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// getenv returns a variable, or "".
func (e *Env) getenv(name string) string {
	for _, entry := range slices.Backward(e.Environ) {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// colour says whether a stream that is a terminal, or not, gets colours. Source: no-color.org.
func (e *Env) colour(terminal bool) bool {
	return terminal && e.getenv("NO_COLOR") == "" && e.getenv("TERM") != "dumb"
}
