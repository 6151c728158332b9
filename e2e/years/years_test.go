package years

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"storj/pieces"
	"storj/roles/satellite"
)

var (
	days    = flag.Int("days", 0, "how many days are simulated: 365 is the whole story")
	objects = flag.Int("objects", 2000, "how many objects there are, of one segment each")
	nodes   = flag.Int("nodes", 200, "how many nodes there are")
	scheme  = flag.String("redundancy", "", "required/repair/optimal/total, or auto; by default auto for more than a month, else one that repairs sooner")
	seed    = flag.Uint64("seed", 1, "of everything that happens by chance")
)

const (
	sites       = 10
	burnSite    = 3
	deathsMonth = 0.05 // of the nodes, in 30 days
	liars       = 0.02
	sleepers    = 0.10
	nightFrom   = 22 // hours of the day, UTC
	nightTo     = 6
	caughtIn    = 7 * 24 * time.Hour
	worthLying  = 40 // pieces that a node has when it begins to lie: of fewer, audits find and replace each, and that is all
	daily       = 5  // objects that come and go in a day
)

// A network lives through time: disks die and are replaced, some owners lie, some machines sleep at night, one site
// burns down. Nobody does anything about it. Nothing may be lost, every liar be caught within a week, and nobody honest
// be taken for one.
func TestYears(t *testing.T) {
	length, numbers := *days, *scheme
	if numbers == "" && length > 30 {
		numbers = "auto"
	}
	if numbers == "" {
		numbers = "6/14/20/26"
	}
	if length == 0 {
		length = 20
		if testing.Short() {
			t.Skip("simulates weeks")
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // most of the heap is pieces, and it has no pointers
	synctest.Test(t, func(t *testing.T) {
		started := cpu()
		w := newWorld(t, *seed, numbers, satellite.Tune{CheckInInterval: 2 * time.Hour, ChoreInterval: 6 * time.Hour, AuditsPerDay: 3})
		defer w.close()
		for i := range *nodes {
			w.fate(w.join(i % sites))
		}
		time.Sleep(time.Minute)
		w.open()
		for range *objects {
			w.put()
		}
		t.Logf("seed %d: %d nodes, %d objects, redundancy %s: %s CPU", *seed, *nodes, *objects, numbers, cpu()-started)
		burns := length / 2
		w.rebuilt = burns + 7
		for day := range length {
			w.day(day, day == burns)
			if t.Failed() {
				return
			}
		}
		w.verdict()
		repair := w.sat.Repair().Status()
		t.Logf("repair moved %.1f bytes for each that was lost", float64(repair.Read+repair.Written)/float64(max(w.lost, 1)))
		spent := cpu() - started
		t.Logf("%d days in %s CPU: %.1f days a CPU second; heap %d MB", length, spent, float64(length)/spent.Seconds(), heap()>>20)
	})
}

// day lives through one day from midnight.
func (w *world) day(day int, burns bool) {
	for _, n := range w.living() {
		if w.rng.Float64() < deathsMonth/30 {
			w.replace(n)
		}
	}
	if burns {
		w.burn()
	}
	if day == w.rebuilt {
		for range w.burnt {
			w.fate(w.join(burnSite))
		}
	}
	w.corrupt()
	for hour := range 24 {
		switch hour {
		case nightTo:
			w.wake(true)
		case nightFrom:
			w.wake(false)
		case 12:
			for range daily {
				w.remove()
				w.put()
			}
			w.sample(daily)
		}
		time.Sleep(time.Hour)
		w.watch()
	}
	w.t.Logf("day %d: %s", day, w.summary())
}

// burn destroys a site at once; it is built again a week later.
func (w *world) burn() {
	for _, n := range w.living() {
		if n.site == burnSite {
			w.kill(n)
			w.burnt++
		}
	}
	w.t.Logf("%s: site %d burned down with %d nodes", now(), burnSite, w.burnt)
}

// fate decides what is to become of a node that joins on a day: whether it sleeps at night, and from when on it lies.
func (w *world) fate(n *node) {
	n.sleeps = w.rng.Float64() < sleepers
	if n.fated = w.rng.Float64() < liars; n.fated {
		n.sleeps = false
		n.lies = lie(1 + w.rng.IntN(int(lieKinds)-1))
		n.lied = time.Now().Add(time.Duration(2+w.rng.IntN(14)) * 24 * time.Hour)
	}
}

// corrupt lets nodes lie whose time has come, and has the owners of those that were caught give up.
func (w *world) corrupt() {
	for _, n := range w.living() {
		switch {
		case n.fated && !time.Now().Before(n.lied) && n.pieces() >= worthLying:
			n.fated, n.lied = false, time.Now()
			w.must(n.turn(w.ctx, w.sat.URL().ID, n.lies))
		case !n.caught.IsZero() && time.Since(n.caught) > 3*24*time.Hour:
			w.replace(n)
		}
	}
}

// replace ends a node for good and has another one join at its site.
func (w *world) replace(n *node) {
	w.kill(n)
	w.fate(w.join(n.site))
}

// wake has the sleepers wake up, or fall asleep.
func (w *world) wake(up bool) {
	for _, n := range w.living() {
		switch {
		case !n.sleeps:
		case up:
			w.network.Revive(n.id)
		default:
			w.network.Kill(n.id)
		}
	}
}

// watch notes who was caught, and that nobody honest was.
func (w *world) watch() {
	for _, n := range w.nodes {
		standing := w.standing(n)
		bad := standing.State == pieces.Quarantined || standing.State == pieces.Disqualified
		switch {
		case bad && (n.lies == honest || n.fated) && !n.dead && !n.blamed:
			n.blamed = true
			w.t.Errorf("%s: honest node %s (sleeps %v) is %s: %s", now(), n.id, n.sleeps, standing.State, standing.Reason)
		case bad && n.lies != honest && !n.fated && n.caught.IsZero():
			n.caught = time.Now()
			w.t.Logf("%s: node that %s was caught after %s: %s", now(), n.lies, n.caught.Sub(n.lied), standing.Reason)
		case !bad && n.lies != honest && !n.fated && !n.dead && n.caught.IsZero() && time.Since(n.lied) > caughtIn && !n.missed:
			n.missed = true
			w.t.Errorf("%s: node that %s is still %s after %s", now(), n.lies, standing.State, time.Since(n.lied))
		}
	}
}

// sample reads some objects back.
func (w *world) sample(count int) {
	for key := range w.objects { // any
		if count--; count < 0 {
			return
		}
		if err := w.read(key); err != nil {
			w.t.Errorf("%s: read %s: %v", now(), key, err)
		}
	}
}

// verdict reads everything back.
func (w *world) verdict() {
	for key := range w.objects {
		if err := w.read(key); err != nil {
			w.t.Errorf("lost %s: %v", key, err)
		}
	}
	w.t.Log("at the end: ", w.summary())
}

func (w *world) living() []*node {
	return slices.DeleteFunc(slices.Clone(w.nodes), func(n *node) bool { return n.dead })
}

// summary says how the network is. Bytes on nodes that were lost are counted when they are.
func (w *world) summary() string {
	repair := w.sat.Repair().Status()
	return fmt.Sprintf("%d nodes alive, %d online, %d objects; %d segments below optimal, %d irreparable; "+
		"%.1f MB lost with nodes, repair read %.1f MB and wrote %.1f MB",
		len(w.living()), w.sat.Directory().Snapshot().Online(), len(w.objects), repair.Below, repair.Lost,
		mega(w.lost), mega(repair.Read), mega(repair.Written))
}

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

func now() string { return time.Now().UTC().Format("2006-01-02 15:04") }

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}
