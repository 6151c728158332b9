package netx

import "testing"

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"host:1":                 true,
		"192.0.2.1:65535":        true,
		"[2001:db8::1]:7777":     true,
		"bücher.example:7777":    true,
		"":                       false,
		"host":                   false,
		":1":                     false,
		"host:":                  false,
		"host:0":                 false,
		"my host:1":              false,
		"host\n:1":               false,
		"host:1\x1b[2J":          false,
		"\x1b]0;title\x07host:1": false,
		"\u202ehost:1":           false,
		"\xff:1":                 false,
	} {
		if err := CheckAddress(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}
