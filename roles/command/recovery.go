package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"storj/roles/command/screen"
	"storj/roles/command/words"
	"storj/roles/uplink"
)

// recoverySheet returns what a person needs to make the same access again: to be printed, and kept where no computer is.
func recoverySheet(satellite string, info uplink.AccessInfo, passphrase string, now time.Time) string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("STORJ RECOVERY SHEET")
	line("")
	line("Whoever has this sheet and an API key of the project can read all that was stored with")
	line("it. Without it, when the computer is lost, nobody can. Keep it like a key.")
	line("")
	line("made        %s", now.Format("2 January 2006"))
	line("satellite   %s", satellite)
	line("API key     %s (its public name)", info.APIKeyID)
	line("")
	if _, kind := words.Read(passphrase); kind == words.Valid {
		line("passphrase  twelve words, in this order:")
		line("")
		list := strings.Fields(passphrase)
		const columns = 3
		rows := (len(list) + columns - 1) / columns
		for row := range rows {
			text := ""
			for i := row; i < len(list); i += rows {
				text += fmt.Sprintf("  %2d. %-12s", i+1, list[i])
			}
			line("  %s", strings.TrimRight(text, " "))
		}
	} else {
		line("passphrase  %s", passphrase)
	}
	line("")
	line("To recover: ask whoever runs the satellite for an API key of the same project, and type")
	line("  storj access create --satellite %s", satellite)
	return out.String()
}

// offerSheet writes a recovery sheet where --recovery-sheet says, or where a person says who was shown a new passphrase.
func (a *app) offerSheet(ctx context.Context, file string, made madeAccess, replace bool) error {
	if file == "" && made.asked {
		answer, err := a.ask(ctx, "Write a recovery sheet to print, to which FILE (empty: none)?", "--recovery-sheet FILE")
		if err != nil && ctx.Err() != nil {
			return err
		}
		file = answer // without an answer there is none
	}
	if file == "" {
		return nil
	}
	sheet := recoverySheet(made.access.SatelliteURL(), made.access.Inspect(), string(made.passphrase), time.Now())
	if file == "-" {
		a.printf("%s", sheet)
		return nil
	}
	if err := writeSecretFile(file, strings.TrimSuffix(sheet, "\n"), replace); err != nil {
		return err
	}
	a.errorLine("Wrote %s: print it, put it away, and delete the file.", screen.Printable(file))
	return nil
}

// Bounds of a look at what is stored already.
const (
	probeBuckets = 20
	probeNames   = 1000
	probeTimeout = 20 * time.Second
)

// probe counts, in some of the buckets, names that the access opens and names that it does not.
func probe(ctx context.Context, p *uplink.Project) (opened, hidden int, where string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	buckets := p.ListBuckets(ctx, nil)
	for range probeBuckets {
		if !buckets.Next() {
			break
		}
		bucket := buckets.Item()
		if bucket.PlainNames {
			continue // they open with any passphrase
		}
		it := p.List(ctx, bucket.Name, nil)
		for opened < probeNames && it.Next() {
			opened++
		}
		if it.Err() != nil {
			return opened, hidden, where, it.Err()
		}
		if it.Hidden() > 0 && where == "" {
			where = "sj://" + bucket.Name
		}
		hidden += it.Hidden()
	}
	return opened, hidden, where, buckets.Err()
}

// errNotKept is returned when a person, told that the passphrase opens nothing, thinks again.
var errNotKept = errors.New("the access was not saved")

// checkPassphrase says, and on a terminal asks, when what is stored was stored with another passphrase: the satellite does
// not know the right one, so nothing else would tell.
func (a *app) checkPassphrase(ctx context.Context, config uplink.Config, access *uplink.Access) error {
	project, err := uplink.Open(ctx, config, access)
	if err != nil {
		return err
	}
	defer project.Close() // nothing was written
	opened, hidden, where, err := probe(ctx, project)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && !errors.Is(err, uplink.ErrPermissionDenied):
		a.warn("whether the passphrase is that of what is stored could not be checked: %s", explain(err))
		return nil
	case hidden == 0:
		return nil
	case opened > 0:
		a.warn("%s, in %s and perhaps elsewhere, with another passphrase; %s with this one", wereStored(hidden), where, wereStored(opened))
		return nil
	}
	a.warn("%s, in %s and perhaps elsewhere, with another passphrase, and nothing with this one: is it mistyped?", wereStored(hidden), where)
	if !a.env.Terminal.Stdin {
		return nil
	}
	answer, err := a.ask(ctx, "Keep the access nevertheless [y/N]?", "the passphrase by --passphrase-file")
	if err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
		return errors.Join(errNotKept, context.Cause(ctx))
	}
	return nil
}

func wereStored(names int) string {
	if names == 1 {
		return "1 name was stored"
	}
	return fmt.Sprintf("%d names were stored", names)
}
