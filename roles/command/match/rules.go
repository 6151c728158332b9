package match

import "time"

// Kind says what a rule does with the names that fit.
type Kind bool

// The kinds of rules.
const (
	Exclude Kind = false
	Include Kind = true
)

// Rules is a list of patterns with what to do about them. The zero value takes everything.
type Rules struct {
	list []rule
}

type rule struct {
	kind    Kind
	pattern Pattern
}

// Add appends a rule. Errors: ErrPattern.
func (r *Rules) Add(kind Kind, pattern string) error {
	p, err := Parse(pattern)
	if err == nil {
		r.list = append(r.list, rule{kind, p})
	}
	return err
}

// Takes says whether a name is meant. Shape: parts joined by "/", none in front; a "/" at the end is a folder.
func (r *Rules) Takes(name string) bool {
	for i := len(r.list) - 1; i >= 0; i-- {
		if r.list[i].pattern.Fits(name) {
			return bool(r.list[i].kind)
		}
	}
	return len(r.list) == 0 || r.list[0].kind == Exclude
}

// LeavesOut says whether nothing in a folder can be meant, so that it need not be read. Shape: with "/" at its end.
func (r *Rules) LeavesOut(folder string) bool {
	if len(r.list) == 0 || r.list[0].kind == Include {
		return false
	}
	for _, rule := range r.list {
		if rule.kind == Include {
			return false // perhaps something in it
		}
	}
	return !r.Takes(folder)
}

// Filter chooses objects by name, size and time. The zero value takes all.
type Filter struct {
	Name         *Pattern  // nil: any
	Larger       int64     // bytes at least
	Smaller      *int64    // bytes at most; nil: any
	Newer, Older time.Time // made at this time or after, or at it or before; zero: any
}

// Set says whether the filter may leave anything out.
func (f *Filter) Set() bool {
	return f.Name != nil || f.Larger > 0 || f.Smaller != nil || !f.Newer.IsZero() || !f.Older.IsZero()
}

// Takes says whether an object is meant.
func (f *Filter) Takes(key string, size int64, made time.Time) bool {
	switch {
	case f.Name != nil && !f.Name.FitsLast(key):
	case size < f.Larger:
	case f.Smaller != nil && size > *f.Smaller:
	case !f.Newer.IsZero() && made.Before(f.Newer):
	case !f.Older.IsZero() && made.After(f.Older):
	default:
		return true
	}
	return false
}
