package placement

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"storj/ecenc/wire"
	"storj/metainfo/kv/memkv"
)

func TestRulesAllow(t *testing.T) {
	t.Parallel()
	german, french := []string{"country=DE", "disk=ssd", "site=attic"}, []string{"country=FR", "site=cellar"}
	tests := []struct {
		name           string
		rule           Rule
		german, french bool
		nobody         bool // what a node without tags gets
	}{
		{name: "none", german: true, french: true, nobody: true},
		{name: "country", rule: Rule{Require: []string{"country=DE"}}, german: true},
		{name: "either country", rule: Rule{Require: []string{"country=DE", "country=FR"}}, german: true, french: true},
		{name: "country and disk", rule: Rule{Require: []string{"country=DE", "country=FR", "disk=ssd"}}, german: true},
		{name: "exclude", rule: Rule{Exclude: []string{"site=attic"}}, french: true, nobody: true},
		{name: "require and exclude", rule: Rule{Require: []string{"country=DE"}, Exclude: []string{"site=attic"}}},
		{name: "distinct by", rule: Rule{DistinctBy: "disk"}, german: true},
		{name: "beginning of a value", rule: Rule{Require: []string{"country=D"}}},
	}
	for _, test := range tests {
		for _, node := range []struct {
			tags []string
			want bool
		}{{german, test.german}, {french, test.french}, {nil, test.nobody}} {
			if got := test.rule.Allows(node.tags); got != node.want {
				t.Errorf("%s: node %v allowed: %v", test.name, node.tags, got)
			}
		}
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	good := Rule{Name: "good", Require: []string{"a=b"}, DistinctBy: "site", MinSites: 3}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(r *Rule)
		want   error
	}{
		{"no name", func(r *Rule) { r.Name = "" }, ErrRule},
		{"name that moves the cursor", func(r *Rule) { r.Name = "a\x1b[2J" }, ErrRule},
		{"long name", func(r *Rule) { r.Name = strings.Repeat("x", maxRuleName+1) }, ErrRule},
		{"no tag", func(r *Rule) { r.Require = []string{"country"} }, ErrTag},
		{"tag without value", func(r *Rule) { r.Exclude = []string{"country="} }, ErrTag},
		{"tag with odd name", func(r *Rule) { r.Exclude = []string{"a b=c"} }, ErrTag},
		{"odd spread", func(r *Rule) { r.DistinctBy = "a=b" }, ErrRule},
		{"sites of nothing", func(r *Rule) { r.DistinctBy = "" }, ErrRule},
		{"negative sites", func(r *Rule) { r.MinSites = -1 }, ErrRule},
		{"too many", func(r *Rule) { r.Require = make([]string, MaxConditions+1) }, ErrRule},
	}
	for _, test := range tests {
		r := good
		test.change(&r)
		if err := r.Validate(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestCleanTags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		tags, want []string
		err        error
	}{
		{tags: nil},
		{tags: []string{"b=2", "a=1", "b=2"}, want: []string{"a=1", "b=2"}},
		{tags: []string{"a=1", "a=2"}, err: ErrTag},
		{tags: []string{"a-b_C=x=y z"}, want: []string{"a-b_C=x=y z"}},
		{tags: []string{"=1"}, err: ErrTag},
		{tags: []string{"a=\u202e"}, err: ErrTag},
		{tags: []string{"a=\xff"}, err: ErrTag},
		{tags: []string{"a=" + strings.Repeat("x", maxTag)}, err: ErrTag},
		{tags: strings.Split(strings.Repeat("a=1,", 20)+"a=1", ","), err: ErrTag},
	}
	for _, test := range tests {
		got, err := CleanTags(test.tags)
		if !errors.Is(err, test.err) || len(got)+len(test.want) > 0 && !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, %v", test.tags, got, err)
		}
	}
}

func TestRulesAreKept(t *testing.T) {
	t.Parallel()
	store := memkv.New(memkv.Options{})
	defer func() { _ = store.Close() }()
	profile, err := ParseProfile("2/3/4/5")
	if err != nil {
		t.Fatal(err)
	}
	save := func(r Rule, number uint32, want error) {
		t.Helper()
		saved, err := SaveRule(t.Context(), store, r)
		if !errors.Is(err, want) || err == nil && saved.Number != number {
			t.Errorf("%s: rule %d, %v", r.Name, saved.Number, err)
		}
	}
	save(Rule{Name: "eu", Require: []string{"country=DE"}, Redundancy: profile}, 1, nil)
	save(Rule{Name: "sites", DistinctBy: "site", MinSites: 3}, 2, nil)
	save(Rule{Name: "eu", Exclude: []string{"site=x"}}, 1, nil) // changed
	save(Rule{Name: DefaultName, Exclude: []string{"site=attic"}}, 0, nil)
	save(Rule{Name: "sites", Number: 7}, 0, ErrRule)
	save(Rule{Name: "seven", Number: 7}, 7, nil)
	save(Rule{Name: "eight"}, 8, nil)
	save(Rule{}, 0, ErrRule)
	rules, err := LoadRules(t.Context(), store)
	want := []Rule{
		{Number: 0, Name: DefaultName, Exclude: []string{"site=attic"}},
		{Number: 1, Name: "eu", Exclude: []string{"site=x"}},
		{Number: 2, Name: "sites", DistinctBy: "site", MinSites: 3},
		{Number: 7, Name: "seven"}, {Number: 8, Name: "eight"},
	}
	if err != nil || !reflect.DeepEqual(rules, want) {
		t.Errorf("rules %+v, %v", rules, err)
	}
	for i := len(rules); i < MaxRules; i++ {
		save(Rule{Name: fmt.Sprint("more", i)}, uint32(4+i), nil)
	}
	save(Rule{Name: "one too many"}, 0, ErrRule)
}

func FuzzRule(f *testing.F) {
	f.Add(wire.Marshal(&Rule{Number: 3, Name: "eu", Require: []string{"a=b"}, DistinctBy: "site", MinSites: 2}))
	f.Add([]byte{0x3a, 0x01, 'x'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Rule
		if wire.Unmarshal(raw, &r) != nil {
			return
		}
		r.Allows([]string{"a=b"})
		if r.Validate() == nil {
			newSnapshot(nil, []Rule{r}, nil).PickFor(r.Number, 10, nil)
		}
	})
}
