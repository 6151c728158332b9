package ordered

import (
	"bytes"
	"math/rand/v2"
)

// Map maps byte strings to values, in order. The zero value is an empty map. A plain copy shares the nodes: after it,
// neither of the two may be changed; Clone them first.
type Map[V any] struct {
	root  *node[V]
	owner *owner // of nodes that may be changed in place
	count int
}

// owner is only an address; it must have a size to be distinct from others.
type owner struct{ _ byte }

type node[V any] struct {
	key         []byte
	value       V
	left, right *node[V]
	owner       *owner
	priority    uint32 // no smaller than those of the children
}

// Clone returns a map of the same content that may be changed while the receiver is read.
func (m Map[V]) Clone() Map[V] {
	return Map[V]{root: m.root, owner: new(owner), count: m.count}
}

// Len is the number of keys.
func (m *Map[V]) Len() int { return m.count }

// Get returns the value of key.
func (m *Map[V]) Get(key []byte) (value V, ok bool) {
	n := m.find(key)
	if n == nil {
		return value, false
	}
	return n.value, true
}

// Set sets the value of key. Ownership: key is kept and must not change.
func (m *Map[V]) Set(key []byte, value V) {
	if m.owner == nil {
		m.owner = new(owner)
	}
	m.root = m.set(m.root, key, value)
}

// Delete removes key and says whether it was there.
func (m *Map[V]) Delete(key []byte) bool {
	if m.find(key) == nil {
		return false
	}
	m.root = m.remove(m.root, key)
	m.count--
	return true
}

// Bound chooses which neighbour of a key Seek returns.
type Bound int

// The bounds.
const (
	AtLeast Bound = iota // the smallest key >= the given one
	Above                // the smallest key > the given one
	AtMost               // the largest key <= the given one
	Below                // the largest key < the given one
)

// Seek returns the neighbour of key that bound asks for. Ownership: the key returned is read only.
func (m *Map[V]) Seek(key []byte, bound Bound) (found []byte, value V, ok bool) {
	var best *node[V]
	for n := m.root; n != nil; {
		order := bytes.Compare(n.key, key)
		if order == 0 && (bound == AtLeast || bound == AtMost) {
			best = n
			break
		}
		switch up := bound <= Above; {
		case up && order > 0:
			best, n = n, n.left
		case up:
			n = n.right
		case order < 0:
			best, n = n, n.right
		default:
			n = n.left
		}
	}
	return best.entry()
}

// Last returns the largest key.
func (m *Map[V]) Last() (found []byte, value V, ok bool) {
	n := m.root
	for n != nil && n.right != nil {
		n = n.right
	}
	return n.entry()
}

func (n *node[V]) entry() (key []byte, value V, ok bool) {
	if n == nil {
		return nil, value, false
	}
	return n.key, n.value, true
}

func (m *Map[V]) find(key []byte) *node[V] {
	n := m.root
	for n != nil {
		order := bytes.Compare(key, n.key)
		switch {
		case order < 0:
			n = n.left
		case order > 0:
			n = n.right
		default:
			return n
		}
	}
	return nil
}

// own returns n if it may be changed in place, else a copy.
func (m *Map[V]) own(n *node[V]) *node[V] {
	if n.owner == m.owner {
		return n
	}
	mine := *n
	mine.owner = m.owner
	return &mine
}

func (m *Map[V]) set(n *node[V], key []byte, value V) *node[V] {
	if n == nil {
		m.count++
		return &node[V]{key: key, value: value, owner: m.owner, priority: rand.Uint32()}
	}
	n = m.own(n)
	switch order := bytes.Compare(key, n.key); {
	case order == 0:
		n.value = value
	case order < 0:
		n.left = m.set(n.left, key, value)
		if n.left.priority > n.priority {
			up := n.left // owned: set returned it
			n.left, up.right = up.right, n
			return up
		}
	default:
		n.right = m.set(n.right, key, value)
		if n.right.priority > n.priority {
			up := n.right
			n.right, up.left = up.left, n
			return up
		}
	}
	return n
}

// remove takes out key, which is there.
func (m *Map[V]) remove(n *node[V], key []byte) *node[V] {
	order := bytes.Compare(key, n.key)
	if order == 0 {
		return m.merge(n.left, n.right)
	}
	n = m.own(n)
	if order < 0 {
		n.left = m.remove(n.left, key)
	} else {
		n.right = m.remove(n.right, key)
	}
	return n
}

// merge joins two trees of which all keys of left are smaller.
func (m *Map[V]) merge(left, right *node[V]) *node[V] {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	case left.priority >= right.priority:
		left = m.own(left)
		left.right = m.merge(left.right, right)
		return left
	default:
		right = m.own(right)
		right.left = m.merge(left, right.left)
		return right
	}
}
