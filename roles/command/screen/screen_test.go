package screen_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"storj/roles/command/screen"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int64]string{
		-1: "?", 0: "0 B", 1: "1 B", 999: "999 B", 1000: "1.0 kB", 1536: "1.5 kB", 9949: "9.9 kB", 9950: "10 kB", 123456: "123 kB",
		999499: "999 kB", 999500: "1.0 MB", 1_000_000: "1.0 MB", 4_500_000_000: "4.5 GB", 1 << 40: "1.1 TB", 1<<63 - 1: "9.2 EB",
	} {
		if got := screen.Bytes(size); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", size, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0.0s", 1500 * time.Millisecond: "1.5s", 42 * time.Second: "42s", 200 * time.Second: "3m 20s",
		5*time.Hour + 3*time.Minute: "5h 3m", 28 * time.Hour: "1d 4h", -time.Minute: "1m 0s",
	} {
		if got := screen.Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
	now := time.Unix(1_800_000_000, 0)
	for at, want := range map[time.Time]string{{}: "never", now.Add(-time.Minute): "1m 0s ago", now.Add(time.Hour): "in 1h 0m"} {
		if got := screen.Ago(at, now); got != want {
			t.Errorf("Ago(%v) = %q, want %q", at, got, want)
		}
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a b":            "a b",
		"猫.txt":          "猫.txt",
		"a\nb":           `"a\nb"`,
		"\x1b[31mred":    `"\x1b[31mred"`,
		"\xff":           `"\xff"`,
		"abc\u202egnp":   `"abc\u202egnp"`,
		"tab\there":      `"tab\there"`,
		"quote\"in name": `quote"in name`,
	} {
		if got := screen.Printable(name); got != want {
			t.Errorf("Printable(%q) = %s, want %s", name, got, want)
		}
	}
}

func TestStyle(t *testing.T) {
	t.Parallel()
	if got := (screen.Style{}).Red("x"); got != "x" {
		t.Errorf("without colour: %q", got)
	}
	if got := (screen.Style{Colour: true}).Red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("with colour: %q", got)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := screen.NewTable(&out, "NAME", "SIZE")
	table.Row("long name", "1")
	table.Row("a\tb\nc", "22")
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "NAME       SIZE\nlong name  1\na b c      22\n"; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// frames returns what was drawn, without the sequences that clear the line.
func frames(out string) []string {
	var list []string
	for frame := range strings.SplitSeq(out, "\r\x1b[K") {
		if frame != "" {
			list = append(list, frame)
		}
	}
	return list
}

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := screen.Start(&out, screen.Options{Width: func() int { return 60 }})
		p.Expect(1000)
		p.Expect(3000)
		p.Begin("file")
		for range 10 {
			p.Add(100)
			time.Sleep(100 * time.Millisecond)
		}
		p.Finish()
		p.Complete()
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		p.Around(func() { out.WriteString("note\n") })
		p.Stop()
		p.Stop()
		drawn := frames(out.String())
		if first := drawn[0]; !strings.Contains(first, "of 4.0 kB+") || !strings.Contains(first, "0/2 files") {
			t.Errorf("while the plan is made: %q", first)
		}
		last := drawn[len(drawn)-2]
		for _, part := range []string{" 25%", "1.0 kB of 4.0 kB", "B/s", " left", "1/2 files", "file"} {
			if !strings.Contains(last, part) {
				t.Errorf("%q lacks %q", last, part)
			}
		}
		for _, line := range drawn {
			if len([]rune(line)) >= 60 {
				t.Errorf("%q is wider than the terminal", line)
			}
		}
		if !strings.HasSuffix(out.String(), "\r\x1b[Knote\n") {
			t.Errorf("the line is not taken away before other output, or drawn after the end: %q", out.String())
		}
	})
}

func TestProgressFinishing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := screen.Start(&out, screen.Options{})
		p.Expect(-1)
		p.Resize(10)
		p.Complete()
		p.Add(10)
		time.Sleep(200 * time.Millisecond)
		p.Stop()
		if drawn := frames(out.String()); len(drawn) == 0 || !strings.Contains(drawn[0], "100%  10 B of 10 B") || !strings.Contains(drawn[0], "finishing") {
			t.Errorf("drawn: %q", drawn)
		}
	})
}

func TestProgressNil(t *testing.T) {
	t.Parallel()
	var p *screen.Progress
	p.Expect(1)
	p.Add(1)
	p.Finish()
	ran := false
	p.Around(func() { ran = true })
	p.Stop()
	if !ran {
		t.Error("Around of no progress does nothing")
	}
}

func TestProgressLongName(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := screen.Start(&out, screen.Options{})
		p.Expect(10)
		p.Begin("sj://bucket/" + strings.Repeat("long/", 40) + "end\x1b[2J")
		time.Sleep(200 * time.Millisecond)
		p.Stop()
		drawn := frames(out.String())
		if len(drawn) == 0 || !strings.HasSuffix(drawn[0], `long/end\x1b[2J"`) || len([]rune(drawn[0])) > 79 {
			t.Errorf("drawn: %q", drawn)
		}
	})
}
