package command

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"storj/metainfo"
	"storj/roles/command/screen"
	"storj/roles/satellite/admin"
)

func (a *app) satelliteProjectCommand() *cli.Command {
	return &cli.Command{
		Name: "project", Usage: "make and list projects, limit what they use",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "make a project", ArgsUsage: "NAME", UsageText: "storj satellite project create backup",
				Flags: adminFlags(jsonOutput()), Action: a.projectCreate,
			},
			{
				Name: "list", Aliases: []string{"ls"}, Usage: "show the projects", UsageText: "storj satellite project ls",
				Flags: adminFlags(jsonOutput()), Action: a.projectList,
			},
			a.projectLimitsCommand(),
		},
	}
}

// projectLine is what project commands print with --json.
type projectLine struct {
	Name    string    `json:"name"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
}

func (a *app) projectCreate(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	return a.withAdmin(c, func(ctx context.Context, adm admin.Admin) error {
		p, err := adm.CreateProject(ctx, args[0])
		if err != nil {
			return err
		}
		if c.Bool(jsonFlag) {
			return a.printIndented(projectLine{p.Name, p.ID.String(), p.Created.UTC()})
		}
		a.printf("made project %s\n", screen.Printable(p.Name))
		a.errorLine("next: storj satellite key create NAME --project %q", p.Name)
		return nil
	})
}

func (a *app) projectList(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	return a.withAdmin(c, func(ctx context.Context, adm admin.Admin) error {
		projects, err := adm.ListProjects(ctx)
		if err != nil {
			return err
		}
		if c.Bool(jsonFlag) {
			lines := make([]projectLine, len(projects))
			for i, p := range projects {
				lines[i] = projectLine{p.Name, p.ID.String(), p.Created.UTC()}
			}
			return a.printIndented(lines)
		}
		t := screen.NewTable(a.out, "PROJECT", "CREATED", "ID")
		for _, p := range projects {
			t.Row(screen.Printable(p.Name), screen.Date(p.Created), p.ID.String())
		}
		return t.Flush()
	})
}

func (a *app) satelliteKeyCommand() *cli.Command {
	project := &cli.StringFlag{Name: "project", Usage: "`NAME` of the project; not needed when there is only one"}
	return &cli.Command{
		Name: "key", Usage: "make, list and revoke API keys",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "make an API key and print it, once", ArgsUsage: "NAME",
				UsageText: "storj satellite key create laptop > key.txt",
				Flags:     adminFlags(project, jsonOutput()), Action: a.keyCreate,
			},
			{
				Name: "list", Aliases: []string{"ls"}, Usage: "show the API keys of a project", UsageText: "storj satellite key ls",
				Flags: adminFlags(project, jsonOutput()), Action: a.keyList,
			},
			{
				Name: "revoke", Usage: "end an API key, and all accesses made from it", ArgsUsage: "NAME",
				UsageText: "storj satellite key revoke laptop", Flags: adminFlags(project), Action: a.keyRevoke,
			},
		},
	}
}

// keyLine is what key commands print with --json.
type keyLine struct {
	Name    string     `json:"name"`
	Project string     `json:"project"`
	Key     string     `json:"key,omitempty"` // of create alone
	Created *time.Time `json:"created,omitempty"`
	Revoked bool       `json:"revoked"`
}

// withProjectAdmin works on one project: the one named, or the only one.
func (a *app) withProjectAdmin(c *cli.Context, work func(ctx context.Context, adm admin.Admin, project string) error) error {
	return a.withAdmin(c, func(ctx context.Context, adm admin.Admin) error {
		if project := c.String("project"); project != "" {
			return work(ctx, adm, project)
		}
		projects, err := adm.ListProjects(ctx)
		switch {
		case err != nil:
			return err
		case len(projects) == 0:
			return &hintError{metainfo.ErrProjectNotFound, "`storj satellite project create NAME` makes one."}
		case len(projects) > 1:
			return usageErrorf("there are %d projects: give --project NAME", len(projects))
		}
		return work(ctx, adm, projects[0].Name)
	})
}

func (a *app) keyCreate(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	return a.withProjectAdmin(c, func(ctx context.Context, adm admin.Admin, project string) error {
		key, err := adm.CreateAPIKey(ctx, project, args[0])
		if err != nil {
			return err
		}
		if c.Bool(jsonFlag) {
			return a.printIndented(keyLine{Name: args[0], Project: project, Key: key})
		}
		a.printf("%s\n", key)
		a.errorLine("This API key of project %s is not shown again. With it: storj access create", screen.Printable(project))
		return nil
	})
}

func (a *app) keyList(c *cli.Context) error {
	if _, err := arguments(c, 0, 0); err != nil {
		return err
	}
	return a.withProjectAdmin(c, func(ctx context.Context, adm admin.Admin, project string) error {
		keys, err := adm.ListAPIKeys(ctx, project)
		if err != nil {
			return err
		}
		if c.Bool(jsonFlag) {
			lines := make([]keyLine, len(keys))
			for i, k := range keys {
				created := k.Created.UTC()
				lines[i] = keyLine{Name: k.Name, Project: project, Created: &created, Revoked: k.Revoked}
			}
			return a.printIndented(lines)
		}
		t := screen.NewTable(a.out, "API KEY", "CREATED", "STATE")
		for _, k := range keys {
			state := "valid"
			if k.Revoked {
				state = "revoked"
			}
			t.Row(screen.Printable(k.Name), screen.Date(k.Created), state)
		}
		return t.Flush()
	})
}

func (a *app) keyRevoke(c *cli.Context) error {
	args, err := arguments(c, 1, 1)
	if err != nil {
		return err
	}
	return a.withProjectAdmin(c, func(ctx context.Context, adm admin.Admin, project string) error {
		err := adm.RevokeAPIKey(ctx, project, args[0])
		if err == nil {
			a.printf("revoked %s\n", screen.Printable(args[0]))
		}
		return err
	})
}
