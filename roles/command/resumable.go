package command

import (
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"storj/config"
	"storj/roles/command/accesses"
	"storj/roles/command/resume"
	"storj/roles/command/screen"
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

func resumeFlag() cli.Flag {
	return &cli.BoolFlag{Name: "resume", Value: true, Usage: "go on with an interrupted transfer of a large file; off by --resume=false"}
}

func partSizeFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "part-size", DefaultText: screen.Bytes(transfer.DefaultPartSize),
		Usage: "upload files of more than `SIZE` in parts of it: what is lost at most by an interruption",
	}
}

// resumable lets a transfer keep what it needs to go on after an interruption.
func (a *app) resumable(c *cli.Context, client *config.Client, opts *transfer.Options) error {
	if opts.Move {
		return nil
	}
	size, err := sizeFlag(c, "part-size")
	if err != nil {
		return err
	}
	if size != 0 && (size < transfer.MinPartSize || size > 4<<30) {
		return usageErrorf("--part-size is from 64KiB to 4GiB, was given %q", c.String("part-size"))
	}
	opts.PartSize = size
	if !c.Bool("resume") || opts.DryRun {
		return nil
	}
	named, err := a.grant(c, accesses.Store{Dir: client.Dir})
	if err != nil {
		return err
	}
	access, err := uplink.ParseAccess(named.Grant)
	if err != nil {
		return err
	}
	info := access.Inspect()
	store := &resume.Store{Dir: filepath.Join(client.Dir, "resume")}
	store.Clean(time.Now())
	opts.Resume, opts.ResumeScope = store, info.SatelliteURL+" "+info.APIKeyID
	return nil
}
