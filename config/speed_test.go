package config

import (
	"errors"
	"testing"
	"time"
)

func TestParseSpeed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text  string
		want  Speed
		print string
		bad   bool
	}{
		{text: "20Mbit", want: 2_500_000, print: "20Mbit"},
		{text: "20 mbit/s", want: 2_500_000, print: "20Mbit"},
		{text: "1Gbit", want: 125_000_000, print: "1Gbit"},
		{text: "2.5MB/s", want: 2_500_000, print: "20Mbit"},
		{text: "1KiB", want: 1024, print: "8192bit"},
		{text: "64kbit", want: 8000, print: "64kbit"},
		{text: "full", print: "full"},
		{text: "off", print: "full"},
		{text: "0", print: "full"},
		{text: "20M", bad: true},
		{text: "20", bad: true},
		{text: "1bit", bad: true},
		{text: "-5Mbit", bad: true},
		{text: "", bad: true},
		{text: "fast", bad: true},
		{text: "Mbit", bad: true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseSpeed(test.text)
			if got != test.want || errors.Is(err, ErrValue) != test.bad {
				t.Fatalf("got %d, %v", got, err)
			}
			if err != nil {
				return
			}
			if got.String() != test.print {
				t.Errorf("printed %q, want %q", got, test.print)
			}
			if again, err := ParseSpeed(got.String()); again != got || err != nil {
				t.Errorf("printed and read: %d, %v", again, err)
			}
		})
	}
}

func TestParseHours(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want Hours
		bad  bool
	}{
		{text: "08:00-23:00=5Mbit", want: Hours{8 * time.Hour, 23 * time.Hour, 625_000}},
		{text: "23:30-08:00=full", want: Hours{23*time.Hour + 30*time.Minute, 8 * time.Hour, 0}},
		{text: "00:00-24:00=1MB/s", want: Hours{0, 24 * time.Hour, 1_000_000}},
		{text: "24:00-08:00=full", bad: true},
		{text: "08:00-25:00=full", bad: true},
		{text: "8-23=full", bad: true},
		{text: "08:00-23:00", bad: true},
		{text: "08:00=full", bad: true},
		{text: "08:00-23:00=5 apples", bad: true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseHours(test.text)
			if errors.Is(err, ErrValue) != test.bad || err == nil && got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestNodeCare(t *testing.T) {
	t.Parallel()
	n := Node{}
	SetDefaults(&n)
	if time.Duration(n.Scrub) != 30*24*time.Hour || len(n.Hours()) != 0 {
		t.Errorf("defaults: %v, %v", n.Scrub, n.Hours())
	}
	for tag, good := range map[string]bool{
		"site=attic": true, "country=de": true, "rack=1.2": true, "attic": false, "=attic": false, "site=": false, "si te=x": false,
	} {
		if err := checkTags([]string{tag}); (err == nil) != good {
			t.Errorf("tag %q: %v", tag, err)
		}
	}
	if err := checkTags([]string{"a=1", "a=2"}); err == nil {
		t.Error("a name given twice")
	}
	if err := checkTags(make([]string, 17)); err == nil {
		t.Error("too many tags")
	}
}
