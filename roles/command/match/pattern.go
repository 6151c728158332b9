package match

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ErrPattern is returned for a pattern that cannot be read.
var ErrPattern = errors.New("not a pattern")

// maxPattern bounds what a pattern costs, bytes.
const maxPattern = 4096

// Pattern is one pattern; the package comment says how it is read. The zero value fits nothing.
type Pattern struct {
	text       string
	expression *regexp.Regexp
	whole      bool // compared with the name from its start, not with its parts
	dirs       bool // folders alone
}

// Parse reads a pattern. Errors: ErrPattern.
func Parse(text string) (Pattern, error) {
	if text == "" || len(text) > maxPattern || !utf8.ValidString(text) {
		return Pattern{}, fmt.Errorf("%w: %q", ErrPattern, text)
	}
	p := Pattern{text: text}
	body, dirs := strings.CutSuffix(text, "/")
	p.dirs = dirs
	p.whole = strings.Contains(body, "/")
	body = strings.TrimPrefix(body, "/")
	expression, err := translate(body)
	if err != nil || body == "" {
		return Pattern{}, fmt.Errorf("%w: %q", ErrPattern, text)
	}
	if p.expression, err = regexp.Compile(expression); err != nil {
		return Pattern{}, fmt.Errorf("%w: %q", ErrPattern, text)
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Fits says whether a name, or a folder that it lies in, fits the pattern. A name that ends in "/" is a folder.
func (p Pattern) Fits(name string) bool {
	if p.expression == nil {
		return false
	}
	for start, i := 0, 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		part := name[start:i]
		start = i + 1
		switch {
		case part == "", p.dirs && i == len(name): // the last part is no folder
			continue
		case p.whole:
			part = name[:i]
		}
		if p.expression.MatchString(part) {
			return true
		}
	}
	return false
}

// FitsLast is Fits on the last part of a name alone, when the pattern is one of parts: as find -name has it.
func (p Pattern) FitsLast(name string) bool {
	if !p.whole {
		trimmed := strings.TrimSuffix(name, "/")
		name = name[strings.LastIndexByte(trimmed, '/')+1:]
	}
	return p.Fits(name)
}

// translate makes a regular expression of a pattern.
func translate(pattern string) (string, error) {
	var out strings.Builder
	out.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			out.WriteString(`(?:.*/)?`)
			i += 3
		case strings.HasPrefix(pattern[i:], "**"):
			out.WriteString(`.*`)
			i += 2
		case c == '*':
			out.WriteString(`[^/]*`)
			i++
		case c == '?':
			out.WriteString(`[^/]`)
			i++
		case c == '[':
			set, size, err := translateSet(pattern[i:])
			if err != nil {
				return "", err
			}
			out.WriteString(set)
			i += size
		case c == '\\' && i+1 == len(pattern):
			return "", ErrPattern
		default:
			if c == '\\' {
				i++
			}
			_, size := utf8.DecodeRuneInString(pattern[i:])
			out.WriteString(regexp.QuoteMeta(pattern[i : i+size]))
			i += size
		}
	}
	out.WriteString(`\z`)
	return out.String(), nil
}

// translateSet reads a set like [a-z] at the start of a text, and says how long it is.
func translateSet(text string) (expression string, size int, err error) {
	body := text[1:]
	negated := strings.HasPrefix(body, "!") || strings.HasPrefix(body, "^")
	if negated {
		body = body[1:]
	}
	end := strings.IndexByte(body, ']')
	if end == 0 { // "]" is the first of the set
		end = strings.IndexByte(body[1:], ']') + 1
	}
	if end <= 0 {
		return "", 0, ErrPattern
	}
	set := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `&`, `\&`).Replace(body[:end])
	size = len(text) - len(body) + end + 1
	if negated {
		return "[^/" + set + "]", size, nil
	}
	return "[" + set + "]", size, nil
}
