package debug

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"
)

func TestNewRefusesOtherMachines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		address string
		allow   bool
		refused bool
	}{
		{name: "loopback v4", address: "127.0.0.1:0"},
		{name: "loopback v6", address: "[::1]:0"},
		{name: "localhost", address: "localhost:0"},
		{name: "all addresses", address: "0.0.0.0:0", refused: true},
		{name: "no host", address: ":0", refused: true},
		{name: "no port", address: "127.0.0.1", refused: true},
		{name: "allowed", address: "0.0.0.0:0", allow: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(zerolog.Nop(), Options{Address: test.address, AllowRemote: test.allow})
			if errors.Is(err, ErrExposed) != test.refused {
				t.Fatalf("error %v, want refused %v", err, test.refused)
			}
			if s != nil {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func start(t *testing.T, opts Options) string {
	t.Helper()
	opts.Address = "127.0.0.1:0"
	s, err := New(zerolog.Nop(), opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Address()
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestServer(t *testing.T) {
	t.Parallel()
	set := metrics.NewSet()
	set.NewCounter("storj_test_total").Add(7)
	broken := false
	base := start(t, Options{Metrics: []*metrics.Set{set}, Checks: map[string]Check{
		"always": func(context.Context) error { return nil },
		"sometimes": func(context.Context) error {
			if broken {
				return errors.New("disk gone")
			}
			return nil
		},
	}})

	status, body := get(t, base+"/metrics")
	for _, want := range []string{"storj_test_total 7\n", "process_resident_memory_bytes", "go_goroutines"} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("/metrics: status %d, misses %q", status, want)
		}
	}
	if status, body = get(t, base+"/health"); status != 200 || !strings.Contains(body, `"ok":true`) {
		t.Errorf("/health of the well: %d %s", status, body)
	}
	broken = true
	status, body = get(t, base+"/health")
	var health Health
	if err := json.Unmarshal([]byte(body), &health); err != nil {
		t.Fatal(err)
	}
	if status != 503 || health.OK || health.Checks["sometimes"] != "disk gone" || health.Checks["always"] != "ok" {
		t.Errorf("/health of the ill: %d %+v", status, health)
	}
	if status, _ = get(t, base+"/debug/pprof/cmdline"); status != 404 {
		t.Errorf("pprof without being asked for: %d", status)
	}
}

func TestPprofWhenAsked(t *testing.T) {
	t.Parallel()
	if status, _ := get(t, start(t, Options{Pprof: true})+"/debug/pprof/cmdline"); status != 200 {
		t.Errorf("status %d", status)
	}
}
