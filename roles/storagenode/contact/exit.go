package contact

import (
	"fmt"
	"time"

	"storj/netx"
	"storj/pieces"
)

// SetExiting notes durably whether the node is to leave a satellite, which is told at once: that its pieces are to be
// moved away, or no longer. Errors: pieces.ErrUntrusted for one that the node has not joined.
func (c *Contact) SetExiting(id netx.NodeID, exiting bool) error {
	c.mu.RLock()
	s, known := c.satellites[id]
	var entry fileEntry
	if known {
		entry = s.entry
	}
	c.mu.RUnlock()
	if !known {
		return fmt.Errorf("leave satellite %s: %w", id, pieces.ErrUntrusted)
	}
	switch {
	case exiting == !entry.Exiting.IsZero():
		return nil
	case exiting:
		entry.Exiting = c.opts.Now().UTC()
	default:
		entry.Exiting = time.Time{}
	}
	if err := c.save(entry); err != nil {
		return fmt.Errorf("leave satellite %s: %w", id, err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is to wake up already
	}
	return nil
}

// Forget stops serving a satellite: its limits are refused from now on, and no report goes to it but a good-bye. It stands
// in Forgotten until Forgot is called. Errors: pieces.ErrUntrusted for one that the node has not joined.
func (c *Contact) Forget(id netx.NodeID) error {
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	c.mu.RLock()
	s, known := c.satellites[id]
	c.mu.RUnlock()
	if !known {
		return fmt.Errorf("forget satellite %s: %w", id, pieces.ErrUntrusted)
	}
	list := c.fileWithout(id)
	c.mu.RLock()
	list.Forgotten = append(list.Forgotten, s.entry.URL)
	c.mu.RUnlock()
	if len(list.Forgotten) > maxForgotten {
		return fmt.Errorf("forget satellite %s: %w", id, ErrTooMany)
	}
	if err := writeList(c.opts.File, list); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.satellites, id)
	c.forgotten = list.Forgotten
	close(s.gone)
	return nil
}

// Forgotten lists the satellites whose pieces are still to be deleted.
func (c *Contact) Forgotten() []netx.NodeID {
	c.mu.RLock()
	defer c.mu.RUnlock()
	ids := make([]netx.NodeID, len(c.forgotten))
	for i, url := range c.forgotten {
		ids[i] = url.ID
	}
	return ids
}

// Forgot notes that nothing of a forgotten satellite is left. One that was joined again meanwhile is left alone.
func (c *Contact) Forgot(id netx.NodeID) error {
	c.fileMu.Lock()
	defer c.fileMu.Unlock()
	c.mu.RLock()
	_, served := c.satellites[id]
	c.mu.RUnlock()
	if served {
		return nil
	}
	list := c.fileWithout(id)
	if err := writeList(c.opts.File, list); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgotten = list.Forgotten
	return nil
}
