package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/urfave/cli/v2"

	"storj/netx"
	"storj/roles/command/location"
	"storj/roles/command/transfer"
	"storj/roles/command/words"
	"storj/roles/uplink"
)

func newTestApp() *app {
	a := &app{env: Env{Stderr: io.Discard}, stdin: bufio.NewReader(strings.NewReader("")), out: bufio.NewWriter(io.Discard)}
	a.root = a.newRoot()
	return a
}

func TestArrange(t *testing.T) {
	t.Parallel()
	root := newTestApp().root
	for _, test := range []struct {
		line, want string
		help       bool
	}{
		{"", "", false},
		{"ls", "ls", false},
		{"ls sj://b -r", "ls -r -- sj://b", false},
		{"ls sj://b --access home --json", "--access home ls --json -- sj://b", false},
		{"--access=home ls", "--access=home ls", false},
		{"cp --range -5 sj://b/x -", "cp --range -5 -- sj://b/x -", false},
		{"cp - sj://b/x", "cp -- - sj://b/x", false},
		{"cp a -- -r sj://b", "cp -- a -r sj://b", false},
		{"rm -- --access", "rm -- --access", false},
		{"satellite key create k --dir d --project p", "satellite key create --dir d --project p -- k", false},
		{"access ls", "access list", false},
		{"ls access", "ls -- access", false},
		{"cp --help", "cp", true},
		{"-h", "", true},
		{"satellite key -h create", "satellite key create", true},
		{"--version", "version", false},
	} {
		got, err := arrange(root, strings.Fields(test.line))
		if joined := strings.Join(got.args, " "); err != nil || joined != test.want || got.help != test.help {
			t.Errorf("%q becomes %q, help %v, %v; want %q, %v", test.line, joined, got.help, err, test.want, test.help)
		}
	}
	for _, bad := range []string{"ls --none", "--none ls", "ls -x", "ls --access", "lss --json", "cp --range"} {
		if _, err := arrange(root, strings.Fields(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		} else if status, _ := judge(err); status != exitUsage {
			t.Errorf("%q: status %d, %v", bad, status, err)
		}
	}
}

// everyCommand calls visit for all commands that people see.
func everyCommand(commands []*cli.Command, path string, visit func(path string, c *cli.Command)) {
	for _, c := range commands {
		if !c.Hidden {
			visit(path+" "+c.Name, c)
			everyCommand(c.Subcommands, path+" "+c.Name, visit)
		}
	}
}

func TestCommandsAreExplained(t *testing.T) {
	t.Parallel()
	root := newTestApp().root
	everyCommand(root.Commands, "storj", func(path string, c *cli.Command) {
		if c.Usage == "" || strings.HasSuffix(c.Usage, ".") {
			t.Errorf("%s: usage %q", path, c.Usage)
		}
		if strings.Count(path, " ") == 1 && !slices.Contains(categories(), c.Category) {
			t.Errorf("%s: category %q is not shown", path, c.Category)
		}
		if len(c.Subcommands) == 0 && c.UsageText == "" {
			t.Errorf("%s has no examples", path)
		}
		for _, f := range c.Flags {
			if d, ok := f.(cli.DocGenerationFlag); !ok || d.GetUsage() == "" {
				t.Errorf("%s: flag %v is not explained", path, f.Names())
			}
		}
	})
}

// TestExamplesParse tries every example of the help pages: all commands and flags in them exist.
func TestExamplesParse(t *testing.T) {
	t.Parallel()
	root := newTestApp().root
	tried := 0
	everyCommand(root.Commands, "storj", func(path string, c *cli.Command) {
		for line := range strings.SplitSeq(c.UsageText, "\n") {
			line, _, _ = strings.Cut(line, "  #")
			for part := range strings.SplitSeq(line, "|") {
				_, words, found := strings.Cut(" "+part, " storj ")
				if !found {
					continue
				}
				words, _, _ = strings.Cut(words, " > ")
				tried++
				got, err := arrange(root, strings.Fields(strings.Trim(words, ")")))
				if err != nil || len(got.path) == 0 {
					t.Errorf("%s: example %q: %v", path, line, err)
				}
			}
		}
	})
	if tried < 40 {
		t.Errorf("only %d examples were found", tried)
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	known := make(map[int]bool)
	for _, code := range exitCodes() {
		known[code.status] = true
	}
	for _, v := range verdicts() {
		wrapped := fmt.Errorf("outer: %w", v.kind)
		if status, hint := judge(wrapped); status != v.status || hint != v.hint || !known[status] {
			t.Errorf("%v: status %d, hint %q; the table says %d, %q", v.kind, status, hint, v.status, v.hint)
		}
	}
	for code, want := range codeVerdicts() {
		if status, _ := judge(netx.Sentinel(code, 999, "x")); status != want || !known[status] {
			t.Errorf("%v: status %d, want %d", code, status, want)
		}
	}
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"none":              {nil, exitOK},
		"unknown":           {errors.New("x"), exitGeneral},
		"usage":             {fmt.Errorf("x: %w", usageError("y")), exitUsage},
		"hint":              {&hintError{fs.ErrNotExist, "h"}, exitNotFound},
		"cancelled":         {context.Canceled, exitInterrupted},
		"cancelled inside":  {errors.Join(uplink.ErrUnavailable, context.Canceled), exitInterrupted},
		"single item":       {&transfer.ItemError{Err: uplink.ErrObjectNotFound}, exitNotFound},
		"names not decoded": {&hiddenError{3}, exitCorrupt},
		"partial":           {&partialError{1, 2, "item", exitPartial}, exitPartial},
	} {
		if status, _ := judge(test.err); status != test.want {
			t.Errorf("%s: status %d, want %d", name, status, test.want)
		}
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	missing, denied := uplink.ErrObjectNotFound, uplink.ErrPermissionDenied
	for name, test := range map[string]struct {
		errs []error
		want int
	}{
		"none":           {nil, exitOK},
		"all done":       {[]error{nil, nil}, exitOK},
		"some":           {[]error{nil, missing}, exitPartial},
		"all, alike":     {[]error{missing, missing}, exitNotFound},
		"all, different": {[]error{missing, denied}, exitPartial},
	} {
		tally := newTally("item")
		for _, err := range test.errs {
			tally.count(err)
		}
		if status, _ := judge(tally.result(nil)); status != test.want {
			t.Errorf("%s: status %d, want %d", name, status, test.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	from, _ := location.Parse("file")
	to, _ := location.Parse("sj://b/\x1b[2J")
	item := transfer.Item{Op: transfer.Upload, From: from, To: to}
	for want, err := range map[string]error{
		"sj://b/k: object not found": at(mustPlace("sj://b/k"), fmt.Errorf("stat: %w: call method 3", uplink.ErrObjectNotFound)),
		`upload "file -> sj://b/\x1b[2J": no such file`: &transfer.ItemError{
			Item: item, Err: &fs.PathError{Op: "open", Path: "file", Err: errors.New("no such file")},
		},
		"unavailable: timed out": fmt.Errorf("x: %w: a long way: %w", uplink.ErrUnavailable, netx.ErrTimeout),
		"plain":                  errors.Join(errors.New("plain"), nil),
	} {
		if got := explain(err); got != want {
			t.Errorf("explained as %q, want %q", got, want)
		}
	}
}

func mustPlace(text string) location.Location {
	place, err := location.Parse(text)
	if err != nil {
		panic(err)
	}
	return place
}

func TestParseRange(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]transfer.Range{
		"0-0": {Offset: 0, Length: 1}, "0-99": {Offset: 0, Length: 100}, "5-9": {Offset: 5, Length: 5},
		"7-": {Offset: 7}, "0-": {}, "-1": {Offset: -1}, "-100": {Offset: -100},
	} {
		if got, err := parseRange(text); err != nil || *got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "-", "5", "5-4", "a-b", "--5", "1-2-3", "+1-2", "-0", "1.5-2", " 1-2", "99999999999999999999-"} {
		if got, err := parseRange(bad); err == nil {
			t.Errorf("%q: %+v, want an error", bad, got)
		}
	}
}

func TestParseExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "never": {}, "+24h": now.Add(24 * time.Hour), "90m": now.Add(90 * time.Minute), "+30d": now.Add(720 * time.Hour),
		"2027-01-31T12:00:00Z":      time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
		"2027-01-31T12:00:00+02:00": time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC),
		"2027-01-31":                time.Date(2027, 1, 31, 0, 0, 0, 0, time.Local),
		"2027-01-31 10:30":          time.Date(2027, 1, 31, 10, 30, 0, 0, time.Local),
	} {
		if got, err := parseExpiry(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"yesterday", "-1h", "+0s", "2020-01-01", "2026-11-22T12:00:00Z", "31.1.2027"} {
		if got, err := parseExpiry(bad, now); err == nil {
			t.Errorf("%q: %v, want an error", bad, got)
		}
	}
}

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	got, err := parseMetadata([]string{"a=1", "b=x=y, z", `{"c": "3", "a": "2"}`, "d="})
	want := uplink.CustomMetadata{"a": "2", "b": "x=y, z", "c": "3", "d": ""}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if got, err := parseMetadata(nil); got != nil || err != nil {
		t.Errorf("none: %v, %v", got, err)
	}
	for _, bad := range []string{"a", "=1", `{"a": 1}`, `{"a"`, "a=\xff", "k=" + strings.Repeat("x", uplink.MaxMetadataSize)} {
		if _, err := parseMetadata([]string{bad}); err == nil {
			t.Errorf("%.20q is accepted", bad)
		}
	}
}

func TestGeneratedPassphrase(t *testing.T) {
	t.Parallel()
	a := newTestApp()
	first, second := string(a.generatePassphrase()), string(a.generatePassphrase())
	if _, kind := words.Read(first); kind != words.Valid || first == second {
		t.Errorf("passphrases %q and %q", first, second)
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ  []string
		terminal bool
		want     bool
	}{
		"terminal":      {nil, true, true},
		"pipe":          {nil, false, false},
		"NO_COLOR":      {[]string{"NO_COLOR=1"}, true, false},
		"dumb terminal": {[]string{"TERM=dumb"}, true, false},
		"last counts":   {[]string{"TERM=dumb", "TERM=xterm"}, true, true},
	} {
		env := Env{Environ: test.environ}
		if got := env.colour(test.terminal); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe() // a person who thinks
		done := make(chan int)
		var stderr bytes.Buffer
		go func() {
			done <- Main(ctx, Env{
				Args: []string{"storj", "access", "import", "home"}, Stdin: r, Stdout: io.Discard, Stderr: &stderr,
				Environ: []string{"HOME=" + t.TempDir()}, Terminal: Terminal{Stdin: true},
			})
		}()
		synctest.Wait()
		cancel()
		if status := <-done; status != exitInterrupted {
			t.Errorf("status %d, want %d", status, exitInterrupted)
		}
		if !strings.HasPrefix(stderr.String(), "Access grant: \n") {
			t.Errorf("standard error: %q", stderr.String())
		}
		_ = w.Close() // lets the read end that was left behind
	})
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	status := Main(t.Context(), Env{Args: []string{"storj", "help"}, Stdin: strings.NewReader(""), Stdout: w, Stderr: io.Discard})
	if status != exitGeneral {
		t.Errorf("status %d, want %d", status, exitGeneral)
	}
}

// TestBashCompletion runs the script in a shell, with a storj that prints candidates.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	script := completionScripts()["bash"] + `
compopt() { :; }
storj() { local IFS=' '; printf '%s\n' "sj://photos/a b" "args:$*"; }
COMP_WORDBREAKS=$' \t\n:='
COMP_LINE='storj ls -r sj://photos/ and more'; COMP_POINT=24
_storj
printf '%s\n' "${COMPREPLY[@]}"
`
	out, err := exec.CommandContext(t.Context(), bash, "--norc", "-c", script).CombinedOutput()
	if want := "//photos/a b\nargs:__complete -- ls -r sj://photos/\n"; err != nil || string(out) != want {
		t.Errorf("candidates %q, %v; want %q", out, err, want)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{"127.0.0.1:7": "127.0.0.1:7", "example.org:7": "example.org:7", "[::1]:7": "[::1]:7"} {
		if got, guessed, err := outsideAddress(listen); got != want || guessed || err != nil {
			t.Errorf("outside of %s: %s, %v, %v", listen, got, guessed, err)
		}
	}
	for _, listen := range []string{":7", "0.0.0.0:7", "[::]:7"} {
		if got, guessed, err := outsideAddress(listen); netx.CheckAddress(got) != nil || !strings.HasSuffix(got, ":7") || !guessed || err != nil {
			t.Errorf("outside of %s: %s, %v, %v", listen, got, guessed, err)
		}
		if got, err := insideAddress(listen); got != "127.0.0.1:7" || err != nil {
			t.Errorf("inside of %s: %s, %v", listen, got, err)
		}
	}
	if !isLoopback("127.0.0.1:7") || !isLoopback("[::1]:7") || !isLoopback("localhost:7") || isLoopback("192.0.2.1:7") {
		t.Error("isLoopback is wrong")
	}
}
