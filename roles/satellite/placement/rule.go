package placement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"storj/pieces"
)

// Bounds of rules.
const (
	// MaxRules is the most rules of a satellite.
	MaxRules = 100
	// MaxConditions is the most tags that a rule requires, and the most that it excludes.
	MaxConditions = 64
	maxRuleName   = 64
	maxTagName    = 32
	maxTag        = 128
)

var (
	// ErrRule is returned for a placement rule that makes no sense.
	ErrRule = errors.New("placement rule is not valid")
	// ErrTag is returned for a tag that is not name=value.
	ErrTag = errors.New("a tag is name=value: the name of letters, digits, - and _, the value of printable characters")
)

// Rule says on which nodes the segments of a bucket may lie. The zero value is the rule of buckets that have none: every
// node, distinct failure domains.
type Rule struct {
	Number  uint32
	Name    string
	Require []string // tags that a node must have; of several with one name, one
	Exclude []string // tags that it must not have
	// DistinctBy is the name of the tag whose values, the sites, share a segment's pieces evenly: as far as there are
	// enough of them, one each. Empty: by failure domain, never two in one.
	DistinctBy string
	MinSites   int     // with fewer sites that take pieces, none is taken; 0: no bound
	Redundancy Profile // zero: that of the network
}

// Validate checks a rule. Errors: ErrRule, ErrTag.
func (r *Rule) Validate() error {
	switch {
	case r.Name == "" || len(r.Name) > maxRuleName || !printable(r.Name):
		return fmt.Errorf("%w: its name is empty, too long or not printable", ErrRule)
	case len(r.Require) > MaxConditions || len(r.Exclude) > MaxConditions:
		return fmt.Errorf("%w: it has more than %d conditions of a kind", ErrRule, MaxConditions)
	case r.DistinctBy != "" && !tagName(r.DistinctBy):
		return fmt.Errorf("%w: %q is not the name of a tag", ErrRule, r.DistinctBy)
	case r.MinSites < 0 || r.MinSites > 1000 || r.MinSites > 1 && r.DistinctBy == "":
		return fmt.Errorf("%w: a least number of sites needs the tag that names them", ErrRule)
	}
	for _, tag := range slices.Concat(r.Require, r.Exclude) {
		if err := CheckTag(tag); err != nil {
			return err
		}
	}
	return nil
}

// Allows says whether a node with these tags may have pieces under the rule.
func (r *Rule) Allows(tags []string) bool {
	for _, tag := range r.Exclude {
		if slices.Contains(tags, tag) {
			return false
		}
	}
	for _, tag := range r.Require {
		name, _, _ := strings.Cut(tag, "=")
		oneOf := func(t string) bool { return sameName(t, name) && slices.Contains(tags, t) }
		if !slices.ContainsFunc(r.Require, oneOf) {
			return false
		}
	}
	return r.DistinctBy == "" || TagValue(tags, r.DistinctBy) != ""
}

func sameName(tag, name string) bool {
	return len(tag) > len(name) && tag[:len(name)] == name && tag[len(name)] == '='
}

// TagValue returns the value of a tag, empty when there is none of that name.
func TagValue(tags []string, name string) string {
	for _, tag := range tags {
		if sameName(tag, name) {
			return tag[len(name)+1:]
		}
	}
	return ""
}

// CheckTag checks one name=value. Errors: ErrTag.
func CheckTag(tag string) error {
	name, value, found := strings.Cut(tag, "=")
	if !found || len(tag) > maxTag || !tagName(name) || value == "" || !printable(value) {
		return fmt.Errorf("%w: got %q", ErrTag, tag)
	}
	return nil
}

// CleanTags checks the tags of a node and returns them sorted, without repetition. Errors: ErrTag, also for two values of
// one name and for more than pieces.MaxTags.
func CleanTags(tags []string) ([]string, error) {
	if len(tags) > pieces.MaxTags {
		return nil, fmt.Errorf("%w: %d of them", ErrTag, len(tags))
	}
	sorted := slices.Sorted(slices.Values(tags))
	sorted = slices.Compact(sorted)
	for i, tag := range sorted {
		if err := CheckTag(tag); err != nil {
			return nil, err
		}
		if name, _, _ := strings.Cut(tag, "="); i > 0 && sameName(sorted[i-1], name) {
			return nil, fmt.Errorf("%w: %s has two values", ErrTag, name)
		}
	}
	return sorted, nil
}

func tagName(name string) bool {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	return name != "" && len(name) <= maxTagName && !strings.ContainsFunc(name, func(r rune) bool { return !valid(r) })
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
