package config

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// Log says what is logged and how.
type Log struct {
	Level  string // trace, debug, info, warn, error
	Format string // auto, console, json
}

func (l *Log) settings(level string) []Setting {
	return []Setting{
		oneOf(text("log-level", &l.Level, level, "level",
			"Least important level that is logged."), &l.Level, "trace", "debug", "info", "warn", "error"),
		oneOf(text("log-format", &l.Format, "auto", "format",
			"Lines for people (console), for machines (json), or by whether a terminal reads them (auto)."),
			&l.Format, "auto", "console", "json"),
	}
}

// NewLogger returns a logger to w. Console lines are coloured when w is a terminal, unless NO_COLOR (no-color.org) or
// TERM=dumb is in environ. Errors: ErrValue for a level that is none.
func NewLogger(w io.Writer, l Log, environ []string) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil || l.Level == "" {
		return zerolog.Nop(), fmt.Errorf("%w: log level %q", ErrValue, l.Level)
	}
	terminal := isTerminal(w)
	if l.Format == "console" || l.Format != "json" && terminal {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !terminal || plain(environ), TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func plain(environ []string) bool {
	return slices.ContainsFunc(environ, func(entry string) bool {
		value, found := strings.CutPrefix(entry, "NO_COLOR=")
		return found && value != "" || entry == "TERM=dumb"
	})
}
