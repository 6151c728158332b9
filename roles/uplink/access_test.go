package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"storj/ecenc"
	"storj/ecenc/base58check"
	"storj/ecenc/keys"
	"storj/ecenc/macaroon"
	"storj/ecenc/wire"
	"storj/netx"
)

// fixedAPIKey is an API key whose head cannot vary, for golden files: head 01.., tail 02..
func fixedAPIKey(t testing.TB) *macaroon.APIKey {
	t.Helper()
	raw := append([]byte{0x0a, 32}, strings.Repeat("\x01", 32)...)
	raw = append(append(raw, 0x1a, 32), strings.Repeat("\x02", 32)...)
	key, err := macaroon.ParseBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func fixedAccess(t testing.TB) *Access {
	t.Helper()
	satellite := netx.NodeURL{ID: netx.NodeID{0xaa, 0xbb}, Address: "satellite.example:7777"}
	return &Access{satellite: satellite, apiKey: fixedAPIKey(t), keys: keys.NewAccess(ecenc.Key{7, 7, 7})}
}

func restricted(t testing.TB, a *Access, bucket string, prefixes ...string) *Access {
	t.Helper()
	ring, err := a.keys.Restrict(bucket, prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return &Access{satellite: a.satellite, apiKey: a.apiKey, keys: ring}
}

func serialize(t testing.TB, a *Access) string {
	t.Helper()
	text, err := a.Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestGrantVectors holds that grants of this version are read for good.
func TestGrantVectors(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name  string
		Grant string
		Info  AccessInfo
	}
	var vectors []vector
	for name, a := range map[string]*Access{
		"1 whole project": fixedAccess(t),
		"2 one prefix":    restricted(t, fixedAccess(t), "photos", "2026/"),
		"3 shared":        sharedVector(t),
	} {
		vectors = append(vectors, vector{name, serialize(t, a), a.Inspect()})
	}
	slices.SortFunc(vectors, func(a, b vector) int { return strings.Compare(a.Name, b.Name) })
	text, err := json.MarshalIndent(vectors, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "grants.golden", append(text, '\n'))

	stored, err := os.ReadFile("testdata/grants.golden")
	if err != nil {
		t.Fatal(err)
	}
	var read []vector
	if err := json.Unmarshal(stored, &read); err != nil {
		t.Fatal(err)
	}
	for _, v := range read {
		a, err := ParseAccess(v.Grant)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		if got, want := fmt.Sprintf("%+v", a.Inspect()), fmt.Sprintf("%+v", v.Info); got != want {
			t.Errorf("%s: got %s, want %s", v.Name, got, want)
		}
	}
}

func TestGrantKeepsTheKeys(t *testing.T) {
	t.Parallel()
	a := fixedAccess(t)
	b, err := ParseAccess(serialize(t, a))
	if err != nil {
		t.Fatal(err)
	}
	if *b.keys.Default != *a.keys.Default || b.satellite != a.satellite || b.apiKey.Head() != a.apiKey.Head() {
		t.Error("access differs after a round trip")
	}
}

func TestParseAccessRefuses(t *testing.T) {
	t.Parallel()
	good := serialize(t, fixedAccess(t))
	raw, err := base58check.Decode(good, grantTextVersion, maxGrantSize)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(payload []byte) string { return base58check.Encode(grantTextVersion, payload) }
	noAddress := fixedAccess(t)
	noAddress.satellite.Address = "nowhere"
	tests := map[string]string{
		"empty":             "",
		"mistyped":          strings.Replace(good, good[20:21], "z", 1),
		"cut":               good[:len(good)-1],
		"not base58":        "0OIl",
		"API key":           fixedAPIKey(t).Serialize(),
		"unknown field":     encode(append(raw[:len(raw):len(raw)], 0x32, 1, 'x')),
		"no fields":         encode(nil),
		"other version":     encode(append([]byte{8, 2}, raw[2:]...)),
		"no version":        encode(raw[2:]),
		"bad address":       serialize(t, noAddress),
		"over the limit":    encode(append(raw[:len(raw):len(raw)], make([]byte, maxGrantSize)...)),
		"API key destroyed": encode(wire.Marshal(&grant{satellite: fixedAccess(t).satellite, apiKey: []byte{1}, keys: &keys.Access{}})),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := ParseAccess(text); !errors.Is(err, ErrAccessInvalid) {
				t.Errorf("got %v, want ErrAccessInvalid", err)
			}
		})
	}
}

func TestAccessPrintsNothing(t *testing.T) {
	t.Parallel()
	a := fixedAccess(t)
	encoded, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(a), fmt.Sprintf("%v %+v %#v %s", a, a, a, a), fmt.Sprintf("%v %+v %#v", *a, *a, *a), string(encoded),
	} {
		if rest := strings.NewReplacer("REDACTED", "", `"`, "", " ", "").Replace(text); rest != "" {
			t.Errorf("printed %q", text)
		}
	}
}

func TestInspectAddsUpRestrictions(t *testing.T) {
	t.Parallel()
	soon, late := time.Unix(2e9, 0).UTC(), time.Unix(3e9, 0).UTC()
	key := fixedAPIKey(t)
	for _, c := range []macaroon.Caveat{
		{DisallowWrites: true, NotAfter: late, MaxObjectTTL: time.Hour},
		{DisallowDeletes: true, NotAfter: soon, NotBefore: time.Unix(1e9, 0), MaxObjectTTL: 2 * time.Hour},
		{DisallowWrites: true},
	} {
		var err error
		if key, err = key.Restrict(c); err != nil {
			t.Fatal(err)
		}
	}
	a := fixedAccess(t)
	a.apiKey = key
	info := a.Inspect()
	left := info.Permission
	if info.Restrictions != 3 || !left.NotAfter.Equal(soon) || left.NotBefore.Unix() != 1e9 || left.MaxObjectTTL != time.Hour {
		t.Errorf("got %+v", info)
	}
	if got := strings.Join(left.Operations(), " "); got != "download list" {
		t.Errorf("allowed %s, want download list", got)
	}
}

func TestRequestAccessRefusesNonsense(t *testing.T) {
	t.Parallel()
	satellite, apiKey := fixedAccess(t).SatelliteURL(), fixedAPIKey(t).Serialize()
	tests := map[string]struct{ satellite, apiKey, passphrase string }{
		"satellite":  {"localhost:7777", apiKey, "secret"},
		"API key":    {satellite, "abc", "secret"},
		"passphrase": {satellite, apiKey, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := RequestAccess(t.Context(), Config{}, test.satellite, test.apiKey, []byte(test.passphrase))
			if !errors.Is(err, ErrAccessInvalid) {
				t.Errorf("got %v, want ErrAccessInvalid", err)
			}
		})
	}
}

func TestRequestAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	config := w.config(t)
	request := func(passphrase string) *Access {
		t.Helper()
		a, err := RequestAccess(t.Context(), config, w.satellite.String(), w.apiKey.Serialize(), []byte(passphrase))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := request("secret")
	if again := request("secret"); serialize(t, a) != serialize(t, again) {
		t.Error("the same passphrase gave another access")
	}
	if other := request("Secret"); serialize(t, a) == serialize(t, other) {
		t.Error("another passphrase gave the same access")
	}
	p := w.openAccess(t, config, a)
	if _, err := p.CreateBucket(t.Context(), bucketName, nil); err != nil {
		t.Error(err)
	}
	stranger := fixedAPIKey(t).Serialize()
	_, err := RequestAccess(t.Context(), config, w.satellite.String(), stranger, []byte("secret"))
	if !errors.Is(err, ErrAPIKeyInvalid) {
		t.Errorf("unknown API key: %v", err)
	}
}

func FuzzParseAccess(f *testing.F) {
	f.Add(serialize(f, fixedAccess(f)))
	f.Add(serialize(f, restricted(f, fixedAccess(f), "photos", "2026/", "cat.jpg")))
	f.Add(serialize(f, sharedVector(f)))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAccess(text)
		if err != nil {
			if !errors.Is(err, ErrAccessInvalid) {
				t.Fatalf("got %v, want ErrAccessInvalid", err)
			}
			return
		}
		if again := serialize(t, a); again != text {
			t.Fatalf("%q was read and is written as %q", text, again)
		}
	})
}

// FuzzGrant tries what the checksum of the text keeps from FuzzParseAccess.
func FuzzGrant(f *testing.F) {
	a := fixedAccess(f)
	shared := sharedVector(f)
	f.Add(wire.Marshal(&grant{satellite: a.satellite, apiKey: a.apiKey.Bytes(), keys: a.keys}))
	f.Add(wire.Marshal(&grant{satellite: a.satellite, apiKey: shared.apiKey.Bytes(), keys: shared.keys}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := base58check.Encode(grantTextVersion, raw[:min(len(raw), maxGrantSize)])
		if a, err := ParseAccess(text); err == nil && serialize(t, a) != text {
			t.Fatalf("%x was read and is written otherwise", raw)
		}
	})
}
