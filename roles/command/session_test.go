package command_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"storj/roles/command"
	"storj/roles/devnet"
)

// A session is a text file in testdata: what a person types, and what they see.
//
//	# a comment
//	$ storj ls sj://b | sort        standard output is what follows, up to the next line that is none of these
//	!3 storj cat sj://b/x           the exit status is 3 instead of 0
//	2> object not found             standard error of the last command contains this
//	& sat storj satellite run       runs as sat until the session ends, or "stop sat"; "wait sat TEXT" waits until its
//	                                standard error has TEXT
//
// In expected lines <*> stands for anything, a line ... for any lines. Words may be quoted. $NAME is a variable. Besides
// storj there are the commands of builtins.
type session struct {
	t      *testing.T
	env    map[string]string
	stdin  string // for the next command
	person bool   // at a terminal
	stderr string // of the last command
	back   map[string]*background
}

// background is a command that runs beside the session.
type background struct {
	cancel context.CancelFunc
	status chan int
	stderr *watched
}

// patience is for what should take a second; only a session that fails waits so long.
const patience = 60 * time.Second

func TestSessions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	network, err := devnet.Start(t.Context(), devnet.Options{Dir: t.TempDir(), Nodes: 4, RelaxedSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		testInterrupted(t, newSession(t, network))
	})
	t.Run("interrupted in parts", func(t *testing.T) {
		t.Parallel()
		testInterruptedInParts(t, newSession(t, network))
	})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			newSession(t, network).play(file)
		})
	}
}

// newSession makes a user with a home of their own, and a project of their own in the network.
func newSession(t *testing.T, network *devnet.Network) *session {
	work := t.TempDir()
	admin := network.Satellite().Admin()
	project := strings.ReplaceAll(t.Name(), "/", "-")
	if _, err := admin.CreateProject(t.Context(), project); err != nil {
		t.Fatal(err)
	}
	key, err := admin.CreateAPIKey(t.Context(), project, "session")
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, back: make(map[string]*background), env: map[string]string{
		"HOME": filepath.Join(work, "home"), "WORK": work, "SATELLITE": network.Satellite().URL().String(), "PORT": freePort(t),
	}}
	s.write("key", key+"\n")
	s.write("passphrase", "a passphrase\n")
	t.Cleanup(func() {
		for name := range s.back {
			s.stop(name)
		}
	})
	return s
}

// freePort finds a UDP port that nobody uses now.
func freePort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, port, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (s *session) play(file string) {
	raw, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	for i := 0; i < len(lines); {
		at := fmt.Sprintf("%s:%d: %s", filepath.Base(file), i+1, lines[i])
		line := lines[i]
		i++
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "2> "):
			if want := s.expand(line[3:]); !matches(want, s.stderr, true) {
				s.t.Fatalf("%s\nstandard error was:\n%s", at, s.stderr)
			}
			continue
		case line[0] == '&':
			s.start(split(s.expand(line[1:])))
			continue
		}
		start := i
		for i < len(lines) && !isDirective(lines[i]) {
			i++
		}
		s.step(at, line, lines[start:i])
	}
}

func isDirective(line string) bool {
	if line == "" {
		return true
	}
	return line[0] == '#' || line[0] == '&' || strings.HasPrefix(line, "$ ") || strings.HasPrefix(line, "2> ") ||
		line[0] == '!' && len(line) > 1 && line[1] >= '0' && line[1] <= '9'
}

// step runs one command and compares.
func (s *session) step(at, line string, want []string) {
	s.t.Helper()
	wantStatus := 0
	text, found := strings.CutPrefix(line, "$ ")
	if !found {
		var number string
		number, text, _ = strings.Cut(line[1:], " ")
		var err error
		if wantStatus, err = strconv.Atoi(number); err != nil {
			s.t.Fatalf("%s: not a command", at)
		}
	}
	words := split(s.expand(text))
	words, sorted, outFile := s.redirect(words)
	out, status := s.run(words)
	if outFile != "" {
		s.write(outFile, out)
		out = ""
	}
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if out == "" {
		got = nil
	}
	if sorted {
		slices.Sort(got)
	}
	for i := range want {
		want[i] = s.expand(want[i])
	}
	if status != wantStatus || !matchLines(want, got) {
		s.t.Fatalf("%s\nstatus %d, want %d\nstandard output:\n%s\nwant:\n%s\nstandard error:\n%s",
			at, status, wantStatus, strings.Join(got, "\n"), strings.Join(want, "\n"), s.stderr)
	}
}

// redirect takes "| sort", "< FILE" and "> FILE" off the end.
func (s *session) redirect(words []string) (rest []string, sorted bool, outFile string) {
	for len(words) > 2 {
		mark, name := words[len(words)-2], words[len(words)-1]
		switch {
		case mark == "|" && name == "sort":
			sorted = true
		case mark == ">":
			outFile = name
		case mark == "<":
			s.stdin = s.read(name)
		default:
			return words, sorted, outFile
		}
		words = words[:len(words)-2]
	}
	return words, sorted, outFile
}

func (s *session) run(words []string) (out string, status int) {
	s.t.Helper()
	if words[0] != "storj" {
		builtin := s.builtins()[words[0]]
		if builtin == nil {
			s.t.Fatalf("there is no command %q", words[0])
		}
		return builtin(words[1:]), 0
	}
	var stdout, stderr bytes.Buffer
	status = command.Main(s.t.Context(), s.commandEnv(words, &stdout, &stderr))
	s.stderr, s.stdin, s.person = stderr.String(), "", false
	return stdout.String(), status
}

func (s *session) commandEnv(words []string, stdout, stderr io.Writer) command.Env {
	var environ []string
	for name, value := range s.env {
		environ = append(environ, name+"="+value)
	}
	return command.Env{
		Args: words, Stdin: strings.NewReader(s.stdin), Stdout: stdout, Stderr: stderr, Environ: environ,
		Version:  command.Version{Version: "test", Go: "go", System: "test"},
		Terminal: command.Terminal{Stdin: s.person},
	}
}

// start runs a command in the background, under the name that is the first word.
func (s *session) start(words []string) {
	ctx, cancel := context.WithCancel(s.t.Context())
	b := &background{cancel: cancel, status: make(chan int, 1), stderr: newWatched()}
	s.back[words[0]] = b
	env := s.commandEnv(words[1:], io.Discard, b.stderr)
	go func() { b.status <- command.Main(ctx, env) }()
}

// stop ends a command in the background as an interrupt would.
func (s *session) stop(name string) {
	b := s.back[name]
	delete(s.back, name)
	b.cancel()
	if status := <-b.status; status != 0 {
		s.t.Errorf("%s ended with status %d:\n%s", name, status, b.stderr)
	}
}

// watched is a buffer that tells of what is written to it.
type watched struct {
	mu      sync.Mutex // guards text
	text    strings.Builder
	written chan struct{} // capacity 1: something was
}

func newWatched() *watched { return &watched{written: make(chan struct{}, 1)} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	select {
	case w.written <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (s *session) wait(name, text string) {
	b := s.back[name]
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for !strings.Contains(b.stderr.String(), text) {
		select {
		case <-b.stderr.written:
		case status := <-b.status:
			b.status <- status
			s.t.Fatalf("%s ended with status %d:\n%s", name, status, b.stderr)
		case <-timeout.C:
			s.t.Fatalf("waited for %q in vain:\n%s", text, b.stderr)
		}
	}
}

// builtins are the commands beside storj; each returns what it prints. Names of files are below $WORK unless absolute.
func (s *session) builtins() map[string]func(args []string) string {
	must := func(err error) string {
		if err != nil {
			s.t.Fatal(err)
		}
		return ""
	}
	return map[string]func(args []string) string{
		"file": func(args []string) string { s.write(args[0], args[1]); return "" }, // NAME CONTENT
		"random": func(args []string) string { // NAME SIZE
			size, err := strconv.Atoi(args[1])
			must(err)
			s.write(args[0], randomText(size))
			return ""
		},
		"show":  func(args []string) string { return s.read(args[0]) },
		"mkdir": func(args []string) string { return must(os.MkdirAll(s.path(args[0]), 0o755)) },
		"rm":    func(args []string) string { return must(os.RemoveAll(s.path(args[0]))) },
		"link":  func(args []string) string { return must(os.Symlink(args[0], s.path(args[1]))) }, // TARGET NAME
		"touch": func(args []string) string { // NAME: changed a minute later
			info, err := os.Stat(s.path(args[0]))
			must(err)
			return must(os.Chtimes(s.path(args[0]), time.Time{}, info.ModTime().Add(time.Minute)))
		},
		"chmod":  func(args []string) string { return must(chmod(args[0], s.path(args[1]))) },
		"port":   func(args []string) string { s.env[args[0]] = freePort(s.t); return "" }, // NAME of a variable
		"env":    func(args []string) string { s.env[args[0]] = args[1]; return "" },       // NAME VALUE
		"typing": func(args []string) string { s.person, s.stdin = true, strings.Join(args, "\n")+"\n"; return "" },
		"same":   func(args []string) string { return s.same(args[0], args[1]) },
		"ls":     func(args []string) string { return s.list(args[0]) },
		"errors": func([]string) string { return s.stderr },
		"wait":   func(args []string) string { s.wait(args[0], args[1]); return "" },
		"stop":   func(args []string) string { s.stop(args[0]); return "" },
		"url": func(args []string) string { // NAME of a variable, FILE with the JSON of a status
			var status struct{ URL string }
			must(json.Unmarshal([]byte(s.read(args[1])), &status))
			s.env[args[0]] = status.URL
			return ""
		},
		"field": func(args []string) string { // NAME of a variable, FILE with a JSON object a line, LINE from 1, FIELD
			n, err := strconv.Atoi(args[2])
			must(err)
			var object map[string]any
			must(json.Unmarshal([]byte(strings.Split(s.read(args[1]), "\n")[n-1]), &object))
			s.env[args[0]] = fmt.Sprint(object[args[3]])
			return ""
		},
		"secrets": func(args []string) string { return s.secrets(args) },
		"private": func(args []string) string { // NAME: nobody else may read it
			info, err := os.Stat(s.path(args[0]))
			must(err)
			if info.Mode().Perm() != 0o600 {
				s.t.Fatalf("%s has mode %v", args[0], info.Mode())
			}
			return ""
		},
		"sheet-words": func(args []string) string { // SHEET NAME: the words on it in their order, numbered, in capitals
			found := regexp.MustCompile(`\d+\. [a-z]+`).FindAllString(s.read(args[0]), -1)
			slices.SortFunc(found, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
			s.write(args[1], strings.ToUpper(strings.Join(found, " "))+"\n")
			return ""
		},
		"spoil-word": func(args []string) string { // NAME: its first word becomes one that is in no list
			list := regexp.MustCompile(`[A-Z]+`).FindAllString(s.read(args[0]), -1)
			list[0] = "XYZZY"
			s.write(args[0], strings.Join(list, " "))
			return ""
		},
	}
}

// number returns the number that a text begins with.
func number(text string) int {
	digits, _, _ := strings.Cut(text, ".")
	n, _ := strconv.Atoi(digits)
	return n
}

func chmod(mode, path string) error {
	bits, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return err
	}
	return os.Chmod(path, fs.FileMode(bits))
}

// randomText is the same for the same size.
func randomText(size int) string {
	rng := rand.New(rand.NewPCG(uint64(size), 7))
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	return string(raw)
}

func (s *session) same(a, b string) string {
	if s.read(a) != s.read(b) {
		s.t.Fatalf("%s and %s differ", a, b)
	}
	return ""
}

// list prints all files below a directory, with their types if they are not regular.
func (s *session) list(dir string) string {
	var lines []string
	err := filepath.WalkDir(s.path(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == s.path(dir) {
			return err
		}
		rel, err := filepath.Rel(s.path(dir), path)
		lines = append(lines, filepath.ToSlash(rel)+map[bool]string{true: "/"}[entry.IsDir()])
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// secrets fails if what files hold is in standard error of the last command.
func (s *session) secrets(files []string) string {
	for _, file := range files {
		if secret := strings.TrimSpace(s.read(file)); strings.Contains(s.stderr, secret) {
			s.t.Fatalf("what %s holds was printed:\n%s", file, s.stderr)
		}
	}
	return ""
}

func (s *session) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.env["WORK"], name)
}

func (s *session) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) read(name string) string {
	s.t.Helper()
	raw, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// expand replaces $NAME.
func (s *session) expand(text string) string {
	return os.Expand(text, func(name string) string {
		value, known := s.env[name]
		if !known {
			return "$" + name
		}
		return value
	})
}

// split cuts a line into words; '...' and "..." keep spaces, the latter with Go's escapes.
func split(line string) []string {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		switch line[0] {
		case '\'':
			end := strings.IndexByte(line[1:], '\'') + 1
			words, line = append(words, line[1:end]), line[end+1:]
		case '"':
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return append(words, line)
			}
			word, _ := strconv.Unquote(quoted)
			words, line = append(words, word), line[len(quoted):]
		default:
			word, rest, _ := strings.Cut(line, " ")
			words, line = append(words, word), rest
		}
	}
	return words
}

// matchLines compares lines; a wanted line "..." stands for any number of lines.
func matchLines(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "..." {
		return matchLines(want[1:], got) || len(got) > 0 && matchLines(want, got[1:])
	}
	return len(got) > 0 && matches(want[0], got[0], false) && matchLines(want[1:], got[1:])
}

// matches compares a text with a pattern in which <*> is anything; anywhere: the pattern is part of the text.
func matches(pattern, text string, anywhere bool) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), regexp.QuoteMeta("<*>"), "(?s:.*)")
	if !anywhere {
		expression = "^" + expression + "$"
	}
	return regexp.MustCompile(expression).MatchString(text)
}

// testInterruptedInParts ends uploads in parts in the middle: one is gone on with, one is ended for good.
func testInterruptedInParts(t *testing.T, s *session) {
	must := func(line string) string {
		t.Helper()
		out, status := s.run(split(s.expand(line)))
		if status != 0 {
			t.Fatalf("%s: status %d: %s", line, status, s.stderr)
		}
		return out
	}
	must("storj access create --satellite $SATELLITE --api-key-file $WORK/key --passphrase-file $WORK/passphrase")
	must("storj mb sj://bucket")
	must("random file 1000000")
	const upload = "storj cp -q --part-size 64KiB $WORK/file sj://bucket/file"
	interrupt := func() (pending string) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		status := make(chan int, 1)
		env := s.commandEnv(split(s.expand(upload+" --limit 400kB/s")), io.Discard, io.Discard)
		go func() { status <- command.Main(ctx, env) }()
		for !strings.Contains(pending, `"parts":`) || strings.Contains(pending, `"parts":0`) {
			pending = must("storj uploads ls --json sj://bucket")
		}
		cancel()
		if got := <-status; got != 130 {
			t.Fatalf("status %d", got)
		}
		return must("storj uploads ls --json sj://bucket")
	}
	id := func(pending string) string {
		_, rest, _ := strings.Cut(pending, `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	first := id(interrupt())
	if again := id(interrupt()); again != first || first == "" {
		t.Errorf("upload %q was not gone on with, but %q begun", first, again)
	}
	must(upload)
	must("storj cp -q sj://bucket/file $WORK/back")
	s.same("file", "back")
	must("storj rm -q sj://bucket/file")
	if third := id(interrupt()); third == first || third == "" {
		t.Errorf("upload %q after %q was done", third, first)
	}
	if out := must("storj uploads abort sj://bucket/fi"); !strings.HasPrefix(out, "abort sj://bucket/file") {
		t.Errorf("abort says %q", out)
	}
	if left := must("storj uploads ls sj://bucket"); left != "" {
		t.Errorf("left: %s", left)
	}
	must(upload) // what was kept of an upload that is gone does no harm
	must("storj cp -q sj://bucket/file $WORK/back")
	s.same("file", "back")
}

// testInterrupted ends transfers in the middle: the status says so and nothing is left.
func testInterrupted(t *testing.T, s *session) {
	for _, line := range []string{
		"storj access create --satellite $SATELLITE --api-key-file $WORK/key --passphrase-file $WORK/passphrase",
		"storj mb sj://bucket", "random large 2000000", "storj cp -q $WORK/large sj://bucket/large", "mkdir out",
	} {
		if _, status := s.run(split(s.expand(line))); status != 0 {
			t.Fatalf("%s: status %d: %s", line, status, s.stderr)
		}
	}
	const interrupted = 130
	ctx, cancel := context.WithCancel(t.Context())
	env := s.commandEnv(split("storj cp - sj://bucket/never"), io.Discard, io.Discard)
	env.Stdin = &endless{after: 1 << 20, then: cancel}
	if status := command.Main(ctx, env); status != interrupted {
		t.Errorf("upload: status %d", status)
	}
	ctx, cancel = context.WithCancel(t.Context())
	env = s.commandEnv(split("storj cat sj://bucket/large"), &callback{cancel}, io.Discard)
	if status := command.Main(ctx, env); status != interrupted {
		t.Errorf("cat: status %d", status)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	env = s.commandEnv(split(s.expand("storj cp -r sj://bucket $WORK/out")), io.Discard, io.Discard)
	if status := command.Main(ctx, env); status != interrupted {
		t.Errorf("download: status %d", status)
	}
	if left := s.list("out"); left != "" {
		t.Errorf("left behind: %s", left)
	}
	if out, _ := s.run(split("storj ls --json sj://bucket")); strings.Count(out, "\n") != 1 {
		t.Errorf("in the bucket:\n%s", out)
	}
}

// endless is input that never ends, and calls then when so many bytes have been read.
type endless struct {
	after int
	then  func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.after -= len(p); e.after <= 0 {
		e.then()
	}
	return len(p), nil
}

// callback is output that calls a function when something is written.
type callback struct{ then func() }

func (c *callback) Write(p []byte) (int, error) {
	c.then()
	return len(p), nil
}
