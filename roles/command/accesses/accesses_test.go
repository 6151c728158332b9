package accesses_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"storj/roles/command/accesses"
)

func TestStore(t *testing.T) {
	t.Parallel()
	store := accesses.Store{Dir: filepath.Join(t.TempDir(), "a", "storj")}
	if _, err := store.Find(""); !errors.Is(err, accesses.ErrNone) {
		t.Fatalf("an empty store: %v", err)
	}
	if err := store.Save("home", "grant-1", accesses.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Save("work", "grant-2", accesses.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Find(""); err != nil || got != (accesses.Named{Name: "home", Grant: "grant-1", Current: true}) {
		t.Fatalf("the first one saved is current: %+v, %v", got, err)
	}
	if got, err := store.Find("work"); err != nil || got.Grant != "grant-2" || got.Current {
		t.Fatalf("by name: %+v, %v", got, err)
	}
	if err := store.Save("work", "grant-3", accesses.SaveOptions{}); !errors.Is(err, accesses.ErrExists) {
		t.Fatalf("a name that is taken: %v", err)
	}
	if err := store.Save("work", "grant-3", accesses.SaveOptions{Replace: true, Use: true}); err != nil {
		t.Fatal(err)
	}
	list, err := store.List()
	if err != nil || len(list) != 2 || list[0].Name != "home" || list[0].Current || list[1].Grant != "grant-3" || !list[1].Current {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if err := store.Use("home"); err != nil {
		t.Fatal(err)
	}
	if err := store.Remove("home"); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Find(""); !errors.Is(err, accesses.ErrNone) {
		t.Fatalf("the current one was removed: %v", err)
	}
	for name, err := range map[string]error{"find": second(store.Find("home")), "use": store.Use("home"), "remove": store.Remove("home")} {
		if !errors.Is(err, accesses.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestFileIsPrivate(t *testing.T) {
	t.Parallel()
	store := accesses.Store{Dir: filepath.Join(t.TempDir(), "storj")}
	if err := store.Save("home", "grant", accesses.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(store.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if store.Exposed() {
		t.Error("a private file counts as exposed")
	}
	if err := os.Chmod(store.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	if !store.Exposed() {
		t.Error("a file that others read counts as private")
	}
	if err := store.Save("work", "grant", accesses.SaveOptions{}); err != nil || store.Exposed() {
		t.Errorf("saving makes it private again: %v", err)
	}
	entries, err := os.ReadDir(store.Dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestUpGrant(t *testing.T) {
	t.Parallel()
	store := accesses.Store{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(store.Dir, "access"), []byte(" up-grant\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Find(""); err != nil || got.Grant != "up-grant" {
		t.Fatalf("the grant of a local network: %+v, %v", got, err)
	}
	if err := store.Save("home", "grant", accesses.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Find(""); err != nil || got.Grant != "grant" {
		t.Fatalf("a saved one goes before it: %+v, %v", got, err)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":         "",
		"not JSON":      "SECRET",
		"later version": `{"version": 2, "accesses": {"a": "SECRET"}}`,
		"no version":    `{"accesses": {"a": "SECRET"}}`,
		"unknown field": `{"version": 1, "accesses": {"a": "SECRET"}, "SECRET": 1}`,
		"wrong type":    `{"version": 1, "accesses": ["SECRET"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := accesses.Store{Dir: t.TempDir()}
			if err := os.WriteFile(store.Path(), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.List()
			if !errors.Is(err, accesses.ErrFormat) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("list: %v", err)
			}
			if err := store.Save("b", "grant", accesses.SaveOptions{}); !errors.Is(err, accesses.ErrFormat) {
				t.Errorf("save over it: %v", err)
			}
			if after, _ := os.ReadFile(store.Path()); string(after) != content {
				t.Error("a file that was not understood was replaced")
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "home", "My-Access_2.x", strings.Repeat("a", 64)} {
		if err := accesses.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", ".a", "a b", "a/b", "é", "a\n", strings.Repeat("a", 65)} {
		if err := accesses.CheckName(bad); !errors.Is(err, accesses.ErrName) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
