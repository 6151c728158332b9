package screen

import (
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	refreshInterval = 150 * time.Millisecond
	// rateWindow is over how long the rate is averaged: long enough to be read, short enough to show a stall.
	rateWindow    = 5 * time.Second
	defaultWidth  = 80
	samplesKept   = int(rateWindow / refreshInterval)
	clearLine     = "\r\x1b[K"
	shortestShown = 10 // columns of a name that are worth showing
)

// Options tunes a Progress.
type Options struct {
	Width func() int       // columns of the terminal; nil or a result under 1: 80
	Now   func() time.Time // nil: time.Now
}

// Progress is one line at the bottom of a terminal that tells how far a transfer of one or many files is: bytes, rate,
// time left. A goroutine draws it; Stop ends that and takes the line away. A nil Progress does nothing.
type Progress struct {
	w       io.Writer
	opts    Options
	stop    chan struct{}
	stopped sync.WaitGroup
	once    sync.Once

	mu      sync.Mutex // guards the fields below, and writing to w
	done    int64      // bytes
	total   int64      // bytes; grows while a plan is made
	files   int64      // done
	ofFiles int64
	final   bool // the totals are final
	name    string
	drawn   bool
	samples []sample // a ring of the last samplesKept
	next    int
}

type sample struct {
	at   time.Time
	done int64
}

// Start draws progress on w until Stop.
func Start(w io.Writer, opts Options) *Progress {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	p := &Progress{w: w, opts: opts, stop: make(chan struct{})}
	p.samples = append(p.samples, sample{at: opts.Now()})
	p.stopped.Go(p.runDraw)
	return p
}

func (p *Progress) runDraw() {
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// Stop takes the line away and returns when nothing more will be drawn. It may be repeated.
func (p *Progress) Stop() {
	if p == nil {
		return
	}
	p.once.Do(func() { close(p.stop) })
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
}

// Expect adds a file of a size to the totals; a negative size is not known.
func (p *Progress) Expect(size int64) {
	p.update(func() { p.ofFiles, p.total = p.ofFiles+1, p.total+max(size, 0) })
}

// Resize adds to the totals the size of a file that was announced without one.
func (p *Progress) Resize(size int64) { p.update(func() { p.total += max(size, 0) }) }

// Complete says that all files have been announced by Expect.
func (p *Progress) Complete() { p.update(func() { p.final = true }) }

// Begin names the file that is shown, the one begun last.
func (p *Progress) Begin(name string) { p.update(func() { p.name = name }) }

// Skip counts bytes that need not be moved, since they are there. They do not count for the rate.
func (p *Progress) Skip(n int64) {
	p.update(func() {
		p.done += n
		for i := range p.samples {
			p.samples[i].done += n
		}
	})
}

// Add counts bytes moved.
func (p *Progress) Add(n int64) { p.update(func() { p.done += n }) }

// Finish counts a file as done, well or not.
func (p *Progress) Finish() { p.update(func() { p.files++ }) }

func (p *Progress) update(change func()) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// Around runs write, which may write to the terminal, with the line out of the way.
func (p *Progress) Around(write func()) {
	if p == nil {
		write()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	write()
}

func (p *Progress) erase() {
	if p.drawn {
		_, _ = io.WriteString(p.w, clearLine) // best effort: it is only decoration
		p.drawn = false
	}
}

func (p *Progress) draw() {
	now := p.opts.Now()
	oldest := p.sampleAt(now)
	_, _ = io.WriteString(p.w, clearLine+p.line(now, oldest)) // best effort: it is only decoration
	p.drawn = true
}

// sampleAt remembers where the transfer stands and returns the oldest sample kept.
func (p *Progress) sampleAt(now time.Time) sample {
	s := sample{now, p.done}
	if len(p.samples) < samplesKept {
		p.samples = append(p.samples, s)
		return p.samples[0]
	}
	oldest := p.samples[p.next]
	p.samples[p.next] = s
	p.next = (p.next + 1) % samplesKept
	return oldest
}

// line returns the text for one terminal line, a column short of its width so that it never wraps.
func (p *Progress) line(now time.Time, oldest sample) string {
	span := now.Sub(oldest.at)
	moved := p.done - oldest.done
	text := Bytes(p.done)
	if p.total > 0 {
		text += " of " + Bytes(p.total)
		if p.final {
			text = fmt.Sprintf("%3d%%  %s", min(100, 100*p.done/p.total), text)
		} else {
			text += "+"
		}
	}
	text += "  " + Rate(moved, span)
	if left := p.total - p.done; p.final && left > 0 && moved > 0 {
		text += "  " + Span(time.Duration(float64(left)/float64(moved)*float64(span))) + " left"
	}
	if p.final && p.total > 0 && p.done >= p.total {
		text += "  finishing" // everything was read; what is still on its way is sent
	}
	if p.ofFiles > 1 {
		text += fmt.Sprintf("  %d/%d files", p.files, p.ofFiles)
	}
	width := defaultWidth
	if p.opts.Width != nil {
		if w := p.opts.Width(); w > 0 {
			width = w
		}
	}
	return cut(text+"  "+p.shownName(width-1-len(text)-2), width-1)
}

func (p *Progress) shownName(room int) string {
	name := Printable(p.name)
	if utf8.RuneCountInString(name) <= room {
		return name
	}
	if room < shortestShown {
		return ""
	}
	runes := []rune(name)
	return "…" + string(runes[len(runes)-room+1:])
}

func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > max(width, 0) {
		return string(runes[:max(width, 0)])
	}
	return text
}
