package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Speed is bytes a second on a line. Text: 20Mbit, 2.5MB/s, 1Gbit/s; bits are decimal; full and 0 mean without limit.
type Speed int64

// ParseSpeed reads a speed. Errors: ErrValue.
func ParseSpeed(text string) (Speed, error) {
	trimmed := strings.ToLower(strings.TrimSpace(text))
	if trimmed == "full" || trimmed == "off" {
		return 0, nil
	}
	bad := fmt.Errorf("%w: %q is not a speed like 20Mbit, 2.5MB/s or full", ErrValue, text)
	trimmed = strings.TrimSuffix(trimmed, "/s")
	amount, bits := strings.CutSuffix(trimmed, "bit")
	if !bits && !strings.HasSuffix(trimmed, "b") && trimmed != "0" {
		return 0, bad // 20M may be meant either way
	}
	size, err := ParseSize(amount)
	if err != nil {
		return 0, bad
	}
	if bits {
		size /= 8
	}
	if size == 0 && strings.ContainsAny(amount, "123456789") {
		return 0, bad // less than a byte a second
	}
	return Speed(size), nil
}

// String prints the speed, exactly, in the largest unit of bits that does: 20Mbit.
func (s Speed) String() string {
	if s == 0 {
		return "full"
	}
	bits := s * 8
	for _, unit := range []struct {
		name string
		bits Speed
	}{{"Gbit", 1e9}, {"Mbit", 1e6}, {"kbit", 1e3}} {
		if bits%unit.bits == 0 {
			return strconv.FormatInt(int64(bits/unit.bits), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(bits), 10) + "bit"
}

// MarshalText prints the speed.
func (s Speed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSpeed reads.
func (s *Speed) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSpeed(string(text))
	return err
}

// Hours is a speed for some hours of each day. Past midnight End is at or before Start.
type Hours struct {
	Start, End time.Duration // since midnight; End may be 24 hours
	Speed      Speed
}

// ParseHours reads hours like 08:00-23:00=5Mbit. Errors: ErrValue.
func ParseHours(text string) (h Hours, err error) {
	bad := fmt.Errorf("%w: %q is not hours like 08:00-23:00=5Mbit", ErrValue, text)
	span, speed, found := strings.Cut(text, "=")
	from, to, found2 := strings.Cut(span, "-")
	if !found || !found2 {
		return h, bad
	}
	if h.Start, err = parseClock(from); err != nil || h.Start == day {
		return h, bad
	}
	if h.End, err = parseClock(to); err != nil {
		return h, bad
	}
	if h.Speed, err = ParseSpeed(speed); err != nil {
		return h, err
	}
	return h, nil
}

// parseClock reads 00:00 to 24:00.
func parseClock(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "24:00" {
		return day, nil
	}
	at, err := time.Parse("15:04", text)
	if err != nil {
		return 0, err
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

// parseSchedule reads hours, which may lie over each other: the first that fit count.
func parseSchedule(texts []string) (list []Hours, err error) {
	const most = 32
	if len(texts) > most {
		return nil, fmt.Errorf("%w: more than %d spans of hours", ErrValue, most)
	}
	for _, text := range texts {
		h, err := ParseHours(text)
		if err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}
