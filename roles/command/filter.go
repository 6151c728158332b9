package command

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/match"
)

// filterFlags choose among objects, as find does.
func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "name", Usage: "objects whose last part fits `GLOB`, or all of whose key does if it has a \"/\""},
		&cli.StringFlag{Name: "larger", Usage: "objects of at least `SIZE`, such as 10MB"},
		&cli.StringFlag{Name: "smaller", Usage: "objects of at most `SIZE`"},
		&cli.StringFlag{Name: "newer", Usage: "objects stored since `TIME`: 2d is two days ago; or 2026-01-31, or RFC 3339"},
		&cli.StringFlag{Name: "older", Usage: "objects stored before `TIME`, in the same forms"},
	}
}

func filterOf(c *cli.Context, now time.Time) (f match.Filter, err error) {
	if text := c.String("name"); text != "" {
		pattern, err := match.Parse(text)
		if err != nil {
			return f, usageErrorf("--name: %v", err)
		}
		f.Name = &pattern
	}
	if f.Larger, err = sizeFlag(c, "larger"); err != nil {
		return f, err
	}
	if c.IsSet("smaller") {
		smaller, err := sizeFlag(c, "smaller")
		if err != nil {
			return f, err
		}
		f.Smaller = &smaller
	}
	if f.Newer, err = parsePast(c.String("newer"), now); err != nil {
		return f, err
	}
	f.Older, err = parsePast(c.String("older"), now)
	return f, err
}

func sizeFlag(c *cli.Context, name string) (int64, error) {
	text := c.String(name)
	if text == "" {
		return 0, nil
	}
	size, err := config.ParseSize(text)
	if err != nil {
		return 0, usageErrorf("--%s: %v", name, err)
	}
	return int64(size), nil
}

// parsePast reads an instant: a duration before now (2d, -2d), "now", a date, or RFC 3339. Empty is the zero time.
func parsePast(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-time.Duration(d)).UTC(), nil
	}
	if text == "now" {
		return now.UTC(), nil
	}
	return parseInstant(text, now)
}
