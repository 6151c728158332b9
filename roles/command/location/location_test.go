package location_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"storj/roles/command/location"
)

func TestParse(t *testing.T) {
	t.Parallel()
	remote := func(bucket, key string) location.Location {
		return location.Location{Remote: true, Bucket: bucket, Key: key}
	}
	for _, test := range []struct {
		name, text string
		want       location.Location
		wantErr    bool
	}{
		{"object", "sj://b/key", remote("b", "key"), false},
		{"deep", "sj://b/a/b/c.txt", remote("b", "a/b/c.txt"), false},
		{"prefix", "sj://b/a/", remote("b", "a/"), false},
		{"bucket", "sj://b", remote("b", ""), false},
		{"bucket with slash", "sj://b/", remote("b", ""), false},
		{"all buckets", "sj://", remote("", ""), false},
		{"leading slash in key", "sj://b//x", remote("b", "/x"), false},
		{"double slash in key", "sj://b/a//x", remote("b", "a//x"), false},
		{"only slashes", "sj://b///", remote("b", "//"), false},
		{"percent is not decoded", "sj://b/50%25%2F", remote("b", "50%25%2F"), false},
		{"spaces", "sj://b/a b/ c ", remote("b", "a b/ c "), false},
		{"question mark and hash", "sj://b/a?b#c", remote("b", "a?b#c"), false},
		{"unicode", "sj://b/猫/é", remote("b", "猫/é"), false},
		{"not UTF-8", "sj://b/\xff\xfe", remote("b", "\xff\xfe"), false},
		{"dots stay", "sj://b/../x/./y", remote("b", "../x/./y"), false},
		{"scheme inside", "sj://b/sj://c/d", remote("b", "sj://c/d"), false},
		{"standard stream", "-", location.Location{Std: true}, false},
		{"file called dash", "./-", location.Location{Path: "./-"}, false},
		{"local", "dir/file", location.Location{Path: "dir/file"}, false},
		{"absolute", "/dir/file", location.Location{Path: "/dir/file"}, false},
		{"local with scheme inside", "./sj://x", location.Location{Path: "./sj://x"}, false},
		{"empty", "", location.Location{}, true},
		{"no bucket", "sj:///key", location.Location{}, true},
		{"one slash", "sj:/b/key", location.Location{}, true},
		{"no slash", "sj:b", location.Location{}, true},
		{"upper case", "SJ://b/key", location.Location{}, true},
		{"other scheme", "s3://b/key", location.Location{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := location.Parse(test.text)
			if got != test.want || (err != nil) != test.wantErr || err != nil && !errors.Is(err, location.ErrSyntax) {
				t.Errorf("Parse(%q) = %+v, %v; want %+v, error %v", test.text, got, err, test.want, test.wantErr)
			}
		})
	}
}

func TestParseRemote(t *testing.T) {
	t.Parallel()
	if _, err := location.ParseRemote("file"); !errors.Is(err, location.ErrSyntax) {
		t.Errorf("a local path: %v, want ErrSyntax", err)
	}
	if got, err := location.ParseRemote("sj://b/k"); err != nil || got.Key != "k" {
		t.Errorf("a remote place: %+v, %v", got, err)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, base, dir string
		prefix          bool
	}{
		{"sj://b/a/c.txt", "c.txt", "sj://b/a/c.txt/", false},
		{"sj://b/a/", "", "sj://b/a/", true},
		{"sj://b", "", "sj://b", true},
		{"sj://b//x", "x", "sj://b//x/", false},
		{"a/c.txt", "c.txt", "a/c.txt", false},
		{"a/c/", "c", "a/c/", false},
		{".", "", ".", false},
		{"..", "", "..", false},
		{"/", "", "/", false},
		{"-", "", "-", false},
	} {
		loc, err := location.Parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if loc.Base() != test.base || loc.Dir().String() != test.dir || loc.IsPrefix() != test.prefix {
			t.Errorf("%s: base %q dir %q prefix %v, want %q %q %v", test.text, loc.Base(), loc.Dir(), loc.IsPrefix(), test.base, test.dir, test.prefix)
		}
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		outer, inner string
		want         bool
	}{
		{"sj://b/a", "sj://b/a", true},
		{"sj://b/a", "sj://b/a/", true},
		{"sj://b/a/", "sj://b/a", true},
		{"sj://b/a/", "sj://b/a/x/", true},
		{"sj://b", "sj://b/a", true},
		{"sj://b/a", "sj://b/ab", false},
		{"sj://b/a/x", "sj://b/a", false},
		{"sj://b/a", "sj://c/a/x", false},
		{"sj://b/a", "a/x", false},
	} {
		outer, _ := location.Parse(test.outer)
		inner, _ := location.Parse(test.inner)
		if got := outer.Contains(inner); got != test.want {
			t.Errorf("%s contains %s: %v, want %v", outer, inner, got, test.want)
		}
	}
}

func TestLocalName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "a/b", "a b/c%2F", "...", "..a/b..", "猫", "\xff", "-", "sj:x", " "} {
		name, err := location.LocalName(good)
		if err != nil || filepath.ToSlash(name) != good {
			t.Errorf("LocalName(%q) = %q, %v", good, name, err)
		}
	}
	for _, bad := range []string{
		"", "/", "/etc/passwd", "a/", "a//b", "..", "../x", "a/../../x", "a/..", ".", "./a", "a/./b", "a\x00b", "//x",
	} {
		if name, err := location.LocalName(bad); !errors.Is(err, location.ErrUnsafeName) {
			t.Errorf("LocalName(%q) = %q, %v; want ErrUnsafeName", bad, name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"sj://b/k", "sj://", "sj:///", "-", "a", "sj://b//", "s3://x", "sj://b/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		loc, err := location.Parse(text)
		if err != nil {
			return
		}
		again, err := location.Parse(loc.String())
		if err != nil || again != loc {
			t.Fatalf("%q is read as %+v, written as %q and read as %+v, %v", text, loc, loc, again, err)
		}
	})
}

func FuzzLocalName(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "/x", "a//b", "..", "a\x00"} {
		f.Add(seed)
	}
	root := filepath.Join(string(filepath.Separator), "root", "dir")
	f.Fuzz(func(t *testing.T, key string) {
		name, err := location.LocalName(key)
		if err != nil {
			return
		}
		joined := filepath.Join(root, name)
		if !strings.HasPrefix(joined, root+string(filepath.Separator)) {
			t.Fatalf("%q leads to %q", key, joined)
		}
		if rel, err := filepath.Rel(root, joined); err != nil || filepath.ToSlash(rel) != key {
			t.Fatalf("%q becomes %q: two keys could become one file", key, rel)
		}
	})
}
