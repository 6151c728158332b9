package durable

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	var got map[string]int
	if found, err := Load(path, &got, 100); found || err != nil {
		t.Fatalf("before: %v, %v", found, err)
	}
	for n := range 3 {
		if err := Save(path, map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
		if found, err := Load(path, &got, 100); !found || err != nil || got["n"] != n {
			t.Fatalf("loaded %v, %v, %v", got, found, err)
		}
	}
	if _, err := Load(path, &got, 5); !errors.Is(err, ErrDamaged) {
		t.Fatalf("over the limit: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, &got, 100); !errors.Is(err, ErrDamaged) {
		t.Fatalf("damaged: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
	if err := Save(filepath.Join(path, "below", "a file"), 1); err == nil {
		t.Fatal("saved below a file")
	}
	if found, err := Load("", &got, 100); found || err != nil || Save("", 1) != nil {
		t.Fatal("an empty path keeps something")
	}
}
