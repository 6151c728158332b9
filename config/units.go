package config

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// ErrValue is returned for text that is no size, duration or rate.
var ErrValue = errors.New("invalid value")

// Size is a number of bytes. Text: 500GB, 4.5 TB, 64MiB, 1000; decimal and binary units, of any case.
type Size int64

// Bytes in each unit. K is 1000, Ki is 1024.
const (
	KB Size = 1e3
	MB Size = 1e6
	GB Size = 1e9
	TB Size = 1e12
	PB Size = 1e15

	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
	PiB Size = 1 << 50
)

type sizeUnit struct {
	name  string
	bytes Size
}

// sizeUnits are the units in which sizes are written, largest first of each kind.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"PB", PB}, {"TB", TB}, {"GB", GB}, {"MB", MB}, {"KB", KB},
		{"PiB", PiB}, {"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}, {"B", 1},
	}
}

// ParseSize reads a size. A fraction must come out as whole bytes, rounded down. Errors: ErrValue.
func ParseSize(text string) (Size, error) {
	number, unit := splitNumber(text)
	scale, ok := unitBytes(unit)
	if number == "" || !ok {
		return 0, fmt.Errorf("%w: %q is not a size like 500GB or 1.5TiB", ErrValue, text)
	}
	value, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, fmt.Errorf("%w: %q is not a size like 500GB or 1.5TiB", ErrValue, text)
	}
	value.Mul(value, new(big.Rat).SetInt64(int64(scale)))
	whole := new(big.Int).Quo(value.Num(), value.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("%w: %q is more bytes than can be counted", ErrValue, text)
	}
	return Size(whole.Int64()), nil
}

// maxNumber bounds the digits of a number, so that a hostile one costs nothing.
const maxNumber = 30

// splitNumber cuts "4.5 GB" into "4.5" and "GB"; number is empty when there is none.
func splitNumber(text string) (number, unit string) {
	text = strings.TrimSpace(text)
	end := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(text)
	}
	if end > maxNumber {
		return "", ""
	}
	return text[:end], strings.TrimSpace(text[end:])
}

func unitBytes(name string) (Size, bool) {
	name = strings.ToUpper(name)
	for _, unit := range sizeUnits() {
		full := strings.ToUpper(unit.name)
		if name == full || name == strings.TrimSuffix(full, "B") {
			return unit.bytes, true
		}
	}
	return 0, false
}

// String prints the size for people, to three digits: 4.53 TB.
func (s Size) String() string {
	for _, unit := range sizeUnits()[:5] {
		if s < unit.bytes {
			continue
		}
		if s < 1000*unit.bytes || unit.bytes == PB {
			return strconv.FormatFloat(float64(s)/float64(unit.bytes), 'g', 3, 64) + " " + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + " B"
}

// MarshalText prints the size exactly, in the largest unit that does.
func (s Size) MarshalText() ([]byte, error) {
	best := sizeUnit{"B", 1}
	for _, unit := range sizeUnits() {
		if s != 0 && s%unit.bytes == 0 && unit.bytes > best.bytes {
			best = unit
		}
	}
	return fmt.Appendf(nil, "%d%s", s/best.bytes, best.name), nil
}

// UnmarshalText reads what ParseSize reads.
func (s *Size) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSize(string(text))
	return err
}

// Duration is a span of time. Text: 90s, 1h30m, 7d, 2w; a day is 24 hours.
type Duration time.Duration

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads a duration. Errors: ErrValue.
func ParseDuration(text string) (Duration, error) {
	trimmed := strings.TrimSpace(text)
	number, unit := splitNumber(trimmed)
	if unit == "d" || unit == "w" {
		scale := day
		if unit == "w" {
			scale = week
		}
		count, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%w: %q is not a duration like 90s, 4h or 7d", ErrValue, text)
		}
		return checkedSpan(count, scale, text)
	}
	d, err := time.ParseDuration(trimmed)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is not a duration like 90s, 4h or 7d", ErrValue, text)
	}
	return Duration(d), nil
}

func checkedSpan(count int64, scale time.Duration, text string) (Duration, error) {
	span := count * int64(scale)
	if span/int64(scale) != count {
		return 0, fmt.Errorf("%w: %q is too long", ErrValue, text)
	}
	return Duration(span), nil
}

// String prints the duration without zero parts: 7d, 1h30m, 90s as 1m30s.
func (d Duration) String() string {
	if d > 0 && time.Duration(d)%day == 0 {
		return strconv.FormatInt(int64(time.Duration(d)/day), 10) + "d"
	}
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText prints the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Rate is how many events may happen in a second. Text: 1000/s, 90/min, 1000 (a second); off and 0 mean without limit.
// It is kept in whole events a minute.
type Rate struct {
	perMinute int64
}

// ratePerSecond makes a Rate of n events a second.
func ratePerSecond(n int64) Rate { return Rate{perMinute: n * 60} }

// maxRate is the highest rate in events a second.
const maxRate = 1e9

// ParseRate reads a rate. Errors: ErrValue.
func ParseRate(text string) (Rate, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "off" {
		return Rate{}, nil
	}
	number, unit := splitNumber(trimmed)
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil || count > maxRate {
		return Rate{}, fmt.Errorf("%w: %q is not a rate like 1000/s, 90/min or off", ErrValue, text)
	}
	switch unit {
	case "", "/s":
		return ratePerSecond(count), nil
	case "/m", "/min":
		return Rate{perMinute: count}, nil
	}
	return Rate{}, fmt.Errorf("%w: %q is not a rate like 1000/s, 90/min or off", ErrValue, text)
}

// PerSecond returns events a second; 0 means without limit.
func (r Rate) PerSecond() float64 { return float64(r.perMinute) / 60 }

// String prints the rate.
func (r Rate) String() string {
	switch {
	case r.perMinute == 0:
		return "off"
	case r.perMinute%60 == 0:
		return strconv.FormatInt(r.perMinute/60, 10) + "/s"
	}
	return strconv.FormatInt(r.perMinute, 10) + "/min"
}

// MarshalText prints the rate.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what ParseRate reads.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}
