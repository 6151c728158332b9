package resume

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func mustClaim(t *testing.T, s Store, id string) *Claim {
	t.Helper()
	c, err := s.Claim(id)
	if err != nil || c == nil {
		t.Fatalf("claim: %v, %v", c, err)
	}
	return c
}

func TestID(t *testing.T) {
	t.Parallel()
	a, b, c := ID("ab", "c"), ID("a", "bc"), ID("ab", "c")
	if a != c || a == b || len(a) != 2*idSize {
		t.Errorf("%s, %s, %s", a, b, c)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s := Store{Dir: filepath.Join(t.TempDir(), "a", "resume")}
	first := mustClaim(t, s, "x")
	if second, err := s.Claim("x"); second != nil || err != nil {
		t.Errorf("a second claim: %v, %v", second, err)
	}
	mustClaim(t, s, "y").Release()
	if _, known := first.Load(); known {
		t.Error("nothing was saved")
	}
	want := Entry{Upload: "u", PartSize: 5, Size: 10, Modified: 7, Revision: "r", Done: 3, Partial: "p"}
	if err := first.Save(want); err != nil {
		t.Fatal(err)
	}
	if !s.Pending() {
		t.Error("nothing is pending")
	}
	first.Release()
	first.Release()
	again := mustClaim(t, s, "x")
	if got, known := again.Load(); !known || got != want {
		t.Errorf("%+v, %v", got, known)
	}
	info, err := os.Stat(s.path("x", stateSuffix))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := again.Remove(); err != nil {
		t.Error(err)
	}
	if err := again.Remove(); err != nil {
		t.Errorf("again: %v", err)
	}
	again.Release()
	if s.Pending() {
		t.Error("something is pending")
	}
	if left, _ := os.ReadDir(s.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"version":1,"size":5,"done":5}`: true,
		`{"version":2,"size":5}`:          false,
		`{"version":1,"size":5,"done":6}`: false,
		`{"version":1,"size":-1}`:         false,
		`{"version":1,"size":5,"more":1}`: false,
		`{`:                               false,
		``:                                false,
	} {
		if _, known := decode([]byte(text)); known != want {
			t.Errorf("%s: %v", text, known)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Store{Dir: filepath.Join(dir, "resume")}
	partial, other := filepath.Join(dir, ".storj-x.part"), filepath.Join(dir, "precious")
	for _, path := range []string{partial, other} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for id, path := range map[string]string{"old": partial, "forged": other, "held": ""} {
		c := mustClaim(t, s, id)
		if err := c.Save(Entry{Size: 1, Partial: path}); err != nil {
			t.Fatal(err)
		}
		if id != "held" {
			c.Release()
		}
	}
	s.Clean(time.Now())
	if _, known := s.load("old"); !known {
		t.Fatal("what is new is gone")
	}
	s.Clean(time.Now().Add(KeptFor + time.Hour))
	for id, want := range map[string]bool{"old": false, "forged": false, "held": true} {
		if _, known := s.load(id); known != want {
			t.Errorf("%s: known %v", id, known)
		}
	}
	if _, err := os.Stat(partial); !os.IsNotExist(err) {
		t.Errorf("the partial file is there: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a file that no download made is gone: %v", err)
	}
	Store{Dir: filepath.Join(dir, "none")}.Clean(time.Now())
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"size":5,"done":5,"upload":"u"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if e, known := decode(raw); known && (e.Done > e.Size || e.PartSize < 0) {
			t.Fatalf("%+v", e)
		}
	})
}
