package command

import (
	"strings"
	"time"

	"storj/config"
)

// parseExpiry reads when something is to end: a duration from now (+24h, 30d; days and weeks too), a date (its first
// instant, in this machine's time zone), or RFC 3339. Empty, and "never", is the zero time.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "never" || text == "none" {
		return time.Time{}, nil
	}
	at, err := parseInstant(text, now)
	if err != nil {
		return time.Time{}, err
	}
	if !at.After(now) {
		return time.Time{}, usageErrorf("%q is in the past", text)
	}
	return at, nil
}

// parseStart reads when something is to begin: as parseExpiry, but it may lie in the past, and "now" is now.
func parseStart(text string, now time.Time) (time.Time, error) {
	switch text {
	case "", "none":
		return time.Time{}, nil
	case "now":
		return now.UTC(), nil
	}
	return parseInstant(text, now)
}

func parseInstant(text string, now time.Time) (time.Time, error) {
	if d, err := config.ParseDuration(strings.TrimPrefix(text, "+")); err == nil && d > 0 {
		return now.Add(time.Duration(d)).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, usageErrorf("%q is not a time: write +24h, +30d, 2027-01-31 or 2027-01-31T12:00:00Z", text)
}
