package match

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern  string
		fits     string // separated by spaces
		leavesTo string
	}{
		{"*.jpg", "a.jpg d/a.jpg a.jpg/x", "a.jpeg .jp a.jpgx"},
		{"node_modules", "node_modules a/node_modules/b node_modules/", "my_node_modules node_modules2/x"},
		{"a/*.txt", "a/x.txt a/x.txt/y", "b/a/x.txt a/b/x.txt x.txt"},
		{"a/**", "a/x a/b/c", "b/a a"},
		{"a/**/z", "a/z a/b/z a/b/c/z", "a/bz b/z"},
		{"**/z", "z a/z a/b/z/more", "az"},
		{"/top", "top/x top", "a/topx"},
		{"dir/", "dir/x a/dir/x dir/", "dir a/dir"},
		{"?.go", "a.go ü.go", "ab.go .go"},
		{"[a-c]x", "ax b/cx", "dx ab"},
		{"[!a-c]x", "dx", "ax"},
		{"[]]x", "]x", "ax"},
		{`\*`, "* a/*", "a"},
		{"a.b", "a.b", "aXb"},
		{"a+(b)", "a+(b)", "aab"},
	} {
		p, err := Parse(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		for name := range strings.FieldsSeq(test.fits) {
			if !p.Fits(name) {
				t.Errorf("%s does not fit %s", p, name)
			}
		}
		for name := range strings.FieldsSeq(test.leavesTo) {
			if p.Fits(name) {
				t.Errorf("%s fits %s", p, name)
			}
		}
	}
	for _, bad := range []string{"", "/", "[a", "[", `a\`, "[z-a]", "\xff", strings.Repeat("a", maxPattern+1)} {
		if _, err := Parse(bad); !errors.Is(err, ErrPattern) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

// TestTopSlash: "/top" is meant from the start.
func TestTopSlash(t *testing.T) {
	t.Parallel()
	p, err := Parse("/top")
	if err != nil {
		t.Fatal(err)
	}
	if p.Fits("a/top") {
		t.Error("/top fits a/top")
	}
}

func TestFitsLast(t *testing.T) {
	t.Parallel()
	p, _ := Parse("b*")
	if !p.FitsLast("a/bc") || p.FitsLast("b/c") || !p.FitsLast("a/b/") {
		t.Error("the last part alone counts")
	}
	if p, _ = Parse("b/*"); !p.FitsLast("b/c") || p.FitsLast("a/b/c") {
		t.Error("with a / the whole name counts")
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rules       string // + includes, - excludes
		takes, drop string
	}{
		{"", "a a/b", ""},
		{"-*.o", "a.c", "a.o d/a.o"},
		{"+*.jpg", "a.jpg d/a.jpg", "a.png d/b"},
		{"-* +*.jpg", "a.jpg d/a.jpg", "a.png d/b"},
		{"+*.jpg -tmp/", "a.jpg", "tmp/a.jpg a.png"},
		{"-tmp/ +tmp/keep", "a tmp/keep", "tmp/a"},
	} {
		var r Rules
		for word := range strings.FieldsSeq(test.rules) {
			if err := r.Add(word[0] == '+', word[1:]); err != nil {
				t.Fatal(err)
			}
		}
		for name := range strings.FieldsSeq(test.takes) {
			if !r.Takes(name) {
				t.Errorf("%q leaves out %s", test.rules, name)
			}
		}
		for name := range strings.FieldsSeq(test.drop) {
			if r.Takes(name) {
				t.Errorf("%q takes %s", test.rules, name)
			}
		}
	}
}

func TestLeavesOut(t *testing.T) {
	t.Parallel()
	var r Rules
	if r.LeavesOut("a/") {
		t.Error("no rules leave nothing out")
	}
	_ = r.Add(Exclude, "cache")
	if !r.LeavesOut("x/cache/") || r.LeavesOut("x/") {
		t.Error("an excluded folder need not be read, another must")
	}
	_ = r.Add(Include, "*.jpg")
	if r.LeavesOut("x/cache/") {
		t.Error("something in it may be included")
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	name, _ := Parse("*.jpg")
	ten := int64(10)
	for label, test := range map[string]struct {
		filter Filter
		key    string
		size   int64
		want   bool
	}{
		"zero":       {Filter{}, "a", 0, true},
		"name":       {Filter{Name: &name}, "d/a.jpg", 0, true},
		"other name": {Filter{Name: &name}, "d.jpg/a", 0, false},
		"large":      {Filter{Larger: 10}, "a", 10, true},
		"too small":  {Filter{Larger: 10}, "a", 9, false},
		"small":      {Filter{Smaller: &ten}, "a", 10, true},
		"too large":  {Filter{Smaller: &ten}, "a", 11, false},
		"new":        {Filter{Newer: now}, "a", 0, true},
		"too old":    {Filter{Newer: now.Add(1)}, "a", 0, false},
		"old":        {Filter{Older: now}, "a", 0, true},
		"too new":    {Filter{Older: now.Add(-1)}, "a", 0, false},
	} {
		if got := test.filter.Takes(test.key, test.size, now); got != test.want {
			t.Errorf("%s: %v", label, got)
		}
		if set := test.filter.Set(); set != (label != "zero") {
			t.Errorf("%s: set %v", label, set)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*.jpg", "a/**/b", "[!x]?", `\*`, "[]", "[a-]", "**", "a[", "(", "{"} {
		f.Add(seed, "a/b/c.jpg")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := Parse(pattern)
		if err == nil {
			p.Fits(name)
			p.FitsLast(name)
		} else if !errors.Is(err, ErrPattern) {
			t.Fatal(err)
		}
	})
}
