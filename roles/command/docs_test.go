package command

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "rewrite the manual")

// TestManual: docs/cli.md is what the commands say of themselves.
func TestManual(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "cli.md")
	want, err := newTestApp().manual()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(want, "\n")
	for i, line := range wantLines {
		if i >= len(gotLines) || gotLines[i] != line {
			t.Fatalf("%s, line %d is not what the commands say; go test ./roles/command -run TestManual -update\nwant: %s", path, i+1, line)
		}
	}
	t.Fatalf("%s has more than the commands say", path)
}

// TestManualIsWhole: every command and flag that people see is in it.
func TestManualIsWhole(t *testing.T) {
	t.Parallel()
	a := newTestApp()
	text, err := a.manual()
	if err != nil {
		t.Fatal(err)
	}
	everyCommand(a.root.Commands, "storj", func(path string, c *cli.Command) {
		if !strings.Contains(text, "# "+path+"\n") {
			t.Errorf("%s is missing", path)
		}
		for _, f := range c.Flags {
			if !strings.Contains(text, "--"+f.Names()[0]) {
				t.Errorf("%s: --%s is missing", path, f.Names()[0])
			}
		}
	})
}
