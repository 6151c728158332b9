package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

func (a *app) cpCommand() *cli.Command {
	return &cli.Command{
		Name: "cp", Usage: "copy files to the network, back, and within it", ArgsUsage: "SOURCE... DESTINATION", Category: categoryObjects,
		Description: `A source or the destination is sj://BUCKET/KEY; the other may be a local path, or - for standard input or output.
From one sj:// place to another nothing is moved through this machine.
A download appears under its name when all of it is on disk. With -r the content of a directory or prefix is copied.

A transfer of a large file that was interrupted, by whatever, goes on where it was when the command is repeated. For
many files there is storj sync, or --if-absent, which leaves what is there. --parallel says how many large files move
at once; of those up to 64 kB it is eight times as many.`,
		UsageText: `storj cp cat.jpg sj://photos/2026/           # upload as 2026/cat.jpg
storj cp sj://photos/2026/cat.jpg .          # download
storj cp -r ~/Documents sj://backup/docs/    # all files below a directory
tar c dir | storj cp - sj://backup/dir.tar   # from standard input
storj cp --range 0-99 sj://logs/today -      # the first 100 bytes
storj cp --limit 5MB/s --expires +30d dump.sql sj://backup/
storj cp --version 1792f0a3b5c1e sj://photos/cat.jpg old-cat.jpg`,
		Flags: append([]cli.Flag{
			recursiveFlag(), dryRunFlag(), jsonOutput(),
			ifAbsentFlag(), ifMatchFlag(), versionFlag(),
			&cli.StringFlag{Name: "range", Usage: "part of one object: `FIRST-LAST`, FIRST- or -COUNT bytes"},
			&cli.StringFlag{Name: "expires", Usage: "delete the upload at `TIME`: +24h, +30d, 2027-01-31 or RFC 3339"},
			&cli.StringSliceFlag{Name: "metadata", Usage: "`KEY=VALUE` to keep with the upload (repeatable), or a JSON object"},
			&cli.StringSliceFlag{Name: "tag", Usage: "`KEY=VALUE` to tag the upload with (repeatable)"},
			&cli.StringFlag{Name: "retain-until", Usage: "protect the new version until `TIME`, in a bucket with object lock"},
			&cli.StringFlag{Name: "retain-mode", Usage: "`MODE` of that: governance or compliance", Value: "governance"},
			&cli.BoolFlag{Name: "legal-hold", Usage: "put a legal hold on the new version"},
			rateFlag(), resumeFlag(), partSizeFlag(), progressFlag(), quietFlag(),
		}, clientFlags("parallel", "memory")...),
		Action: func(c *cli.Context) error { return a.copyAction(c, false) },
	}
}

func (a *app) mvCommand() *cli.Command {
	return &cli.Command{
		Name: "mv", Usage: "rename objects", ArgsUsage: "SOURCE... DESTINATION", Category: categoryObjects,
		Description: "Objects are renamed where they are, also from one bucket to another: no content moves.",
		UsageText: `storj mv sj://photos/cat.jpg sj://photos/2026/
storj mv -r sj://photos/new/ sj://photos/2026/`,
		Flags: append([]cli.Flag{
			recursiveFlag(), dryRunFlag(), jsonOutput(),
			ifAbsentFlag(), ifMatchFlag(),
			progressFlag(), quietFlag(),
		}, clientFlags("parallel")...),
		Action: func(c *cli.Context) error { return a.copyAction(c, true) },
	}
}

func ifAbsentFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "if-absent", Aliases: []string{"if-none-match", "no-clobber", "n"}, Usage: "leave what exists at the destination as it is",
	}
}

func ifMatchFlag() cli.Flag {
	return &cli.StringFlag{Name: "if-match", Usage: "replace the destination only while its `REVISION`, as storj stat shows it, is this one"}
}

func recursiveFlag() cli.Flag {
	return &cli.BoolFlag{Name: "recursive", Aliases: []string{"r"}, Usage: "with all that lies below"}
}

func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", Usage: "say what would be done, and do nothing"}
}

func progressFlag() cli.Flag {
	return &cli.BoolFlag{Name: "progress", Value: true, Usage: "show progress when standard error is a terminal; off by --progress=false"}
}

func quietFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print errors only"}
}

func (a *app) copyAction(c *cli.Context, move bool) error {
	args, err := arguments(c, 2, -1)
	if err != nil {
		return err
	}
	places := make([]location.Location, len(args))
	for i, arg := range args {
		if places[i], err = location.Parse(arg); err != nil {
			return err
		}
	}
	opts, err := a.transferOptions(c, move)
	if err != nil {
		return err
	}
	client, err := a.client(c)
	if err != nil {
		return err
	}
	opts.Parallel = client.Parallel
	if err := a.resumable(c, client, &opts); err != nil {
		return err
	}
	last := len(places) - 1
	job := &copyJob{app: a, c: c, opts: opts, sources: places[:last], dest: places[last]}
	return a.withProject(c, job.run)
}

// copyJob is one cp or mv.
type copyJob struct {
	*app
	c       *cli.Context
	opts    transfer.Options
	sources []location.Location
	dest    location.Location
}

// transferOptions reads the flags of cp and mv.
func (a *app) transferOptions(c *cli.Context, move bool) (transfer.Options, error) {
	opts := transfer.Options{
		Move: move, Recursive: c.Bool("recursive"), DryRun: c.Bool("dry-run"), IfAbsent: c.Bool("if-absent"),
		Stdin: a.stdin, Stdout: a.out, IfRevision: c.String("if-match"),
	}
	if opts.IfRevision != "" && opts.IfAbsent {
		return opts, usageError("--if-match and --if-absent exclude each other")
	}
	if move {
		return opts, nil
	}
	opts.Version, opts.LegalHold = c.String("version"), c.Bool("legal-hold")
	var err error
	if opts.Retention, err = retentionOf(c.String("retain-mode"), c.String("retain-until"), time.Now()); err != nil {
		return opts, err
	}
	tags, err := parseMetadata(c.StringSlice("tag"))
	if err != nil {
		return opts, err
	}
	opts.Tags = uplink.Tags(tags)
	if opts.Limit, err = limiter(c); err != nil {
		return opts, err
	}
	if text := c.String("range"); text != "" {
		if opts.Range, err = parseRange(text); err != nil {
			return opts, err
		}
	}
	if opts.Expires, err = parseExpiry(c.String("expires"), time.Now()); err != nil {
		return opts, err
	}
	opts.Metadata, err = parseMetadata(c.StringSlice("metadata"))
	return opts, err
}

// run transfers, with its output.
func (j *copyJob) run(ctx context.Context, p *uplink.Project) error {
	return j.carryOut(ctx, p, "item", func(t *transfer.Transfer) (transfer.Summary, error) {
		return t.Run(ctx, j.sources, j.dest)
	})
}

// carryOut shows what a transfer does, which run runs.
func (j *copyJob) carryOut(ctx context.Context, p *uplink.Project, noun string, run func(*transfer.Transfer) (transfer.Summary, error)) error {
	tally := newTally(noun)
	j.opts.Warn = func(text string) { j.warn("%s", text) }
	j.opts.Done = func(r transfer.Result) {
		tally.count(r.Err)
		j.showResult(r)
	}
	if j.showsProgress() {
		j.opts.Progress = screen.Start(j.env.Stderr, screen.Options{Width: j.env.Terminal.Width})
	}
	started := time.Now()
	summary, err := run(transfer.New(p, j.opts))
	j.opts.Progress.Stop()
	if err != nil {
		if summary.Done > 0 && !summary.Single {
			j.errorLine("%s done before that", screen.Plural(summary.Done, noun))
		}
		if ctx.Err() != nil && j.opts.Resume != nil && j.opts.Resume.Pending() {
			j.errorLine("the same command goes on where it was")
		}
		return err
	}
	if j.opts.Progress != nil && !j.opts.DryRun {
		span := time.Since(started)
		j.errorLine("%s, %s in %s, %s", screen.Plural(summary.Done, noun), screen.Bytes(summary.Bytes), screen.Span(span),
			screen.Rate(summary.Bytes, span))
	}
	return tally.result(j.hiddenNames(summary.Hidden, summary.Done+summary.Skipped+summary.Failed))
}

// showsProgress says whether there is a terminal to show progress on, which the content does not go to as well.
func (j *copyJob) showsProgress() bool {
	return j.c.Bool("progress") && !j.c.Bool("quiet") && j.env.Terminal.Stderr && !(j.dest.Std && j.env.Terminal.Stdout)
}

// transferLine is what --json prints for each item.
type transferLine struct {
	Op      transfer.Op `json:"op"`
	From    string      `json:"from,omitempty"`
	To      string      `json:"to"`
	Bytes   int64       `json:"bytes"`
	Skipped bool        `json:"skipped,omitempty"`
	DryRun  bool        `json:"dry_run,omitempty"`
	Error   string      `json:"error,omitempty"`
}

func (j *copyJob) showResult(r transfer.Result) {
	if r.Err != nil {
		j.showError(&transfer.ItemError{Item: r.Item, Err: r.Err})
	}
	if j.dest.Std || j.c.Bool("quiet") {
		return
	}
	if j.c.Bool(jsonFlag) {
		line := transferLine{
			Op: r.Op, From: r.From.String(), To: r.To.String(), Bytes: r.Bytes, Skipped: r.Skipped, DryRun: j.opts.DryRun,
		}
		if r.Err != nil {
			line.Error = explain(r.Err)
		}
		_ = j.printJSON(line) // an error of the output comes again when it is flushed
	} else if r.Err == nil {
		j.printf("%s\n", j.resultLine(r))
	}
	if j.env.Terminal.Stdout {
		_ = j.out.Flush() // a person watches; an error comes again at the end
	}
}

func (j *copyJob) resultLine(r transfer.Result) string {
	line := fmt.Sprintf("%s %s -> %s", r.Op, screen.Printable(r.From.String()), screen.Printable(r.To.String()))
	if r.Op == transfer.Delete {
		line = fmt.Sprintf("%s %s", r.Op, screen.Printable(r.To.String()))
	}
	switch {
	case r.Skipped:
		return line + j.style.Dim("  exists, skipped")
	case j.opts.DryRun:
		return line + j.style.Dim("  (not done)")
	case r.Op == transfer.Delete:
		return line
	}
	return line + j.style.Dim("  "+screen.Bytes(r.Bytes))
}

// parseRange reads a range as HTTP has it (RFC 9110, 14.1.2), without its unit.
func parseRange(text string) (*transfer.Range, error) {
	wrong := usageErrorf("--range wants FIRST-LAST, FIRST- or -COUNT in bytes, counted from 0, was given %q", text)
	first, last, found := strings.Cut(text, "-")
	if !found || first == "" && last == "" {
		return nil, wrong
	}
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || text[0] == '+' {
			return -1
		}
		return n
	}
	if first == "" {
		count := number(last)
		if count < 1 {
			return nil, wrong
		}
		return &transfer.Range{Offset: -count}, nil
	}
	r := &transfer.Range{Offset: number(first)}
	if last != "" {
		end := number(last)
		if r.Length = end - r.Offset + 1; end < r.Offset {
			return nil, wrong
		}
	}
	if r.Offset < 0 {
		return nil, wrong
	}
	return r, nil
}

// parseMetadata reads KEY=VALUE and JSON objects, later ones over earlier ones. None is nil.
func parseMetadata(texts []string) (uplink.CustomMetadata, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	metadata := make(uplink.CustomMetadata)
	for _, text := range texts {
		if strings.HasPrefix(strings.TrimSpace(text), "{") {
			if err := json.Unmarshal([]byte(text), &metadata); err != nil {
				return nil, usageErrorf("metadata: not a JSON object of texts: %v", err)
			}
			continue
		}
		key, value, found := strings.Cut(text, "=")
		if !found || key == "" {
			return nil, usageErrorf("metadata: %q is neither KEY=VALUE nor a JSON object", text)
		}
		metadata[key] = value
	}
	return metadata, metadata.Verify()
}
