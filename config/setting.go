package config

import (
	"encoding"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Kind is the kind of a setting's value.
type Kind uint8

// The kinds.
const (
	Text Kind = iota
	List      // of texts
	Bool
	Int
	Sized // a Size
	Timed // a Duration
	Rated // a Rate
	Sped  // a Speed
)

// String names the kind as help texts show it.
func (k Kind) String() string {
	return [...]string{"text", "list", "bool", "number", "size", "duration", "rate", "speed"}[k]
}

// Setting describes one setting of a role and is bound to the field that holds it.
type Setting struct {
	Name    string // as in the file and as a flag: words joined by hyphens
	Kind    Kind
	Unit    string // what a value counts or looks like, in a word or two
	Default string // as text
	Range   string // what is allowed, for people; empty: anything of the kind
	Doc     string // one sentence
	NoFile  bool   // not allowed in the file: it says where the file is

	set   func(text string) error
	get   func() string
	check func() error // of the value in the field; nil: anything
}

// Value returns the value of the bound field as text that Set would read.
func (s Setting) Value() string { return s.get() }

// Role is the settings of one role: one of the structs of this package.
type Role interface {
	name() string // of the role; its environment prefix is made of it
	settings() []Setting
	validate() []Fault // what single settings cannot tell
}

// Settings describes the settings of a role in the order in which they are shown. They are bound to role.
func Settings(role Role) []Setting { return role.settings() }

// EnvName is the name of a setting in the environment.
func EnvName(role Role, setting string) string {
	return envPrefix(role) + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func envPrefix(role Role) string {
	const all = "STORJ_"
	if role.name() == clientName {
		return all
	}
	return all + strings.ToUpper(role.name()) + "_"
}

// SetDefaults gives every setting of role its default.
func SetDefaults(role Role) {
	for _, s := range role.settings() {
		if err := s.set(s.Default); err != nil {
			panic(fmt.Sprintf("default %q of setting %s: %v", s.Default, s.Name, err))
		}
	}
}

func text(name string, field *string, value, unit, doc string) Setting {
	return Setting{
		Name: name, Kind: Text, Unit: unit, Default: value, Doc: doc,
		set: func(text string) error { *field = text; return nil },
		get: func() string { return *field },
	}
}

func list(name string, field *[]string, unit, doc string) Setting {
	return Setting{
		Name: name, Kind: List, Unit: unit, Doc: doc,
		set: func(text string) error { *field = splitList(text); return nil },
		get: func() string { return strings.Join(*field, ",") },
	}
}

func splitList(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func boolean(name string, field *bool, value bool, doc string) Setting {
	return Setting{
		Name: name, Kind: Bool, Unit: "true or false", Default: strconv.FormatBool(value), Doc: doc,
		set: func(text string) (err error) {
			if *field, err = strconv.ParseBool(text); err != nil {
				return fmt.Errorf("%w: %q is neither true nor false", ErrValue, text)
			}
			return nil
		},
		get: func() string { return strconv.FormatBool(*field) },
	}
}

func number(name string, field *int, value int, unit, doc string) Setting {
	return Setting{
		Name: name, Kind: Int, Unit: unit, Default: strconv.Itoa(value), Doc: doc,
		set: func(text string) (err error) {
			if *field, err = strconv.Atoi(text); err != nil {
				return fmt.Errorf("%w: %q is not a whole number", ErrValue, text)
			}
			return nil
		},
		get: func() string { return strconv.Itoa(*field) },
	}
}

// unitField is a type with a unit: Size, Duration, Rate.
type unitField interface {
	encoding.TextMarshaler
	encoding.TextUnmarshaler
}

func withUnit(name string, kind Kind, field unitField, value encoding.TextMarshaler, unit, doc string) Setting {
	return Setting{
		Name: name, Kind: kind, Unit: unit, Default: asText(value), Doc: doc,
		set: func(text string) error { return field.UnmarshalText([]byte(text)) },
		get: func() string { return asText(field) },
	}
}

func asText(m encoding.TextMarshaler) string {
	raw, err := m.MarshalText()
	if err != nil {
		panic(fmt.Sprintf("%T does not print: %v", m, err)) // none of ours fails
	}
	return string(raw)
}

func size(name string, field *Size, value Size, doc string) Setting {
	return withUnit(name, Sized, field, value, "bytes", doc)
}

func duration(name string, field *Duration, value Duration, doc string) Setting {
	return withUnit(name, Timed, field, value, "time", doc)
}

func rate(name string, field *Rate, value Rate, unit, doc string) Setting {
	return withUnit(name, Rated, field, value, unit, doc)
}

// allow adds a range in words and its check.
func (s Setting) allow(words string, check func() error) Setting {
	s.Range, s.check = words, check
	return s
}

func speed(name string, field *Speed, value Speed, doc string) Setting {
	return withUnit(name, Sped, field, value, "bits or bytes a second", doc)
}

// between allows values from low to high, both included.
func between[T int | Size | Duration](s Setting, field *T, low, high T) Setting {
	show := func(v T) string {
		if m, ok := any(v).(encoding.TextMarshaler); ok {
			return asText(m)
		}
		return fmt.Sprint(v)
	}
	words := show(low) + " to " + show(high)
	return s.allow(words, func() error {
		if *field < low || *field > high {
			return fmt.Errorf("%w: %s is not in %s", ErrValue, show(*field), words)
		}
		return nil
	})
}

// oneOf allows some words.
func oneOf(s Setting, field *string, words ...string) Setting {
	return s.allow(strings.Join(words, ", "), func() error {
		for _, word := range words {
			if *field == word {
				return nil
			}
		}
		return fmt.Errorf("%w: %q is none of %s", ErrValue, *field, strings.Join(words, ", "))
	})
}

// address allows host:port. An empty value may be allowed; an empty host and port 0 are when we listen on it.
func address(s Setting, field *string, empty, listen bool) Setting {
	return s.allow(s.Range, func() error {
		if *field == "" && empty {
			return nil
		}
		host, port, err := net.SplitHostPort(*field)
		n, numErr := strconv.ParseUint(port, 10, 16)
		if err != nil || numErr != nil || !listen && (host == "" || n == 0) {
			return fmt.Errorf("%w: %q is not host:port", ErrValue, *field)
		}
		return nil
	})
}
