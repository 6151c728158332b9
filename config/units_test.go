package config

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want Size
		bad  bool
	}{
		{text: "0", want: 0},
		{text: "1000", want: 1000},
		{text: "12 B", want: 12},
		{text: "500GB", want: 500 * GB},
		{text: "500gb", want: 500 * GB},
		{text: "500G", want: 500 * GB},
		{text: "4.5 GB", want: 4500 * MB},
		{text: " 1TiB ", want: TiB},
		{text: "1Ti", want: TiB},
		{text: "64MiB", want: 64 * MiB},
		{text: "0.5KiB", want: 512},
		{text: "1.0001KB", want: 1000},
		{text: "9223372036854775807", want: math.MaxInt64},
		{text: "9223372036854775808", bad: true},
		{text: "10000PB", bad: true},
		{text: "", bad: true},
		{text: "GB", bad: true},
		{text: ".", bad: true},
		{text: "1.2.3GB", bad: true},
		{text: "-5GB", bad: true},
		{text: "1e9", bad: true},
		{text: "5 parsecs", bad: true},
		{text: strings.Repeat("1", 1000), bad: true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseSize(test.text)
			if got != test.want || errors.Is(err, ErrValue) != test.bad {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

func TestSizePrints(t *testing.T) {
	t.Parallel()
	tests := []struct {
		size         Size
		human, exact string
	}{
		{0, "0 B", "0B"},
		{999, "999 B", "999B"},
		{1500, "1.5 KB", "1500B"},
		{4_530_123_456_789, "4.53 TB", "4530123456789B"},
		{500 * GB, "500 GB", "500GB"},
		{TiB, "1.1 TB", "1TiB"},
		{64 * MiB, "67.1 MB", "64MiB"},
		{2000 * PB, "2e+03 PB", "2000PB"},
	}
	for _, test := range tests {
		if got := test.size.String(); got != test.human {
			t.Errorf("%d prints %q, want %q", test.size, got, test.human)
		}
		if got := asText(test.size); got != test.exact {
			t.Errorf("%d is text %q, want %q", test.size, got, test.exact)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		want  time.Duration
		print string
		bad   bool
	}{
		{text: "90s", want: 90 * time.Second, print: "1m30s"},
		{text: "4h", want: 4 * time.Hour, print: "4h"},
		{text: "1h30m", want: 90 * time.Minute, print: "1h30m"},
		{text: "10m", want: 10 * time.Minute, print: "10m"},
		{text: "20s", want: 20 * time.Second, print: "20s"},
		{text: "0s", want: 0, print: "0s"},
		{text: "7d", want: 7 * day, print: "7d"},
		{text: "2w", want: 14 * day, print: "14d"},
		{text: "36h", want: 36 * time.Hour, print: "36h"},
		{text: "", bad: true},
		{text: "7", bad: true},
		{text: "d", bad: true},
		{text: "1.5d", bad: true},
		{text: "2147483647w", bad: true},
		{text: "99999999999d", bad: true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseDuration(test.text)
			if errors.Is(err, ErrValue) != test.bad || time.Duration(got) != test.want {
				t.Fatalf("got %v, %v", got, err)
			}
			if !test.bad && got.String() != test.print {
				t.Errorf("prints %s, want %s", got, test.print)
			}
		})
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text      string
		perSecond float64
		print     string
		bad       bool
	}{
		{text: "off", print: "off"},
		{text: "0", print: "off"},
		{text: "1000", perSecond: 1000, print: "1000/s"},
		{text: "1000/s", perSecond: 1000, print: "1000/s"},
		{text: "90/min", perSecond: 1.5, print: "90/min"},
		{text: "120/m", perSecond: 2, print: "2/s"},
		{text: "", bad: true},
		{text: "fast", bad: true},
		{text: "5/h", bad: true},
		{text: "1.5/s", bad: true},
		{text: "-1", bad: true},
		{text: "1000000001", bad: true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRate(test.text)
			if errors.Is(err, ErrValue) != test.bad || got.PerSecond() != test.perSecond {
				t.Fatalf("got %v, %v", got, err)
			}
			if !test.bad && got.String() != test.print {
				t.Errorf("prints %s, want %s", got, test.print)
			}
		})
	}
}

func FuzzParseUnits(f *testing.F) {
	for _, seed := range []string{"500GB", "1.5TiB", "7d", "1h30m", "90/min", "off", "", "9223372036854775807B"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if size, err := ParseSize(text); err == nil {
			if again, err := ParseSize(asText(size)); err != nil || again != size {
				t.Errorf("size %d is text %s, which is %d, %v", size, asText(size), again, err)
			}
		}
		if d, err := ParseDuration(text); err == nil {
			if again, err := ParseDuration(d.String()); err != nil || again != d {
				t.Errorf("duration %d prints %s, which is %d, %v", d, d, again, err)
			}
		}
		if r, err := ParseRate(text); err == nil {
			if again, err := ParseRate(r.String()); err != nil || again != r {
				t.Errorf("rate %v prints %s, which is %v, %v", r, r, again, err)
			}
		}
	})
}
