package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"storj/metainfo"
	"storj/metainfo/metabase"
	"storj/netx"
	"storj/pieces"
)

// Outcome is how work on a segment ended.
type Outcome uint8

// The outcomes.
const (
	Failed     Outcome = iota // see the error; it is tried again
	WasHealthy                // nothing was to be done
	Repaired                  // pieces were rebuilt
	Copied                    // pieces were moved as they are
	Dropped                   // pieces that are not needed were taken out of the record
	NoNodes                   // nobody can take a piece
	Waiting                   // too few pieces can be read now
	Vanished                  // the object was deleted or overwritten
)

// String names the outcome.
func (o Outcome) String() string {
	names := [...]string{
		"failed", "was healthy", "repaired", "copied", "dropped", "no nodes for more pieces", "too few pieces in reach", "gone: deleted or overwritten",
	}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// Report is what was done for a segment.
type Report struct {
	Place    metabase.SegmentPlace
	Outcome  Outcome
	Reason   Reason
	Before   int // healthy pieces
	After    int
	Required int
	Optimal  int
	Altered  []netx.NodeID // nodes that sent something else than was uploaded
	Absent   []netx.NodeID // nodes that do not have their piece, or say that it is damaged
	Took     time.Duration
}

// Finding is what repair found out about a node.
type Finding struct {
	Node    netx.NodeID
	Altered bool // it sent a piece that does not match its hash
	Absent  bool // it does not have the piece; neither: it says that the piece is damaged
	Piece   pieces.PieceID
	Place   metabase.SegmentPlace
	Detail  string
}

// commitAttempts is how often the record is read again when others change it.
const commitAttempts = 5

// job is the work on one segment.
type job struct {
	*segment
	view    *View
	verdict Verdict
	pieces  []piece
	lens    *lens
	used    map[netx.NodeID]bool // nodes that have a piece, or were asked to take one
	load    map[uint32]int       // pieces in each group
	bad     map[int]error        // pieces found altered or absent, by number
	report  *Report
}

// work does what a segment needs.
func (s *Service) work(ctx context.Context, at metabase.SegmentPlace) (Report, error) {
	started := time.Now()
	report := Report{Place: at}
	err := s.attempt(ctx, at, &report)
	report.Took = time.Since(started)
	if errors.Is(err, metainfo.ErrObjectNotFound) {
		report.Outcome, err = Vanished, nil
	}
	return report, err
}

func (s *Service) attempt(ctx context.Context, at metabase.SegmentPlace, report *Report) error {
	record, err := s.opts.DB.LiveSegment(ctx, at)
	if err != nil {
		return err
	}
	if !record.Expires.IsZero() && !record.Expires.After(time.Now()) {
		return metainfo.ErrObjectNotFound
	}
	report.Outcome = WasHealthy
	if record.IsInline() {
		return nil
	}
	view, err := s.View(ctx)
	if err != nil {
		return err
	}
	j := newJudge(view, s.damage.snapshot(view))
	w := &job{segment: s.segment(&record), view: view, verdict: j.look(&record), pieces: slices.Clone(j.pieces), lens: j.lens, report: report}
	w.prepare()
	report.Reason, report.Before, report.After = w.verdict.Reason, w.verdict.Healthy, w.verdict.Healthy
	report.Required, report.Optimal = record.Redundancy.Required, record.Redundancy.Optimal
	return w.run(ctx)
}

func (w *job) prepare() {
	w.used, w.load, w.bad = make(map[netx.NodeID]bool), make(map[uint32]int), make(map[int]error)
	for _, p := range w.pieces {
		if n := w.view.Node(p.Alias); n != nil {
			w.used[n.ID] = true
		}
		if p.class == Healthy {
			w.load[p.group]++
		}
	}
}

// run decides how.
func (w *job) run(ctx context.Context) error {
	r, v := &w.record.Redundancy, &w.verdict
	forced := v.Classes[OnExiting] + v.Classes[OutOfPlacement]
	switch {
	case v.Reason == None:
		return nil
	case v.Reason == Irreparable:
		w.report.Outcome = Waiting
		return nil
	case v.Reason == Move && v.Healthy >= r.Optimal:
		return w.drop(ctx)
	case v.Reason == Move && forced <= r.Required:
		return w.copy(ctx)
	case v.Reason == Rotten && (v.Healthy >= r.Optimal || !cheap(r.Required, v.Healthy, r.Repair, r.Optimal)):
		return w.drop(ctx)
	}
	return w.rebuild(ctx)
}

// cheap says whether a segment is rebuilt for a piece that its node found damaged, though it is above the threshold:
// where that reads few pieces, or where it is half way down already. Else the record is told the truth, which costs
// nothing, and the threshold decides.
func cheap(required, healthy, repair, optimal int) bool {
	return required <= 8 || healthy <= (repair+optimal)/2
}

// drop takes pieces out of the record and puts none in.
func (w *job) drop(ctx context.Context) error {
	w.report.Outcome = Dropped
	return w.commit(ctx, nil)
}

// rebuild reads Required pieces and stores new ones.
func (w *job) rebuild(ctx context.Context) error {
	r := &w.record.Redundancy
	base := w.verdict.Healthy
	if w.verdict.Reason == Endangered {
		base = w.verdict.Reach
	}
	target := min(r.Optimal+r.Optimal/20, r.Total) // a little more: some nodes will not last
	numbers := w.numbers(target - base)
	nodes := w.pick(len(numbers))
	if len(nodes) == 0 {
		return w.reconsider(ctx)
	}
	memory, err := w.s.borrow(ctx, int64(r.Required+len(nodes))*w.size)
	if err != nil {
		return err
	}
	defer memory.free()
	shares, err := w.gather(ctx, w.view, w.sources(), memory.take(int64(r.Required)*w.size), w.found)
	if err != nil {
		if errors.Is(err, pieces.ErrTooFewPieces) {
			w.report.Outcome = Waiting
			return errors.Join(err, w.remember(ctx))
		}
		return err
	}
	nodes = append(nodes, w.pick(w.badHealthy())...) // for those that turned out not to be there
	numbers = w.numbers(len(nodes))                  // theirs are free to be used
	added, err := w.spread(ctx, shares, numbers, nodes, memory)
	if err != nil {
		return err
	}
	if len(added) == 0 {
		return errors.Join(fmt.Errorf("repair segment: %w", pieces.ErrTooFewPieces), w.remember(ctx))
	}
	w.report.Outcome = Repaired
	return w.commit(ctx, added)
}

// reconsider looks at damaged pieces where every node has a piece already. One that its node has lost leaves the record,
// so that the node can take it anew; one that is right, because that has happened, is not damaged any more.
func (w *job) reconsider(ctx context.Context) error {
	w.report.Outcome = NoNodes
	memory, err := w.s.borrow(ctx, w.size)
	if err != nil {
		return err
	}
	defer memory.free()
	content := memory.take(w.size)
	lost := false
	for i := range w.pieces {
		p := &w.pieces[i]
		if p.class != Damaged || !p.online {
			continue
		}
		node := w.view.Node(p.Alias)
		has, err := w.fetch(ctx, p.Number, node.URL, content)
		switch {
		case err == nil && !has.trashed:
			p.class = Healthy
			if err := w.s.damage.forget(ctx, node.ID, []pieces.PieceID{w.record.Root.Derive(node.ID, p.Number)}); err != nil {
				return err
			}
			w.report.Outcome = WasHealthy
		case err == nil, errors.Is(err, pieces.ErrNotFound), errors.Is(err, errBroken), errors.Is(err, errAltered):
			lost = true
		}
	}
	if !lost {
		return nil
	}
	return w.drop(ctx)
}

// spread computes pieces and stores them, as many at a time as memory has room for.
func (w *job) spread(ctx context.Context, shares [][]byte, numbers []int, nodes []netx.NodeURL, memory *loan) (added []put, err error) {
	code, err := w.s.codes.Get(w.record.Redundancy)
	if err != nil {
		return nil, err
	}
	count := min(len(numbers), len(nodes))
	batch := min(max(1, int(memory.left()/w.size)), count)
	room := memory.take(int64(batch) * w.size)
	for at := 0; at < count; at += batch {
		end := min(at+batch, count)
		out := make([][]byte, end-at)
		puts := make([]put, end-at)
		for i := range out {
			out[i] = room[int64(i)*w.size:][:w.size:w.size]
			puts[i] = put{numbers[at+i], nodes[at+i], out[i]}
		}
		if err := rebuild(code, shares, w.size, numbers[at:end], out); err != nil {
			return nil, err
		}
		added = append(added, w.store(ctx, puts, w.another)...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return added, nil
}

// copy moves pieces of nodes that exit, or must not have them, as they are.
func (w *job) copy(ctx context.Context) error {
	memory, err := w.s.borrow(ctx, w.size)
	if err != nil {
		return err
	}
	defer memory.free()
	content := memory.take(w.size)
	var added []put
	var last error
	w.report.Outcome = NoNodes
	for _, p := range w.pieces {
		if p.class != OnExiting && p.class != OutOfPlacement || !p.online {
			continue
		}
		nodes := w.pick(1)
		if len(nodes) == 0 {
			break
		}
		if _, err := w.fetch(ctx, p.Number, w.view.Node(p.Alias).URL, content); err != nil {
			last = err
			w.found(p, err)
			continue
		}
		added = append(added, w.store(ctx, []put{{p.Number, nodes[0], content}}, w.another)...)
	}
	if len(added) > 0 || len(w.bad) > 0 {
		w.report.Outcome = Copied
		return w.commit(ctx, added)
	}
	if last != nil {
		w.report.Outcome = Failed
	}
	return last
}

// sources are the pieces that may be read, the best first: healthy data pieces, which need no decoding, then others.
func (w *job) sources() []piece {
	var list []piece
	for _, p := range w.pieces {
		if p.online && p.class != Damaged && p.cond != Gone {
			list = append(list, p)
		}
	}
	rank := func(p piece) int {
		switch {
		case p.class == Missing || p.class == OnSuspended:
			return 2
		case p.Number >= w.record.Redundancy.Required:
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b piece) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.cond, a.cond))
	})
	return list
}

// found notes that a piece could not be read.
func (w *job) found(p piece, err error) {
	node := w.view.Node(p.Alias).ID
	altered, absent := errors.Is(err, errAltered), errors.Is(err, pieces.ErrNotFound)
	if !altered && !absent && !errors.Is(err, errBroken) {
		w.s.readFailed(node, err)
		return
	}
	w.bad[p.Number] = err
	if altered {
		w.report.Altered = append(w.report.Altered, node)
	} else {
		w.report.Absent = append(w.report.Absent, node)
	}
	w.s.tell(Finding{
		Node: node, Altered: altered, Absent: absent, Piece: w.record.Root.Derive(node, p.Number), Place: w.report.Place, Detail: err.Error(),
	})
}

// remember keeps what was found out when the record could not be changed: the next look must not count those pieces.
func (w *job) remember(ctx context.Context) error {
	var errs []error
	for _, p := range w.pieces {
		if w.bad[p.Number] != nil {
			node := w.view.Node(p.Alias).ID
			_, err := w.s.damage.report(ctx, node, []pieces.PieceID{w.record.Root.Derive(node, p.Number)})
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// numbers returns up to count numbers for new pieces: first those that no piece of the record has, data pieces first;
// then those of pieces that will be dropped, the least hopeful first.
func (w *job) numbers(count int) []int {
	holders := make(map[int]piece, len(w.pieces))
	for _, p := range w.pieces {
		holders[p.Number] = p
	}
	type option struct{ rank, number int }
	var options []option
	for number := range w.record.Redundancy.Total {
		p, held := holders[number]
		switch {
		case !held || p.class == Damaged || p.cond == Gone || w.bad[number] != nil:
			options = append(options, option{0, number})
		case p.class != Healthy:
			options = append(options, option{1 + int(p.cond), number})
		}
	}
	slices.SortFunc(options, func(a, b option) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.number, b.number)) })
	numbers := make([]int, 0, len(options))
	for _, o := range options[:min(max(count, 0), len(options))] {
		numbers = append(numbers, o.number)
	}
	return numbers
}

// pick returns up to count nodes that may take a piece, and counts them as used.
func (w *job) pick(count int) (picked []netx.NodeURL) {
	share := w.lens.share(max(len(w.record.Pieces), w.record.Redundancy.Optimal))
	for range 3 { // more than once where domains must be shared
		var exclude []netx.NodeID
		for _, n := range w.view.nodes {
			if n != nil && (w.used[n.ID] || w.load[w.lens.facts[n.Alias].group] >= share) && n.Eligible {
				exclude = append(exclude, n.ID)
			}
		}
		before := len(picked)
		for _, url := range w.s.opts.Pick(w.record.Placement, count-len(picked), w.excluded(exclude, share)) {
			if w.take(url.ID, share) {
				picked = append(picked, url)
			}
		}
		if len(picked) == count || len(picked) == before {
			break
		}
	}
	return picked
}

// excluded leaves out of a list the nodes whose domain may take more: excluding one excludes its domain.
func (w *job) excluded(list []netx.NodeID, share int) []netx.NodeID {
	if share == 1 {
		return list
	}
	full := list[:0:0]
	for _, id := range list {
		if n := w.byID(id); n == nil || w.load[w.lens.facts[n.Alias].group] >= share {
			full = append(full, id)
		}
	}
	return full
}

// take says whether a node may have a new piece, and counts it.
func (w *job) take(id netx.NodeID, share int) bool {
	n := w.byID(id)
	if n == nil || w.used[id] {
		return false // it came after the view was taken: next time
	}
	f := w.lens.facts[n.Alias]
	if w.load[f.group] >= share || f.class != Healthy {
		return false
	}
	w.used[id] = true
	w.load[f.group]++
	return true
}

func (w *job) byID(id netx.NodeID) *Node { return w.view.byID(id) }

// another gives a node in place of one that failed.
func (w *job) another() (netx.NodeURL, bool) {
	nodes := w.pick(1)
	if len(nodes) == 0 {
		return netx.NodeURL{}, false
	}
	return nodes[0], true
}

// commit writes the record: without what is bad or needless, with what was added. When others changed it meanwhile, the
// same is done to what they left.
func (w *job) commit(ctx context.Context, added []put) error {
	fresh, err := w.placed(ctx, added)
	if err != nil {
		return err
	}
	drop := w.dropped(added)
	saw := w.record.Pieces
	for range commitAttempts {
		with := merge(saw, drop, fresh)
		if len(with) < min(w.record.Redundancy.Required, len(saw)) {
			return fmt.Errorf("%w: %d pieces would be left", metainfo.ErrSegment, len(with))
		}
		err = w.s.opts.DB.ReplacePieces(ctx, w.report.Place, saw, with, time.Now().UTC())
		if err == nil {
			w.report.After = w.report.Before - w.badHealthy() + len(fresh)
			return w.forget(ctx, drop)
		}
		if !errors.Is(err, metainfo.ErrObjectChanged) {
			return err
		}
		again, err := w.s.opts.DB.LiveSegment(ctx, w.report.Place)
		if err != nil {
			return err
		}
		if again.Root != w.record.Root {
			return metainfo.ErrObjectChanged
		}
		saw = again.Pieces
	}
	return err
}

// placed are the record's form of what was added.
func (w *job) placed(ctx context.Context, added []put) ([]metainfo.Piece, error) {
	ids := make([]netx.NodeID, len(added))
	for i := range added {
		ids[i] = added[i].node.ID
	}
	aliases, err := w.s.opts.DB.Aliases(ctx, ids)
	if err != nil {
		return nil, err
	}
	fresh := make([]metainfo.Piece, len(added))
	for i := range added {
		fresh[i] = metainfo.Piece{Number: added[i].number, Alias: aliases[i]}
	}
	return fresh, nil
}

// dropped are the pieces that leave the record: those known to be gone, those whose number is used anew, and, when there
// are enough without them, all that are not healthy.
func (w *job) dropped(added []put) map[metainfo.Piece]bool {
	drop, reused := make(map[metainfo.Piece]bool), make(map[int]bool)
	for _, p := range added {
		reused[p.number] = true
	}
	enough := w.verdict.Healthy-w.badHealthy()+len(added) >= w.record.Redundancy.Optimal
	for _, p := range w.pieces {
		if p.class == Damaged || p.cond == Gone || w.bad[p.Number] != nil || reused[p.Number] || enough && p.class != Healthy {
			drop[p.Piece] = true
		}
	}
	return drop
}

// badHealthy counts the pieces that looked healthy and were found not to be.
func (w *job) badHealthy() (count int) {
	for _, p := range w.pieces {
		if p.class == Healthy && w.bad[p.Number] != nil {
			count++
		}
	}
	return count
}

// merge returns the pieces of a record without some and with others, where these find their number free.
func merge(record []metainfo.Piece, drop map[metainfo.Piece]bool, fresh []metainfo.Piece) []metainfo.Piece {
	var with []metainfo.Piece
	taken := make(map[int]bool)
	for _, p := range record {
		if !drop[p] {
			with = append(with, p)
			taken[p.Number] = true
		}
	}
	for _, p := range fresh {
		if !taken[p.Number] {
			with = append(with, p)
		}
	}
	slices.SortFunc(with, func(a, b metainfo.Piece) int { return cmp.Compare(a.Number, b.Number) })
	return with
}

// forget drops the damage reports of pieces that left the record.
func (w *job) forget(ctx context.Context, drop map[metainfo.Piece]bool) error {
	for p := range drop {
		if n := w.view.Node(p.Alias); n != nil {
			if err := w.s.damage.forget(ctx, n.ID, []pieces.PieceID{w.record.Root.Derive(n.ID, p.Number)}); err != nil {
				return err
			}
		}
	}
	return nil
}
