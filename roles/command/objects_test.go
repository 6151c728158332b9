package command

import (
	"slices"
	"strings"
	"testing"
	"time"

	"storj/roles/uplink"
)

func TestRestoreChoice(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	object := func(version string, n int) *uplink.Object { return &uplink.Object{Version: version, Created: day(n)} }
	marker := func(version string, n int) *uplink.Object {
		return &uplink.Object{Version: version, Created: day(n), IsDeleteMarker: true}
	}
	for _, test := range []struct {
		name     string
		at       time.Time
		versions []*uplink.Object // newest first
		want     string
	}{
		{"there", time.Time{}, []*uplink.Object{object("b", 2), object("a", 1)}, ""},
		{"deleted", time.Time{}, []*uplink.Object{marker("c", 3), object("b", 2), object("a", 1)}, "b"},
		{"deleted twice", time.Time{}, []*uplink.Object{marker("d", 4), marker("c", 3), object("b", 2)}, "b"},
		{"nothing but markers", time.Time{}, []*uplink.Object{marker("d", 4), marker("c", 3)}, ""},
		{"as it is", day(9), []*uplink.Object{object("b", 2), object("a", 1)}, ""},
		{"as it was", day(1), []*uplink.Object{object("b", 2), object("a", 1)}, "a"},
		{"before it was deleted", day(2), []*uplink.Object{marker("c", 3), object("b", 2), object("a", 1)}, "b"},
		{"before it was", day(1), []*uplink.Object{object("b", 2)}, ""},
		{"while it was deleted", day(2), []*uplink.Object{object("c", 3), marker("b", 2), object("a", 1)}, ""},
	} {
		r := &restorer{at: test.at}
		got := ""
		if o := r.choose(test.versions); o != nil {
			got = o.Version
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDefaultRetention(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"governance:30d", "compliance:1y", "none"} {
		r, err := parseDefaultRetention(text)
		if err != nil || shownDefaultRetention(r) != text {
			t.Errorf("%s: %v, %v", text, r, err)
		}
	}
	for _, bad := range []string{"", "governance", "governance:", "governance:d", "soft:1d", "governance:-1d", "compliance:1h", "governance:0d"} {
		if r, err := parseDefaultRetention(bad); err == nil {
			t.Errorf("%q is accepted as %+v", bad, r)
		}
	}
}

func TestParsePast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "now": now, "2d": now.Add(-48 * time.Hour), "-1h": now.Add(-time.Hour), "0s": now,
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		if got, err := parsePast(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := parsePast("soon", now); err == nil {
		t.Error("soon is accepted")
	}
}

func TestDeniable(t *testing.T) {
	t.Parallel()
	for _, name := range deniableNames() {
		var l uplink.LockPermission
		field := deniable(&l, name)
		if field == nil {
			t.Fatalf("%s is nothing", name)
		}
		*field = true
		var shown []string
		for _, other := range deniableNames() {
			if *deniable(&l, other) {
				shown = append(shown, other)
			}
		}
		if !slices.Equal(shown, []string{name}) {
			t.Errorf("%s is shown as %q", name, shown)
		}
	}
	if deniable(new(uplink.LockPermission), "x") != nil {
		t.Error("x can be denied")
	}
}

func TestLifecycleLine(t *testing.T) {
	t.Parallel()
	rules := []uplink.LifecycleRule{
		{ID: "a", Prefix: "p/", ExpireDays: 3, MinSize: 1000, MaxSize: 2000, Disabled: true},
		{Hidden: true, ExpireAt: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), AbortUploadsAfter: 2, ExpireMarkers: true},
		{NoncurrentDays: 5, NoncurrentKeep: 2},
	}
	want := []string{
		"a: delete after 3 days, under p/, larger than 1.0 kB, smaller than 2.0 kB (disabled)",
		"delete from 2027-01-01T00:00:00Z on; delete idle delete markers; abort uploads after 2 days, under a prefix of another passphrase",
		"delete old versions after 5 days, but keep 2",
	}
	for i, line := range lifecycleLines(rules) {
		if line.String() != want[i] {
			t.Errorf("%s\nwant %s", line, want[i])
		}
		if back := line.rule(); back != rules[i] {
			t.Errorf("%+v becomes %+v", rules[i], back)
		}
	}
}

func TestRecoverySheet(t *testing.T) {
	t.Parallel()
	info := uplink.AccessInfo{APIKeyID: "abcdef"}
	sheet := recoverySheet("1sat@host:1", info, "my own passphrase", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))
	for _, text := range []string{"1sat@host:1", "abcdef", "passphrase  my own passphrase\n", "2 January 2026"} {
		if !strings.Contains(sheet, text) {
			t.Errorf("%q is missing:\n%s", text, sheet)
		}
	}
	for line := range strings.Lines(sheet) {
		if len(line) > 100 || strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
			t.Errorf("a line that does not print well: %q", line)
		}
	}
}
