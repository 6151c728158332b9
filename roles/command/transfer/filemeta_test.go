package transfer

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"storj/roles/uplink"
)

func TestModified(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"1767225600.000000000":          time.Unix(1767225600, 0),
		"1767225600":                    time.Unix(1767225600, 0),
		"1767225600.5":                  time.Unix(1767225600, 500_000_000),
		"0.000000001":                   time.Unix(0, 1),
		"":                              {},
		"-5":                            {},
		"now":                           {},
		"1.-5":                          {},
		"1.1234567890":                  {},
		"99999999999999":                {},
		"92233720368547758070":          {},
		"2026-01-01T00:00:00.000000000": {},
	} {
		got, ok := Modified(uplink.CustomMetadata{ModifiedName: text})
		if ok != !want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
}

func TestWithFile(t *testing.T) {
	t.Parallel()
	modified := time.Unix(1767225600, 123456789)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	hash, err := HashFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Source: BLAKE3 of "abc", as b3sum prints it.
	if got := hex.EncodeToString(hash[:]); got != "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85" {
		t.Errorf("checksum %s", got)
	}
	user := uplink.CustomMetadata{"a": "b"}
	got := withFile(user, modified, hash[:])
	at, _ := Modified(got)
	back, ok := Hash(got)
	if !at.Equal(modified) || back != hash || !ok || got["a"] != "b" || len(user) != 1 {
		t.Errorf("%v", got)
	}
	if got := withFile(user, time.Time{}, nil); len(got) != 1 {
		t.Errorf("nothing is known: %v", got)
	}
	full := uplink.CustomMetadata{"a": strings.Repeat("x", uplink.MaxMetadataSize-1)}
	if got := withFile(full, modified, hash[:]); len(got) != 1 {
		t.Errorf("no room: %v", got)
	}
	if _, ok := Hash(uplink.CustomMetadata{HashName: "abc"}); ok {
		t.Error("a short checksum is taken")
	}
}
