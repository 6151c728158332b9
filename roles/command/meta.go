package command

import (
	"context"
	"fmt"
	"maps"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/screen"
	"storj/roles/command/transfer"
	"storj/roles/uplink"
)

// labels is one of the two kinds of texts that are kept with an object: metadata and tags.
type labels struct {
	noun string
	of   func(o *uplink.Object) map[string]string
	// update makes the change that replaces all labels.
	update func(all map[string]string) uplink.ObjectUpdate
	// ours says that a name is not the user's: it is not shown unasked, and stays when the others are replaced.
	ours func(name string) bool
}

func metadataLabels() labels {
	return labels{
		noun: "metadata", of: func(o *uplink.Object) map[string]string { return o.Custom }, ours: transfer.IsFileMetadata,
		update: func(all map[string]string) uplink.ObjectUpdate { return uplink.ObjectUpdate{Metadata: all} },
	}
}

func tagLabels() labels {
	return labels{
		noun: "tag", of: func(o *uplink.Object) map[string]string { return o.Tags }, ours: func(string) bool { return false },
		update: func(all map[string]string) uplink.ObjectUpdate { return uplink.ObjectUpdate{Tags: all} },
	}
}

func (a *app) metaCommand() *cli.Command {
	return &cli.Command{
		Name: "meta", Usage: "read and change what is kept with an object", Category: categoryObjects,
		Description: "Metadata are texts under names, encrypted with the object. When and what the file was that was uploaded is kept so too.",
		Subcommands: a.labelCommands("meta", metadataLabels()),
	}
}

func (a *app) tagCommand() *cli.Command {
	return &cli.Command{
		Name: "tag", Usage: "read and change the tags of an object", Category: categoryObjects,
		Description: "Tags are up to 50 short texts under names, apart from the metadata and encrypted as it is.",
		Subcommands: a.labelCommands("tag", tagLabels()),
	}
}

func (a *app) labelCommands(command string, l labels) []*cli.Command {
	return []*cli.Command{
		{
			Name: "get", Usage: "print all as JSON, or one value", ArgsUsage: "sj://BUCKET/KEY [NAME]",
			UsageText: fmt.Sprintf("storj %s get sj://photos/cat.jpg\nstorj %[1]s get sj://photos/cat.jpg camera", command),
			Flags:     []cli.Flag{versionFlag(), jsonOutput()},
			Action:    func(c *cli.Context) error { return a.labelGet(c, l) },
		},
		{
			Name: "set", Usage: "set some, and leave the others", ArgsUsage: "sj://BUCKET/KEY NAME=VALUE...",
			Description: "NAME=VALUE sets a value, NAME= takes it away; a JSON object may stand for several.",
			UsageText: fmt.Sprintf("storj %s set sj://photos/cat.jpg camera=phone place=\nstorj %[1]s set --replace sj://photos/cat.jpg '{\"a\":\"b\"}'",
				command),
			Flags: []cli.Flag{&cli.BoolFlag{Name: "replace", Usage: "take all others away"}, versionFlag()},
			Action: func(c *cli.Context) error {
				return a.labelChange(c, l, c.Bool("replace"), func(all map[string]string, args []string) error {
					changes, err := parseMetadata(args)
					for name, value := range changes {
						if all[name] = value; value == "" {
							delete(all, name)
						}
					}
					return err
				})
			},
		},
		{
			Name: "rm", Aliases: []string{"delete"}, Usage: "take some away", ArgsUsage: "sj://BUCKET/KEY NAME...",
			UsageText: fmt.Sprintf("storj %s rm sj://photos/cat.jpg camera", command),
			Flags:     []cli.Flag{versionFlag()},
			Action: func(c *cli.Context) error {
				return a.labelChange(c, l, false, func(all map[string]string, args []string) error {
					for _, name := range args {
						if _, ok := all[name]; !ok {
							return fmt.Errorf("%s %q: %w", l.noun, name, errMissing)
						}
						delete(all, name)
					}
					return nil
				})
			},
		},
	}
}

func (a *app) labelGet(c *cli.Context, l labels) error {
	args, err := arguments(c, 1, 2)
	if err != nil {
		return err
	}
	place, err := objectArgument(args[0])
	if err != nil {
		return err
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		o, err := p.StatVersion(ctx, place.Bucket, place.Key, c.String("version"))
		if err != nil {
			return at(place, err)
		}
		all := l.of(o)
		if len(args) == 1 {
			shown := make(map[string]string, len(all))
			maps.Copy(shown, all)
			maps.DeleteFunc(shown, func(name, _ string) bool { return l.ours(name) })
			return a.printIndented(shown)
		}
		value, ok := all[args[1]]
		switch {
		case !ok:
			return fmt.Errorf("%s %q of %s: %w", l.noun, args[1], screen.Printable(place.String()), errMissing)
		case c.Bool(jsonFlag):
			return a.printJSON(value)
		}
		if a.env.Terminal.Stdout {
			value = screen.Printable(value) // whoever stored it must not speak to the terminal
		}
		a.printf("%s\n", value)
		return nil
	})
}

func objectArgument(text string) (location.Location, error) {
	place, err := location.ParseRemote(text)
	if err == nil && place.Key == "" {
		err = usageErrorf("%s is not an object: write sj://BUCKET/KEY", place)
	}
	return place, err
}

// labelChange reads all labels, has them changed, and writes them.
func (a *app) labelChange(c *cli.Context, l labels, replace bool, change func(all map[string]string, args []string) error) error {
	args, err := arguments(c, 2, -1)
	if err != nil {
		return err
	}
	place, err := objectArgument(args[0])
	if err != nil {
		return err
	}
	if err := change(map[string]string{}, args[1:]); isUsage(err) {
		return err // before anybody is asked
	}
	return a.withProject(c, func(ctx context.Context, p *uplink.Project) error {
		version := c.String("version")
		o, err := p.StatVersion(ctx, place.Bucket, place.Key, version)
		if err != nil {
			return at(place, err)
		}
		all := make(map[string]string)
		maps.Copy(all, l.of(o))
		if replace {
			maps.DeleteFunc(all, func(name, _ string) bool { return !l.ours(name) })
		}
		if err := change(all, args[1:]); err != nil {
			return at(place, err)
		}
		update := l.update(all)
		update.Version = version
		return at(place, p.UpdateObject(ctx, place.Bucket, place.Key, update))
	})
}
