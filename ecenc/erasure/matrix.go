package erasure

import (
	"fmt"
	"sync"

	"github.com/klauspost/reedsolomon"
)

const (
	// maxPlans bounds the plans kept with a matrix: an upload or a download uses one each. A plan is Required x rows
	// bytes of coefficients, at most 16 KiB, beside work buffers that the library pools and the collector frees.
	maxPlans = 32
	// tile is the widest matrix, in rows or columns, which the library multiplies in one go.
	tile = 10
	// minWideShare is the smallest share in bytes for the library's wide path. Measured: twice as fast at 1 KiB with
	// GFNI, as fast without; it costs a goroutine a stripe, and under 256 bytes it leaves the assembly.
	minWideShare = 1 << 10
)

// plan is the library's encoder for some rows: Required inputs, as many outputs as rows. It has no state.
type plan struct {
	encoder reedsolomon.Encoder
}

// matrix is what all Codes of the same Required and Total share.
type matrix struct {
	required, total int

	full   reedsolomon.Encoder // nil when there is no parity
	parity [][]byte            // row i-required for piece i; required coefficients each

	mu    sync.Mutex // guards the fields below
	plans map[string]*plan
	ring  [maxPlans]string // keys of plans in order of entry; the oldest is at next
	next  int
}

func newMatrix(required, total int) (*matrix, error) {
	m := &matrix{required: required, total: total, plans: map[string]*plan{}}
	if required == total {
		return m, nil
	}
	full, err := reedsolomon.New(required, total-required,
		reedsolomon.WithMaxGoroutines(1), reedsolomon.WithInversionCache(false))
	if err != nil {
		return nil, fmt.Errorf("build %d/%d: %w", required, total, err)
	}
	shards := unitVectors(required, total)
	for i := range shards[required:] {
		shards[required+i] = make([]byte, required)
	}
	if err := full.Encode(shards); err != nil {
		return nil, fmt.Errorf("build %d/%d: %w", required, total, err)
	}
	m.full, m.parity = full, shards[required:]
	return m, nil
}

// unitVectors returns total shards of which the first count are the rows of the identity matrix: what a linear code
// makes of them are its coefficients.
func unitVectors(count, total int) [][]byte {
	shards := make([][]byte, total)
	for i := range count {
		shards[i] = make([]byte, count)
		shards[i][i] = 1
	}
	return shards
}

// parityPlan computes these rows of parity from the data.
func (m *matrix) parityPlan(rows []int, share int) (*plan, error) {
	return m.plan(planKey('e', share, rows), share, func() ([][]byte, error) {
		coefficients := make([][]byte, len(rows))
		for i, row := range rows {
			coefficients[i] = m.parity[row]
		}
		return coefficients, nil
	})
}

// decodePlan computes the missing data pieces from the used ones, which are every other data piece and some parity.
func (m *matrix) decodePlan(used, missing []int, share int) (*plan, error) {
	return m.plan(planKey('d', share, used), share, func() ([][]byte, error) {
		vectors := unitVectors(m.required, m.required)
		shards := make([][]byte, m.total)
		for i, piece := range used {
			shards[piece] = vectors[i]
		}
		if err := m.full.ReconstructData(shards); err != nil {
			return nil, fmt.Errorf("invert matrix of %d/%d: %w", m.required, m.total, err)
		}
		coefficients := make([][]byte, len(missing))
		for i, piece := range missing {
			coefficients[i] = shards[piece]
		}
		return coefficients, nil
	})
}

func planKey(kind byte, share int, pieces []int) string {
	key := make([]byte, 0, 3+len(pieces))
	key = append(key, kind, byte(share>>8), byte(share))
	for _, piece := range pieces {
		key = append(key, byte(piece))
	}
	return string(key)
}

// plan returns the plan of this key, making it when it is not at hand. Two callers may make the same one; either is
// right.
func (m *matrix) plan(key string, share int, rows func() ([][]byte, error)) (*plan, error) {
	m.mu.Lock()
	p := m.plans[key]
	m.mu.Unlock()
	if p != nil {
		return p, nil
	}
	coefficients, err := rows()
	if err != nil {
		return nil, err
	}
	options := append(pathOptions(m.required, len(coefficients), share),
		reedsolomon.WithCustomMatrix(coefficients), reedsolomon.WithInversionCache(false))
	encoder, err := reedsolomon.New(m.required, len(coefficients), options...)
	if err != nil {
		return nil, fmt.Errorf("plan for %d/%d: %w", m.required, m.total, err)
	}
	p = &plan{encoder: encoder}
	m.keep(key, p)
	return p, nil
}

func (m *matrix) keep(key string, p *plan) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.plans[key] != nil {
		return
	}
	delete(m.plans, m.ring[m.next])
	m.ring[m.next] = key
	m.next = (m.next + 1) % maxPlans
	m.plans[key] = p
}

// pathOptions picks the library's path, see Why in the package comment. With a split size of just under a share the
// path for several goroutines makes one part of it, and so one goroutine.
func pathOptions(inputs, outputs, share int) []reedsolomon.Option {
	if share < minWideShare || inputs <= tile && outputs <= tile {
		return []reedsolomon.Option{reedsolomon.WithMaxGoroutines(1)}
	}
	return []reedsolomon.Option{reedsolomon.WithMaxGoroutines(2), reedsolomon.WithMinSplitSize(share - 1)}
}
