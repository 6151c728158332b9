package placement

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"storj/ecenc"
)

// ErrProfile is returned for a redundancy setting that is not "auto" and not four numbers in order.
var ErrProfile = errors.New(`redundancy must be "auto" or required/repair/optimal/total, such as 4/6/8/10`)

// anchor is a size of network for which the numbers are given.
type anchor struct {
	domains                          int
	required, repair, optimal, total int
}

// anchors are where Auto is given; between two of them it is a straight line. The largest is that of the existing
// system's network; the others keep the expansion at two, with as much tolerance as the network allows.
var anchors = [...]anchor{
	{1, 1, 1, 1, 1},
	{2, 1, 1, 2, 2},
	{3, 1, 1, 2, 3},
	{4, 2, 3, 4, 4},
	{10, 4, 6, 8, 10},
	{110, 29, 35, 80, 110},
}

// maxExpansion is the highest optimal/required of Auto in hundredths, which is that of 80/29 rounded up.
const maxExpansion = 276

// Auto returns the numbers for a network of that many failure domains: never more pieces than domains, never fewer for
// a larger network, expansion (optimal/required) between 2 and 2.76 from two domains on. Fewer than one counts as one.
func Auto(domains int) ecenc.Redundancy {
	last := anchors[len(anchors)-1]
	domains = min(max(domains, 1), last.domains)
	i := 0
	for anchors[i].domains < domains {
		i++
	}
	at := anchors[i]
	if at.domains != domains {
		at = between(anchors[i-1], at, domains)
	}
	return ecenc.Redundancy{
		Code: ecenc.CodeVandermonde, Required: at.required, Repair: at.repair, Optimal: at.optimal, Total: at.total,
	}
}

// between rounds down, so that fewer nodes are needed, and keeps the expansion where rounding would leave its bounds.
func between(low, high anchor, domains int) anchor {
	line := func(from, to int) int {
		return from + (to-from)*(domains-low.domains)/(high.domains-low.domains)
	}
	a := anchor{
		domains:  domains,
		required: line(low.required, high.required),
		repair:   line(low.repair, high.repair),
		optimal:  line(low.optimal, high.optimal),
		total:    line(low.total, high.total),
	}
	a.optimal = min(max(a.optimal, 2*a.required), a.required*maxExpansion/100)
	a.repair = min(a.repair, a.optimal-1)
	return a
}

// Profile says how to choose the numbers of a segment. The zero value is auto.
type Profile struct {
	fixed ecenc.Redundancy // zero: auto
}

// ParseProfile reads "auto", the empty text (auto), or required/repair/optimal/total. Errors: ErrProfile.
func ParseProfile(text string) (Profile, error) {
	if text == "" || text == "auto" {
		return Profile{}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return Profile{}, fmt.Errorf("%w: got %q", ErrProfile, text)
	}
	var numbers [4]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return Profile{}, fmt.Errorf("%w: got %q", ErrProfile, text)
		}
		numbers[i] = n
	}
	r := ecenc.Redundancy{
		Code: ecenc.CodeVandermonde, Required: numbers[0], Repair: numbers[1], Optimal: numbers[2], Total: numbers[3],
	}
	if r.Validate() != nil {
		return Profile{}, fmt.Errorf("%w: got %q", ErrProfile, text)
	}
	return Profile{fixed: r}, nil
}

// IsAuto says whether the numbers follow the network.
func (p Profile) IsAuto() bool { return p.fixed == ecenc.Redundancy{} }

// For returns the numbers for a network of that many domains.
func (p Profile) For(domains int) ecenc.Redundancy {
	if p.IsAuto() {
		return Auto(domains)
	}
	return p.fixed
}

// String returns what ParseProfile reads.
func (p Profile) String() string {
	if p.IsAuto() {
		return "auto"
	}
	return p.fixed.String()
}
