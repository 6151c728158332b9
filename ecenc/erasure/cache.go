package erasure

import (
	"sync"

	"storj/ecenc"
)

// maxMatrices bounds the matrices of a Cache. A network has one or two schemes at a time; schemes change as it grows.
const maxMatrices = 16

// Cache hands out Codes whose matrices are built once. The zero value is ready; it may be used concurrently and must
// not be copied.
type Cache struct {
	mu       sync.Mutex // guards the fields below
	matrices map[scheme]*matrix
}

type scheme struct{ required, total int }

// Get returns a Code for r, whose ShareSize must be set.
//
// Errors: as New.
func (c *Cache) Get(r ecenc.Redundancy) (*Code, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	key := scheme{r.Required, r.Total}
	c.mu.Lock()
	m := c.matrices[key]
	c.mu.Unlock()
	if m != nil {
		return newCode(r, m), nil
	}
	m, err := newMatrix(r.Required, r.Total)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.matrices == nil || len(c.matrices) >= maxMatrices {
		c.matrices = map[scheme]*matrix{} // starting over beats keeping an order for a map that never fills in practice
	}
	c.matrices[key] = m
	return newCode(r, m), nil
}
