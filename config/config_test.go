package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write golden files")

func roles() map[string]Role {
	return map[string]Role{"satellite": &Satellite{}, "node": &Node{}, "client": &Client{}, "up": &Up{}}
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update to accept):\n%s", path, got)
	}
}

func TestDefaultsGolden(t *testing.T) {
	t.Parallel()
	for name, role := range roles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			SetDefaults(role)
			var out bytes.Buffer
			for _, s := range Settings(role) {
				fmt.Fprintf(&out, "%s\n  kind     %s, %s\n  default  %q\n  range    %s\n  env      %s\n  %s\n",
					s.Name, s.Kind, s.Unit, s.Default, s.Range, EnvName(role, s.Name), s.Doc)
			}
			compareGolden(t, name+".golden", out.Bytes())
		})
	}
}

func TestFileGolden(t *testing.T) {
	t.Parallel()
	report, err := Load(&Node{}, "", nil, map[string]string{
		"dir": "/srv/storj", "disks": "/mnt/a=4TB, /mnt/b=1.5TB", "domain": "site=attic", "relaxed-sync": "true", "address": ":7000",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := report.Commented(&out); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "node-file.golden", out.Bytes())
}

// Every setting that WriteFile writes comes back from the file with the same value.
func TestWriteFileLoad(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]map[string]string{
		"satellite": {"dir": "d", "rate-limit": "90/min", "open-join": "true", "redundancy": "1/2/3/4", "check-in-interval": "90s"},
		"node":      {"dir": "d", "capacity": "1234567890B", "reserve": "3GiB", "log-level": "debug", "external-address": "h.example:1"},
		"client":    {"parallel": "7"},
		"up":        {"nodes": "3", "address": "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := FileIn(t.TempDir())
			want, err := Load(roles()[name], path, nil, flags)
			if err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(path, want); err != nil {
				t.Fatal(err)
			}
			if err := WriteFile(path, want); !errors.Is(err, fs.ErrExist) {
				t.Errorf("second write: %v", err)
			}
			dir := map[string]string{}
			if d, ok := flags["dir"]; ok {
				dir["dir"] = d
			}
			got, err := Load(roles()[name], path, nil, dir)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range want.Values {
				if got.Values[i].Value != v.Value {
					t.Errorf("%s: %q became %q", v.Name, v.Value, got.Values[i].Value)
				}
			}
		})
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadOrder(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "parallel: 5\nmemory: 2GiB\nlog-level: debug\n")
	env := []string{"STORJ_MEMORY=3GiB", "STORJ_LOG_LEVEL=error", "STORJ_NODE_CAPACITY=nonsense", "PARALLEL=9", "STORJ_PARALEL=9", "odd",
		"STORJ_JOIN=x", "STORJ_SERVICE_HOST=x", "STORJ_PORT=tcp://x"}
	var c Client
	report, err := Load(&c, path, env, map[string]string{"log-level": "trace"})
	if err != nil {
		t.Fatal(err)
	}
	want := Client{Parallel: 5, Memory: 3 * GiB, Log: Log{Level: "trace", Format: "auto"}}
	if c != want {
		t.Errorf("got %+v", c)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0], "STORJ_PARALLEL") {
		t.Errorf("warnings %q", report.Warnings)
	}
	var out bytes.Buffer
	if err := report.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"parallel", "file " + path + ":1", "environment STORJ_MEMORY", "flag", "default"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("shown without %q:\n%s", want, out.String())
		}
	}
}

func TestLoadReportsEveryFault(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "capcity: 4TB\nreserve: many\naddress: [a, b]\naddress: x\ndir: /elsewhere\ndisks: {a: b}\n")
	var n Node
	report, err := Load(&n, path, []string{"STORJ_NODE_DOMAIN=two words"}, map[string]string{
		"external-address": ":80", "log-level": "loud", "nothing-like-it-at-all": "1",
	})
	if !errors.Is(err, ErrConfig) || report == nil {
		t.Fatalf("error %v, report %v", err, report)
	}
	for _, want := range []string{
		`capcity (file): unknown setting: did you mean "capacity"?`, path + ":1", "reserve (file)",
		"address (file): is not a plain value", "is given in line 3 already", "dir (file): cannot be set in the file",
		"disks (file): is not a plain value", "domain (environment)", "--external-address", "--log-level",
		"--nothing-like-it-at-all: unknown setting [", "dir: is needed", "capacity: is needed",
	} {
		want = strings.TrimSuffix(want, " [")
		if !strings.Contains(err.Error(), want) {
			t.Errorf("fault %q is missing", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	typed, ok := errors.AsType[*Error](err)
	if !ok || len(typed.Faults) != 12 {
		t.Errorf("faults: %v", err)
	}
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		bad        bool
	}{
		{name: "empty"},
		{name: "comments only", text: "# nothing\n"},
		{name: "list in one line", text: "parallel: 3\n"},
		{name: "no map", text: "- a\n", bad: true},
		{name: "no YAML", text: "a: [\n", bad: true},
		{name: "null", text: "parallel:\n", bad: true},
		{name: "alias", text: "parallel: &a 4\nmemory: *a\n", bad: true},
		{name: "number as text", text: "parallel: \"6\"\n"},
		{name: "over a mebibyte", text: strings.Repeat("#\n", 600<<10), bad: true},
		{name: "out of range", text: "parallel: 0\n", bad: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(&Client{}, writeFile(t, test.text), nil, nil)
			if (err != nil) != test.bad {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := Load(&Client{}, filepath.Join(t.TempDir(), "none.yaml"), nil, nil); err != nil {
		t.Errorf("missing file: %v", err)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		role, name, value string
		bad               bool
	}{
		{"satellite", "redundancy", "auto", false},
		{"satellite", "redundancy", "4/6/8/10", false},
		{"satellite", "redundancy", "1/1/1/1", false},
		{"satellite", "redundancy", "4/3/8/10", true},
		{"satellite", "redundancy", "0/1/1/1", true},
		{"satellite", "redundancy", "1/2/3", true},
		{"satellite", "redundancy", "29/35/80/256", true},
		{"satellite", "redundancy", "", true},
		{"satellite", "address", ":7777", false},
		{"satellite", "address", "[::1]:0", false},
		{"satellite", "address", "", true},
		{"satellite", "address", "localhost", true},
		{"satellite", "address", "h:99999", true},
		{"satellite", "external-address", "h:0", true},
		{"satellite", "external-address", "", false},
		{"satellite", "check-in-interval", "3h", true}, // over half of the window
		{"satellite", "open-join", "maybe", true},
		{"satellite", "rate-limit", "off", false},
		{"node", "capacity", "1MB", true},
		{"node", "disks", "/a=1TB", true}, // with capacity
		{"node", "disks", "/a", true},
		{"node", "disks", "/a=1TB,/a/=2TB", true},
		{"node", "disks", "/a=1MB", true},
		{"node", "disks", "=1TB", true},
		{"node", "domain", "site=attic", false},
		{"node", "domain", strings.Repeat("a", 65), true},
		{"node", "log-format", "xml", true},
		{"up", "nodes", "201", true},
		{"up", "nodes", "many", true},
		{"client", "memory", "1MiB", true},
	}
	for _, test := range tests {
		t.Run(test.role+" "+test.name+" "+test.value, func(t *testing.T) {
			t.Parallel()
			flags := map[string]string{test.name: test.value}
			if test.role == "satellite" || test.role == "node" {
				flags["dir"] = "d"
			}
			if test.role == "node" && test.name != "capacity" {
				flags["capacity"] = "1TB"
			}
			if _, err := Load(roles()[test.role], "", nil, flags); errors.Is(err, ErrConfig) != test.bad {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestPieceDisks(t *testing.T) {
	t.Parallel()
	var n Node
	if _, err := Load(&n, "", nil, map[string]string{"dir": "/srv", "capacity": "1TB"}); err != nil {
		t.Fatal(err)
	}
	if got, want := n.PieceDisks(), []Disk{{filepath.Join("/srv", "pieces"), TB}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := Load(&n, "", nil, map[string]string{"dir": "/srv", "disks": "/a=1TB,/b=x=2TB"}); err != nil {
		t.Fatal(err)
	}
	if got, want := n.PieceDisks(), []Disk{{"/a", TB}, {"/b=x", 2 * TB}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestClientDir(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	tests := []struct {
		name    string
		set     string
		environ []string
		want    string
	}{
		{name: "set", set: "x", environ: []string{"HOME=" + home}, want: "x"},
		{name: "xdg", environ: []string{"HOME=/other", "XDG_CONFIG_HOME=" + home}, want: filepath.Join(home, "storj")},
		{name: "relative xdg", environ: []string{"HOME=" + home, "XDG_CONFIG_HOME=x"}, want: filepath.Join(home, ".config", "storj")},
		{name: "home", environ: []string{"HOME=/other", "HOME=" + home}, want: filepath.Join(home, ".config", "storj")},
		{name: "none"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ClientDir(&Client{Dir: test.set}, test.environ)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestFileOf(t *testing.T) {
	t.Parallel()
	env := []string{"STORJ_NODE_DIR=/env", "HOME=/home/ann"}
	tests := []struct {
		name  string
		role  Role
		flags map[string]string
		want  string
	}{
		{"flag", &Node{}, map[string]string{"dir": "/flag"}, "/flag/config.yaml"},
		{"environment", &Node{}, nil, "/env/config.yaml"},
		{"nowhere", &Satellite{}, nil, ""},
		{"client", &Client{}, nil, "/home/ann/.config/storj/config.yaml"},
		{"client's flag", &Client{}, map[string]string{"config-dir": "/c"}, "/c/config.yaml"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := FileOf(test.role, env, test.flags); got != filepath.FromSlash(test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"address", "capacity", "external-address", "log-level"}
	for word, want := range map[string]string{
		"capcity": "capacity", "adress": "address", "externaladdress": "external-address", "loglevel": "log-level",
		"zebra": "", "": "", strings.Repeat("a", 5000): "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("%.20q is near %q, want %q", word, got, want)
		}
	}
}

func TestNewLogger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		log     Log
		has     string
		not     string
		invalid bool
	}{
		{name: "json", log: Log{Level: "info", Format: "json"}, has: `"message":"shown"`, not: "hidden"},
		{name: "auto is json to a file", log: Log{Level: "info", Format: "auto"}, has: `"message":"shown"`, not: "hidden"},
		{name: "console without colour", log: Log{Level: "info", Format: "console"}, has: "INF shown", not: "\x1b"},
		{name: "debug", log: Log{Level: "debug", Format: "json"}, has: "hidden"},
		{name: "no level", log: Log{}, invalid: true},
		{name: "other level", log: Log{Level: "loud"}, invalid: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log, err := NewLogger(&out, test.log, nil)
			if errors.Is(err, ErrValue) != test.invalid {
				t.Fatal(err)
			}
			log.Info().Msg("shown")
			log.Debug().Msg("hidden")
			if !strings.Contains(out.String(), test.has) || test.not != "" && strings.Contains(out.String(), test.not) {
				t.Errorf("logged %q", out.String())
			}
		})
	}
	if !plain([]string{"NO_COLOR=1"}) || !plain([]string{"TERM=dumb"}) || plain([]string{"NO_COLOR=", "TERM=xterm"}) {
		t.Error("colour is not decided by NO_COLOR and TERM")
	}
}

func TestDurationsOfDefaults(t *testing.T) {
	t.Parallel()
	var s Satellite
	SetDefaults(&s)
	if time.Duration(s.CheckInInterval) != time.Hour || time.Duration(s.NodeOnlineWindow) != 4*time.Hour || s.RateLimit.PerSecond() != 1000 {
		t.Errorf("defaults %+v", s)
	}
}

func FuzzLoadFile(f *testing.F) {
	f.Add([]byte("capacity: 4TB\naddress: \":7\"\n"))
	f.Add([]byte("disks: [a=1TB, b=2TB]\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {}\n: x\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, _ := Load(&Node{}, path, nil, nil); report == nil {
			t.Fatal("no report")
		}
	})
}
