package placement

import (
	"context"
	"errors"
	"fmt"

	"storj/ecenc/wire"
	"storj/metainfo/kv"
)

// rules is the table of rules.
func rules() kv.Table[uint32, Rule, *Rule] {
	return kv.NewTable[uint32, Rule]("z/placement/", kv.KeyCodec[uint32]{
		Append: kv.AppendUint32,
		Parse: func(b []byte) (uint32, bool) {
			if len(b) != 4 {
				return 0, false
			}
			return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
		},
	})
}

// Fields codes the rule for wire: its row, and what the owner's commands send.
func (r *Rule) Fields(c *wire.Codec) {
	minSites, profile := uint32(r.MinSites), r.Redundancy.String()
	if r.Redundancy.IsAuto() {
		profile = "" // the zero value, which is left out
	}
	c.Uint32(1, &r.Number)
	c.String(2, &r.Name, maxRuleName)
	codeTexts(c, 3, &r.Require)
	codeTexts(c, 4, &r.Exclude)
	c.String(5, &r.DistinctBy, maxTagName)
	c.Uint32(6, &minSites)
	c.String(7, &profile, maxRuleName)
	if !c.Decoding() {
		return
	}
	var err error
	if r.Redundancy, err = ParseProfile(profile); err != nil || minSites > 1000 {
		c.Fail()
	}
	r.MinSites = int(minSites)
}

func codeTexts(c *wire.Codec, num int, list *[]string) {
	raw := make([][]byte, len(*list))
	for i, text := range *list {
		raw[i] = []byte(text)
	}
	wire.RepeatedBytes(c, num, &raw, MaxConditions, maxTag)
	if !c.Decoding() {
		return
	}
	*list = nil
	for _, text := range raw {
		*list = append(*list, string(text))
	}
}

// LoadRules reads all rules, in order of number.
func LoadRules(ctx context.Context, store kv.Store) (list []Rule, err error) {
	err = store.View(ctx, func(tx kv.Tx) error {
		list = nil
		return rules().Scan(tx, rules().All(), func(number uint32, r *Rule) (bool, error) {
			r.Number = number
			list = append(list, *r)
			return true, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read placement rules: %w", err)
	}
	return list, nil
}

// SaveRule writes a rule: in the place of the one with its name, else under its number, or under the next when that is
// zero and the name is not "default", which is that of rule 0. It returns the rule as stored.
//
// Rules are changed, never removed: buckets name them. Errors: ErrRule, ErrTag.
func SaveRule(ctx context.Context, store kv.Store, rule Rule) (saved Rule, err error) {
	if err := rule.Validate(); err != nil {
		return Rule{}, err
	}
	err = store.Update(ctx, func(tx kv.Tx) error {
		saved = rule
		if err := number(tx, &saved); err != nil {
			return err
		}
		return rules().Put(tx, saved.Number, &saved)
	})
	if err != nil && !errors.Is(err, ErrRule) {
		return Rule{}, fmt.Errorf("save placement rule: %w", err)
	}
	return saved, err
}

// number gives a rule its number.
func number(tx kv.Tx, rule *Rule) error {
	next, named, count := uint32(1), -1, 0
	err := rules().Scan(tx, rules().All(), func(n uint32, r *Rule) (bool, error) {
		next = max(next, n+1)
		count++
		if r.Name == rule.Name {
			named = int(n)
		}
		return true, nil
	})
	switch {
	case err != nil:
		return err
	case named >= 0 && rule.Number != 0 && rule.Number != uint32(named):
		return fmt.Errorf("%w: rule %d has that name", ErrRule, named)
	case named >= 0:
		rule.Number = uint32(named)
	case count >= MaxRules:
		return fmt.Errorf("%w: there are %d already", ErrRule, count)
	case rule.Name == DefaultName:
		rule.Number = 0
	case rule.Number == 0:
		rule.Number = next
	}
	return nil
}

// DefaultName is the name of rule 0.
const DefaultName = "default"
