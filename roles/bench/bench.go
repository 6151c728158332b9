package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"storj/roles/uplink"
)

// Options says what to measure. The zero value measures a quick 64 MiB and 200 small objects.
type Options struct {
	Large   int64 // bytes of the large object; 64 MiB
	Small   int   // objects of each small size; 200
	Workers int   // concurrent small operations; 16
	// OtherCPU is the CPU time so far of the other processes that belong to the network; nil: none are counted.
	OtherCPU func() time.Duration
	// Progress is told what is measured next; nil: nobody is.
	Progress func(what string)
}

// Report is what was measured, in the order of measuring.
type Report struct {
	Transfers  []Transfer  `json:"transfers"`
	Operations []Operation `json:"operations"`
}

// Transfer is one large object moved.
type Transfer struct {
	Name       string        `json:"name"`
	Bytes      int64         `json:"bytes"` // of the object
	Wall       time.Duration `json:"wall_ns"`
	CPU        time.Duration `json:"cpu_ns"`
	PieceBytes int64         `json:"piece_bytes"` // on the wire to or from nodes
}

// MegabytesPerSecond is the rate of useful bytes, in 10^6 bytes.
func (t Transfer) MegabytesPerSecond() float64 { return float64(t.Bytes) / 1e6 / t.Wall.Seconds() }

// CPUPerGiB is the CPU seconds for 2^30 useful bytes.
func (t Transfer) CPUPerGiB() float64 { return t.CPU.Seconds() * (1 << 30) / float64(t.Bytes) }

// Expansion is the bytes on the wire for each useful byte.
func (t Transfer) Expansion() float64 { return float64(t.PieceBytes) / float64(t.Bytes) }

// Operation is a small operation repeated: one after another for the latencies, then by Workers at once for the rate.
type Operation struct {
	Name      string        `json:"name"`
	Count     int           `json:"count"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	PerSecond float64       `json:"per_second"`
	CPU       time.Duration `json:"cpu_ns"`       // for each, by Workers at once
	Asked     float64       `json:"pieces_asked"` // for each
	Alone     time.Duration `json:"cpu_alone_ns"` // for each, one after another
}

// session is one run.
type session struct {
	project *uplink.Project
	opts    Options
	bucket  string
	report  *Report
}

// Run measures. What it made is removed, also after an error.
func Run(ctx context.Context, project *uplink.Project, opts Options) (_ *Report, err error) {
	if opts.Large == 0 {
		opts.Large = 64 << 20
	}
	if opts.Small == 0 {
		opts.Small = 200
	}
	if opts.Workers == 0 {
		opts.Workers = 16
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if opts.OtherCPU == nil {
		opts.OtherCPU = func() time.Duration { return 0 }
	}
	var suffix [6]byte
	_, _ = rand.Read(suffix[:]) // never fails
	s := &session{project: project, opts: opts, bucket: "bench-" + hex.EncodeToString(suffix[:]), report: &Report{}}
	if _, err := project.CreateBucket(ctx, s.bucket, nil); err != nil {
		return nil, err
	}
	defer func() {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, removeErr := project.DeleteBucketWithObjects(cleanup, s.bucket)
		err = errors.Join(err, removeErr)
	}()
	for _, step := range []func(context.Context) error{s.large, s.small64, s.inline, s.metadata} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return s.report, nil
}

func (s *session) cpu() time.Duration { return OwnCPU() + s.opts.OtherCPU() }

// large moves one large object up and down, after a small one that makes the connections.
func (s *session) large(ctx context.Context) error {
	if err := s.put(ctx, "warm", 1<<20); err != nil {
		return err
	}
	err := s.transfer("upload", func() error { return s.put(ctx, "large", s.opts.Large) })
	if err != nil {
		return err
	}
	err = s.transfer("download", func() error { return s.get(ctx, "large", nil) })
	if err != nil {
		return err
	}
	return s.operation(ctx, "read 4 KiB of the large object", func(ctx context.Context, i int) error {
		offset := int64(i) * 7919 * 4096 % max(s.opts.Large-4096, 1)
		return s.get(ctx, "large", &uplink.DownloadOptions{Offset: offset, Length: 4096})
	})
}

func (s *session) transfer(name string, move func() error) error {
	s.opts.Progress(name)
	before, cpu, start := s.project.Stats(), s.cpu(), time.Now()
	if err := move(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	after := s.project.Stats()
	s.report.Transfers = append(s.report.Transfers, Transfer{
		Name: name, Bytes: s.opts.Large, Wall: time.Since(start), CPU: s.cpu() - cpu,
		PieceBytes: after.PieceBytesSent - before.PieceBytesSent + after.PieceBytesReceived - before.PieceBytesReceived,
	})
	return nil
}

func (s *session) small64(ctx context.Context) error { return s.sized(ctx, "64 KiB", 64<<10) }

func (s *session) inline(ctx context.Context) error { return s.sized(ctx, "4 KiB", 4<<10-64) }

// sized puts and gets objects of one size.
func (s *session) sized(ctx context.Context, name string, size int64) error {
	err := s.operation(ctx, "put "+name, func(ctx context.Context, i int) error {
		return s.put(ctx, fmt.Sprintf("%d/%d", size, i), size)
	})
	if err != nil {
		return err
	}
	return s.operation(ctx, "get "+name, func(ctx context.Context, i int) error {
		return s.get(ctx, fmt.Sprintf("%d/%d", size, i), nil)
	})
}

func (s *session) metadata(ctx context.Context) error {
	err := s.operation(ctx, "stat", func(ctx context.Context, _ int) error {
		_, err := s.project.Stat(ctx, s.bucket, "large")
		return err
	})
	if err != nil {
		return err
	}
	return s.operation(ctx, "list a page", func(ctx context.Context, _ int) error {
		list := s.project.List(ctx, s.bucket, &uplink.ListOptions{Recursive: true})
		for n := 0; n < 1000 && list.Next(); n++ {
		}
		return list.Err()
	})
}

// operation measures one operation alone and in company. Operation i of both rounds is the same one.
func (s *session) operation(ctx context.Context, name string, op func(ctx context.Context, i int) error) error {
	s.opts.Progress(name)
	count := s.opts.Small
	latencies := make([]time.Duration, count)
	cpu := s.cpu()
	for i := range count {
		start := time.Now()
		if err := op(ctx, i); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		latencies[i] = time.Since(start)
	}
	alone := s.cpu() - cpu
	slices.Sort(latencies)

	asked, cpu, start := s.project.Stats().NodesAsked, s.cpu(), time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range s.opts.Workers {
		group.Go(func() error {
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				if err := op(ctx, int(i)); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	wall := time.Since(start)
	s.report.Operations = append(s.report.Operations, Operation{
		Name: name, Count: count, P50: latencies[count/2], P99: latencies[count*99/100],
		PerSecond: float64(count) / wall.Seconds(),
		CPU:       (s.cpu() - cpu) / time.Duration(count), Alone: alone / time.Duration(count),
		Asked: float64(s.project.Stats().NodesAsked-asked) / float64(count),
	})
	return nil
}

func (s *session) put(ctx context.Context, key string, size int64) error {
	_, err := s.project.Put(ctx, s.bucket, key, io.LimitReader(newNoise(), size), nil)
	return err
}

func (s *session) get(ctx context.Context, key string, opts *uplink.DownloadOptions) error {
	d, err := s.project.Download(ctx, s.bucket, key, opts)
	if err != nil {
		return err
	}
	_, err = d.WriteTo(io.Discard)
	return errors.Join(err, d.Close())
}

// noise repeats a block of random bytes: what is measured is not the making of them.
type noise struct {
	block []byte
	at    int
}

func newNoise() *noise {
	block := make([]byte, 64<<10)
	_, _ = rand.Read(block) // never fails
	return &noise{block: block}
}

// Read never fails and never ends.
func (n *noise) Read(p []byte) (int, error) {
	for done := 0; done < len(p); {
		if n.at == len(n.block) {
			n.at = 0
		}
		copied := copy(p[done:], n.block[n.at:])
		done, n.at = done+copied, n.at+copied
	}
	return len(p), nil
}
