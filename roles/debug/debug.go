package debug

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/rs/zerolog"
)

const (
	// checkTimeout is how long all checks of one request may take.
	checkTimeout = 5 * time.Second
	// stopTimeout is how long requests may go on after the server was told to stop.
	stopTimeout   = 2 * time.Second
	headerTimeout = 5 * time.Second
	maxHeader     = 16 << 10 // bytes
)

// ErrExposed is returned by New for an address that other machines can reach.
var ErrExposed = errors.New("debug address can be reached by other machines: use 127.0.0.1, or allow it explicitly")

// Check says whether one part of the process is well. Its error is shown to whoever asks.
type Check func(ctx context.Context) error

// Options says what to show.
type Options struct {
	Address     string // host:port; port 0 picks one
	AllowRemote bool   // accept an Address that other machines can reach
	Pprof       bool
	Metrics     []*metrics.Set
	Checks      map[string]Check
}

// Server serves one address.
type Server struct {
	log      zerolog.Logger
	opts     Options
	listener net.Listener
	http     *http.Server
}

// New opens the address. Nothing is answered before Run. Errors: ErrExposed, those of the socket.
func New(log zerolog.Logger, opts Options) (*Server, error) {
	if !opts.AllowRemote && !isLoopback(opts.Address) {
		return nil, fmt.Errorf("%w: %s", ErrExposed, opts.Address)
	}
	listener, err := net.Listen("tcp", opts.Address)
	if err != nil {
		return nil, fmt.Errorf("open debug address: %w", err)
	}
	s := &Server{log: log.With().Str("svc", "debug").Logger(), opts: opts, listener: listener}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: headerTimeout, MaxHeaderBytes: maxHeader}
	return s, nil
}

// Address is the host:port that is served.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	s.log.Info().Str("address", s.Address()).Msg("debug server started")
	stopped := make(chan struct{})
	defer func() { <-stopped }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			_ = s.http.Close() // best effort: profiles may take longer than the grace
		}
	}()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve debug: %w", err)
	}
	return nil
}

// Close frees the address.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.http.Close())
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	mux.HandleFunc("GET /health", s.serveHealth)
	if s.opts.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func (s *Server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, set := range s.opts.Metrics {
		set.WritePrometheus(w)
	}
	metrics.WriteProcessMetrics(w)
}

// Health is the answer of /health.
type Health struct {
	OK     bool              `json:"ok"`
	Checks map[string]string `json:"checks"` // "ok", or what is wrong
}

func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	health := Health{OK: true, Checks: make(map[string]string, len(s.opts.Checks))}
	for _, name := range slices.Sorted(maps.Keys(s.opts.Checks)) {
		health.Checks[name] = "ok"
		if err := s.opts.Checks[name](ctx); err != nil {
			health.OK, health.Checks[name] = false, err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !health.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(health) // best effort: the client may have gone
}

// isLoopback says whether only this machine can reach the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
