package screen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bytes returns a size for people: three digits or so and a decimal unit. Negative sizes are unknown: "?".
func Bytes(size int64) string {
	const units = "kMGTPE"
	if size < 0 {
		return "?"
	}
	if size < 1000 {
		return strconv.FormatInt(size, 10) + " B"
	}
	value, unit := float64(size), -1
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %cB", value, units[unit])
	}
	return fmt.Sprintf("%.0f %cB", value, units[unit])
}

// Rate returns bytes a second for people.
func Rate(size int64, span time.Duration) string {
	if span <= 0 {
		return "-"
	}
	return Bytes(int64(float64(size)/span.Seconds())) + "/s"
}

// Span returns a length of time for people, in its two largest units: "1d 4h", "3m 20s", "4.2s".
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = d.Abs(); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/day, d%day/time.Hour)
}

// Ago returns how long before now an instant was: "3m 20s ago", "never" for none.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	if d := now.Sub(t); d >= 0 {
		return Span(d) + " ago"
	}
	return "in " + Span(t.Sub(now))
}

// Date returns an instant for people, in their time zone, to the minute: 16 characters; "-" for none.
func Date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// Instant returns an instant for scripts and details: RFC 3339 in UTC; "-" for none.
func Instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// Printable returns a name as it may be written to a terminal: itself, or quoted like a Go string when it has control
// characters, characters that turn the direction of writing, or invalid UTF-8.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, hidden) {
		return name
	}
	return strconv.Quote(name)
}

func hidden(r rune) bool { return !unicode.IsPrint(r) && r != ' ' }

// Plural returns "1 file", "3 files".
func Plural[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Style colours text for terminals. The zero value leaves it as it is.
type Style struct {
	Colour bool
}

// Bold is for what to look at first.
func (s Style) Bold(text string) string { return s.paint("1", text) }

// Dim is for what is rarely looked at.
func (s Style) Dim(text string) string { return s.paint("2", text) }

// Red is for what went wrong.
func (s Style) Red(text string) string { return s.paint("31", text) }

// Yellow is for warnings.
func (s Style) Yellow(text string) string { return s.paint("33", text) }

// Blue is for directories.
func (s Style) Blue(text string) string { return s.paint("1;34", text) }

// paint wraps text in an SGR sequence. Source: ECMA-48, 8.3.117.
func (s Style) paint(code, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
