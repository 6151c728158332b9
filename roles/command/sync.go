package command

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/match"
	"storj/roles/command/pace"
	"storj/roles/command/screen"
	"storj/roles/command/syncer"
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

func (a *app) syncCommand() *cli.Command {
	rules := new(match.Rules)
	return &cli.Command{
		Name: "sync", Usage: "make one place a mirror of another", ArgsUsage: "SOURCE DESTINATION", Category: categoryObjects,
		Description: `Copies what is new or differs from a directory or prefix to another; one of the two is sj://BUCKET/PREFIX, or both are.
Files of the same size are the same when their times of change are, which are kept with the objects; with --checksum
when their content is. What the source does not have stays at the destination, unless --delete is given.

Rules are read in order, the last that fits a name decides. "*.jpg" fits that part of a name anywhere, "cache" also a
folder with all in it; "/a/*.txt" counts from the top; ** stands for any folders. If the first rule is an --include,
what fits none is left out. What is left out is neither copied nor deleted.

An interrupted sync goes on where it was when it is repeated.`,
		UsageText: `storj sync ~/Pictures sj://photos/
storj sync --delete --exclude .cache/ ~/work sj://backup/work/
storj sync --dry-run sj://backup/work/ ~/work
storj sync --include '*.jpg' --limit 5MB/s ~/Pictures sj://photos/`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "delete", Usage: "delete what the source does not have"},
			&cli.BoolFlag{Name: "checksum", Aliases: []string{"c"}, Usage: "compare the content of files of the same size, not their times: reads all of them"},
			&cli.BoolFlag{Name: "size-only", Usage: "take files of the same size for the same"},
			&cli.DurationFlag{Name: "window", Usage: "take times of change that are at most `DURATION` apart for the same", Value: time.Millisecond},
			&cli.GenericFlag{Name: "exclude", Usage: "leave out what fits `GLOB`; may be repeated", Value: &ruleFlag{rules, match.Exclude}},
			&cli.GenericFlag{Name: "include", Usage: "take what fits `GLOB`; may be repeated", Value: &ruleFlag{rules, match.Include}},
			&cli.BoolFlag{Name: "force", Usage: "with --delete: go on even if the source is empty"},
			dryRunFlag(), jsonOutput(), rateFlag(), resumeFlag(), partSizeFlag(), progressFlag(), quietFlag(),
		}, clientFlags("parallel", "memory")...),
		Action: func(c *cli.Context) error { return a.syncAction(c, rules) },
	}
}

// ruleFlag is a repeatable flag whose values are rules, in the order of all flags of the kind.
type ruleFlag struct {
	rules *match.Rules
	kind  match.Kind
}

// Set implements cli.Generic.
func (f *ruleFlag) Set(text string) error { return f.rules.Add(f.kind, text) }

// String implements cli.Generic.
func (f *ruleFlag) String() string { return "" }

func rateFlag() cli.Flag {
	return &cli.StringFlag{Name: "limit", Usage: "move at most `RATE` of content, such as 20MB/s, all files together"}
}

// limiter reads --limit. It is nil for no limit.
func limiter(c *cli.Context) (*pace.Limiter, error) {
	bytesPerSecond, err := pace.Parse(c.String("limit"))
	if err != nil {
		return nil, usageErrorf("--limit: %v", err)
	}
	return pace.New(bytesPerSecond), nil
}

func (a *app) syncAction(c *cli.Context, rules *match.Rules) error {
	args, err := arguments(c, 2, 2)
	if err != nil {
		return err
	}
	source, dest, err := syncPlaces(args)
	if err != nil {
		return err
	}
	client, err := a.client(c)
	if err != nil {
		return err
	}
	limit, err := limiter(c)
	if err != nil {
		return err
	}
	opts := transfer.Options{DryRun: c.Bool("dry-run"), Parallel: client.Parallel, Limit: limit, Stdin: a.stdin, Stdout: a.out}
	if err := a.resumable(c, client, &opts); err != nil {
		return err
	}
	job := &syncJob{
		copyJob: copyJob{app: a, c: c, opts: opts, sources: []location.Location{source}, dest: dest},
		source:  source, rules: rules,
	}
	return a.withProject(c, job.run)
}

// syncPlaces reads source and destination: directories and prefixes, at least one of them remote, not one in the other.
func syncPlaces(args []string) (source, dest location.Location, err error) {
	places := make([]location.Location, 2)
	for i, arg := range args {
		if places[i], err = location.Parse(arg); err != nil {
			return source, dest, err
		}
		switch place := places[i]; {
		case place.Std:
			return source, dest, usageError("sync is of directories and prefixes, not of standard input and output")
		case place.Remote && place.Bucket == "":
			return source, dest, usageErrorf("%s names no bucket", place)
		case place.Remote:
			places[i] = place.Dir()
		}
	}
	source, dest = places[0], places[1]
	switch {
	case !source.Remote && !dest.Remote:
		err = usageErrorf("neither %s nor %s is an sj:// place", source, dest)
	case source.Contains(dest), dest.Contains(source):
		err = usageErrorf("one of %s and %s lies in the other", source, dest)
	case !source.Remote:
		err = checkDirectory(source.Path, false)
	case !dest.Remote:
		err = checkDirectory(dest.Path, true)
	}
	return source, dest, err
}

func checkDirectory(path string, mayBeAbsent bool) error {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err) && mayBeAbsent:
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return usageErrorf("%s is a file: sync is of directories; use storj cp", path)
	}
	return nil
}

// syncJob is one sync.
type syncJob struct {
	copyJob
	source location.Location
	rules  *match.Rules
	stats  syncer.Stats
	hidden int
}

// run mirrors, with its output.
func (j *syncJob) run(ctx context.Context, p *uplink.Project) error {
	return j.carryOut(ctx, p, "file", func(t *transfer.Transfer) (transfer.Summary, error) {
		summary, err := t.RunPlan(ctx, func(ctx context.Context, emit func(transfer.Item, error) error) error {
			return j.plan(ctx, p, emit)
		})
		summary.Hidden = j.hidden
		summary.Skipped = j.stats.Same
		if err == nil {
			j.tell(summary)
		}
		return summary, err
	})
}

// tell says how it went, beside standard output.
func (j *syncJob) tell(summary transfer.Summary) {
	if j.stats.Spared > 0 {
		j.warn("%s not deleted: part of the source could not be read", screen.Plural(j.stats.Spared, "file"))
	}
	if j.c.Bool("quiet") {
		return
	}
	what := "copied"
	if j.opts.DryRun {
		what = "to copy"
	}
	text := fmt.Sprintf("%s %s, %d to delete, %d unchanged", screen.Plural(j.stats.Copies, "file"), what, j.stats.Deletes, j.stats.Same)
	if !j.opts.DryRun {
		done := max(0, summary.Done-j.stats.Deletes)
		text = fmt.Sprintf("%s %s, %d deleted, %d unchanged", screen.Plural(done, "file"), what, j.stats.Deletes, j.stats.Same)
	}
	if j.stats.LeftOut > 0 {
		text += fmt.Sprintf(", %d left out", j.stats.LeftOut)
	}
	j.errorLine("%s", text)
}

// plan compares the two places and makes an item of each difference.
func (j *syncJob) plan(ctx context.Context, p *uplink.Project, emit func(transfer.Item, error) error) error {
	source, err := j.listing(ctx, p, j.source, false)
	if err != nil {
		return err
	}
	dest, err := j.listing(ctx, p, j.dest, true)
	if err != nil {
		return err
	}
	opts := syncer.Options{
		Delete: j.c.Bool("delete"), Takes: j.rules.Takes, SizeOnly: j.c.Bool("size-only"), Window: j.c.Duration("window"),
	}
	if j.c.Bool("checksum") {
		opts.Hash = j.hash
	}
	if opts.Delete {
		if source, err = j.notEmpty(source); err != nil {
			return err
		}
	}
	if opts.Delete && j.source.Remote && j.hidden > 0 {
		opts.Delete = false
		j.warn("nothing is deleted: %s of the source did not decrypt", screen.Plural(int64(j.hidden), "name"))
	}
	j.stats, err = syncer.Diff(source, dest, opts, func(action syncer.Action) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return j.item(action, emit)
	})
	return err
}

func (j *syncJob) listing(ctx context.Context, p *uplink.Project, place location.Location, dest bool) (syncer.Listing, error) {
	if place.Remote {
		list, hidden, err := syncer.Remote(ctx, p, place, "")
		j.hidden += hidden
		return list, at(place, err)
	}
	opts := syncer.LocalOptions{LeavesOut: j.rules.LeavesOut, Skips: transfer.IsTemp, Absent: dest}
	if !dest {
		opts.Warn = func(path, what string) {
			j.opts.Progress.Around(func() { j.warn("skipped %s: %s", screen.Printable(path), what) })
		}
	}
	return syncer.Local(place.Path, opts), nil
}

// notEmpty refuses to delete all of a destination since the source has nothing: a disk that is not mounted looks so.
func (j *syncJob) notEmpty(source syncer.Listing) (syncer.Listing, error) {
	source, empty := syncer.Peek(source)
	if empty && !j.c.Bool("force") {
		return nil, &hintError{
			usageErrorf("nothing is in %s: with --delete nothing would be left of %s", j.source, j.dest),
			"Is a disk not mounted? Give --force if that is what you want.",
		}
	}
	return source, nil
}

// hash computes the checksum of a file; that of an object which was stored without one is not to be had.
func (j *syncJob) hash(e syncer.Entry, source bool) (string, error) {
	place := j.dest
	if source {
		place = j.source
	}
	if place.Remote {
		return "", nil
	}
	hash, err := transfer.HashFile(place.Join(e.Key).Path)
	return string(hash[:]), err
}

// item makes an item of an action.
func (j *syncJob) item(action syncer.Action, emit func(transfer.Item, error) error) error {
	item := transfer.Item{Op: transfer.Copy, Size: action.Source.Size, MakeDirs: true}
	switch {
	case action.Verb == syncer.Delete:
		item.Op, item.Size = transfer.Delete, 0
	case !j.source.Remote:
		item.Op = transfer.Upload
	case !j.dest.Remote:
		item.Op = transfer.Download
	}
	if action.Verb != syncer.Delete {
		item.From = j.source.Join(action.Key)
	}
	item.To = j.dest
	if action.Verb == syncer.Fail {
		return emit(item, action.Source.Err)
	}
	if j.dest.Remote {
		item.To = j.dest.Join(action.Key)
		return emit(item, nil)
	}
	name, err := location.LocalName(action.Key)
	if err != nil && action.Source.Size == 0 && action.Key[len(action.Key)-1] == '/' {
		return nil // stands for a directory, as some tools make them
	}
	if err == nil {
		item.To = j.dest.Join(name)
	}
	item.Root = j.dest.Path
	return emit(item, err)
}
