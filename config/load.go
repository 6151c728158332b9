package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Source says where a value is from.
type Source string

// The sources, weakest first.
const (
	FromDefault Source = "default"
	FromFile    Source = "file"
	FromEnv     Source = "environment"
	FromFlag    Source = "flag"
)

// ErrConfig is returned by Load when a setting is wrong; errors.As gives an *Error with all faults.
var ErrConfig = errors.New("configuration is wrong")

// Fault is one thing that is wrong.
type Fault struct {
	Setting string // as given; may be unknown
	Source  Source
	Problem string
}

// String prints the fault in one line.
func (f Fault) String() string {
	switch f.Source {
	case FromFlag:
		return "--" + f.Setting + ": " + f.Problem
	case "", FromDefault:
		return f.Setting + ": " + f.Problem
	}
	return f.Setting + " (" + string(f.Source) + "): " + f.Problem
}

// Error is every fault of a configuration.
type Error struct {
	Faults []Fault
}

// Error prints one line a fault.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, fault := range e.Faults {
		lines[i] = fault.String()
	}
	if len(lines) == 1 {
		return ErrConfig.Error() + ": " + lines[0]
	}
	return ErrConfig.Error() + ":\n  " + strings.Join(lines, "\n  ")
}

// Is matches ErrConfig.
func (e *Error) Is(target error) bool { return target == ErrConfig }

// Report says what a role was given and from where.
type Report struct {
	Role     string
	File     string // that was read; empty: none
	Values   []Value
	Warnings []string // what may be a mistake, in words
}

// Value is a setting with its value and source.
type Value struct {
	Setting
	Value  string
	Source Source
	Origin string // file and line, or the variable's name
}

// Load gives role its settings from the defaults, the file (none when it is empty or does not exist), the environment
// (entries NAME=value) and flags (by name of setting). It overwrites all of role.
//
// The report is complete even with an error, so that it can be shown. Errors: ErrConfig, as *Error with all faults; those
// of reading the file.
func Load(role Role, file string, environ []string, flags map[string]string) (*Report, error) {
	SetDefaults(role)
	l := loader{role: role, known: map[string]int{}, settings: role.settings()}
	l.report = &Report{Role: role.name(), Values: make([]Value, len(l.settings))}
	for i, s := range l.settings {
		l.known[s.Name] = i
		l.report.Values[i] = Value{Setting: s, Source: FromDefault}
	}
	if err := l.file(file); err != nil {
		return l.finish(), err
	}
	l.environment(environ)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		l.give(given{name: name, text: flags[name], source: FromFlag, origin: "--" + name})
	}
	l.check()
	if report := l.finish(); len(l.faults) > 0 {
		return report, &Error{Faults: l.faults}
	}
	return l.report, nil
}

type loader struct {
	role     Role
	settings []Setting
	known    map[string]int // name to index
	report   *Report
	faults   []Fault
}

// given is one value from one source.
type given struct {
	name, text string
	source     Source
	origin     string
}

func (l *loader) fault(g given, problem string) {
	if g.source == FromFile {
		problem += " [" + g.origin + "]"
	}
	l.faults = append(l.faults, Fault{Setting: g.name, Source: g.source, Problem: problem})
}

func (l *loader) give(g given) {
	i, ok := l.known[g.name]
	if !ok {
		l.fault(g, "unknown setting"+l.suggestion(g.name))
		return
	}
	if l.settings[i].NoFile && g.source == FromFile {
		l.fault(g, "cannot be set in the file: use --"+g.name)
		return
	}
	if err := l.settings[i].set(g.text); err != nil {
		l.fault(g, problemOf(err))
		return
	}
	l.report.Values[i].Source, l.report.Values[i].Origin = g.source, g.origin
}

// problemOf drops the sentinel's words, which the error around it says better.
func problemOf(err error) string { return strings.TrimPrefix(err.Error(), ErrValue.Error()+": ") }

func (l *loader) suggestion(name string) string {
	if near := nearest(name, slices.Sorted(maps.Keys(l.known))); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

func (l *loader) environment(environ []string) {
	prefix := envPrefix(l.role)
	names := make(map[string]string, len(l.settings)) // environment, without the prefix, to setting
	for _, s := range l.settings {
		names[strings.TrimPrefix(EnvName(l.role, s.Name), prefix)] = s.Name
	}
	for _, entry := range environ {
		variable, value, ok := strings.Cut(entry, "=")
		name, ours := strings.CutPrefix(variable, prefix)
		if !ok || !ours {
			continue
		}
		if setting, known := names[name]; known {
			l.give(given{name: setting, text: value, source: FromEnv, origin: variable})
		} else if near := nearest(name, slices.Sorted(maps.Keys(names))); near != "" {
			l.report.Warnings = append(l.report.Warnings, fmt.Sprintf("%s is not known: did you mean %s?", variable, prefix+near))
		}
	}
}

// check looks at every value that no source has a fault for yet.
func (l *loader) check() {
	for i, s := range l.settings {
		if s.check == nil {
			continue
		}
		if err := s.check(); err != nil {
			v := l.report.Values[i]
			l.fault(given{name: s.Name, source: v.Source, origin: v.Origin}, problemOf(err))
		}
	}
	for _, fault := range l.role.validate() {
		fault.Source = FromDefault
		l.faults = append(l.faults, fault)
	}
}

func (l *loader) finish() *Report {
	for i, s := range l.settings {
		l.report.Values[i].Value = s.get()
	}
	return l.report
}
