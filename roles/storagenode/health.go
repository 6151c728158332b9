package storagenode

import (
	"context"
	"errors"
	"fmt"

	"storj/pieces"
	"storj/roles/debug"
)

// HealthChecks are the conditions under which a node is of use: a satellite was reached within two intervals, every
// directory serves, and there is space for one more piece of the largest kind.
func (n *Node) HealthChecks() map[string]debug.Check {
	return map[string]debug.Check{"satellites": n.checkSatellites, "disks": n.checkDisks, "space": n.checkSpace}
}

func (n *Node) checkSatellites(context.Context) error {
	now := n.opts.Now()
	var errs []error
	for _, s := range n.contact.Status() {
		if s.Reached(now) {
			return nil
		}
		err := s.Err
		if err == nil {
			err = errors.New("not asked yet")
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.Satellite.ID.Short(), err))
	}
	return fmt.Errorf("no satellite reached for two intervals: %w", errors.Join(errs...))
}

func (n *Node) checkDisks(context.Context) error {
	var errs []error
	for _, dir := range n.store.Space().Dirs {
		if dir.Fault != "" {
			errs = append(errs, fmt.Errorf("%s: %s", dir.Path, dir.Fault))
		}
	}
	return errors.Join(errs...)
}

func (n *Node) checkSpace(context.Context) error {
	if space := n.store.Space(); space.Free < pieces.MaxPieceSize {
		return fmt.Errorf("%w: %d bytes of %d", pieces.ErrNoSpace, space.Free, space.Capacity)
	}
	return nil
}

// addCareGauges shows disks, damage, orders and the month among the metrics.
func (n *Node) addCareGauges() {
	set := n.opts.Metrics
	set.GetOrCreateGauge(`storj_node_disks_faulty`, func() float64 {
		faulty := 0
		for _, dir := range n.store.Space().Dirs {
			if dir.Fault != "" {
				faulty++
			}
		}
		return float64(faulty)
	})
	set.GetOrCreateGauge(`storj_node_damage_pending_pieces`, func() float64 { return float64(n.scrub.Status().Pending) })
	set.GetOrCreateGauge(`storj_node_month_bytes`, func() float64 { return float64(n.book.Month()) })
	set.GetOrCreateGauge(`storj_node_unsettled_orders`, func() float64 {
		var sum int64
		for _, s := range n.orders.Unsettled() {
			sum += s.Orders
		}
		return float64(sum)
	})
	set.GetOrCreateGauge(`storj_node_satellites_unhappy`, func() float64 {
		unhappy := 0
		for _, s := range n.contact.Status() {
			switch s.Standing.State {
			case pieces.Suspended, pieces.Quarantined, pieces.Disqualified:
				unhappy++
			}
		}
		return float64(unhappy)
	})
}

// addGauges shows space and satellites among the metrics.
func (n *Node) addGauges() {
	set := n.opts.Metrics
	set.GetOrCreateGauge(`storj_node_space_bytes{kind="capacity"}`, func() float64 { return float64(n.store.Space().Capacity) })
	set.GetOrCreateGauge(`storj_node_space_bytes{kind="used"}`, func() float64 { return float64(n.store.Space().Used) })
	set.GetOrCreateGauge(`storj_node_space_bytes{kind="trash"}`, func() float64 { return float64(n.store.Space().Trash) })
	set.GetOrCreateGauge(`storj_node_space_bytes{kind="garbage"}`, func() float64 { return float64(n.store.Space().Garbage) })
	set.GetOrCreateGauge(`storj_node_space_bytes{kind="free"}`, func() float64 { return float64(n.store.Space().Free) })
	n.addCareGauges()
	set.GetOrCreateGauge(`storj_node_satellites_reached`, func() float64 {
		reached, now := 0, n.opts.Now()
		for _, s := range n.contact.Status() {
			if s.Reached(now) {
				reached++
			}
		}
		return float64(reached)
	})
}
