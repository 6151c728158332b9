package command

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"storj/roles/command/location"
	"storj/roles/command/match"
	"storj/roles/command/screen"
	"storj/roles/uplink"
)

// treeNames is how many objects a tree may have: at some 250 bytes each, 50 MB.
const treeNames = 200_000

func (a *app) treeCommand() *cli.Command {
	return &cli.Command{
		Name: "tree", Usage: "show what lies under a prefix as a tree", ArgsUsage: "sj://BUCKET/PREFIX", Category: categoryObjects,
		Description: "Sizes of folders are those of all that lies in them. Up to 200,000 objects are shown; for more there is storj ls -r.",
		UsageText:   "storj tree sj://photos\nstorj tree --depth 2 --folders sj://photos/2026/",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "depth", Aliases: []string{"L"}, Usage: "show `N` levels; what lies deeper is added up"},
			&cli.BoolFlag{Name: "folders", Aliases: []string{"d"}, Usage: "folders only"},
			&cli.BoolFlag{Name: "bytes", Aliases: []string{"b"}, Usage: "sizes in bytes"},
			jsonOutput(),
		}, filterFlags()...),
		Action: func(c *cli.Context) error {
			places, err := remoteArguments(c, 1, 1)
			if err != nil {
				return err
			}
			if places[0].Bucket == "" {
				return usageError("name a bucket: storj tree sj://BUCKET")
			}
			return a.withProject(c, func(ctx context.Context, p *uplink.Project) error { return a.tree(ctx, c, p, places[0].Dir()) })
		},
	}
}

// folder is a folder of a tree. Its sizes are those of all below it.
type folder struct {
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	Objects int64     `json:"objects"`
	Folders []*folder `json:"folders,omitempty"` // in order of name
	Files   []leaf    `json:"files,omitempty"`

	byName map[string]*folder
}

// leaf is an object of a tree.
type leaf struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func (a *app) tree(ctx context.Context, c *cli.Context, p *uplink.Project, place location.Location) error {
	filter, err := filterOf(c, time.Now())
	if err != nil {
		return err
	}
	top := &folder{Name: place.String()}
	hidden, err := readTree(ctx, p, place, filter, top)
	if err != nil {
		return at(place, err)
	}
	depth := c.Int("depth")
	if depth <= 0 {
		depth = -1
	}
	top.finish(depth, c.Bool("folders"))
	if c.Bool(jsonFlag) {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		err = e.Encode(top)
	} else {
		a.printf("%s\n", a.style.Blue(screen.Printable(top.Name)))
		a.showFolder(c, top, "")
		a.printf("%s in %s\n", a.size(c, top.Bytes), screen.Plural(top.Objects, "object"))
	}
	if err != nil {
		return err
	}
	return a.hiddenNames(hidden, top.Objects)
}

func readTree(ctx context.Context, p *uplink.Project, place location.Location, filter match.Filter, top *folder) (hidden int, err error) {
	it := p.List(ctx, place.Bucket, &uplink.ListOptions{Prefix: place.Key, Recursive: true})
	for it.Next() {
		o := it.Item()
		if !filter.Takes(o.Key, o.Size, o.Created) {
			continue
		}
		if top.Objects == treeNames {
			return 0, usageErrorf("more than %d objects: give a longer prefix, or use storj ls -r", treeNames)
		}
		top.add(strings.Split(strings.TrimPrefix(o.Key, place.Key), "/"), o.Size)
	}
	return it.Hidden(), it.Err()
}

// add puts an object at a path below the folder.
func (f *folder) add(path []string, size int64) {
	f.Objects, f.Bytes = f.Objects+1, f.Bytes+size
	if len(path) == 1 {
		f.Files = append(f.Files, leaf{path[0], size})
		return
	}
	next := f.byName[path[0]]
	if next == nil {
		if f.byName == nil {
			f.byName = make(map[string]*folder)
		}
		next = &folder{Name: path[0] + "/"}
		f.byName[path[0]] = next
	}
	next.add(path[1:], size)
}

// finish sorts, and takes away what is not to be shown: below a depth if that is not negative, and files.
func (f *folder) finish(depth int, foldersOnly bool) {
	if depth == 0 {
		f.Files, f.byName = nil, nil
		return
	}
	if foldersOnly {
		f.Files = nil
	}
	slices.SortFunc(f.Files, func(x, y leaf) int { return strings.Compare(x.Name, y.Name) })
	for _, name := range slices.Sorted(maps.Keys(f.byName)) {
		f.byName[name].finish(depth-1, foldersOnly)
		f.Folders = append(f.Folders, f.byName[name])
	}
}

// showFolder prints what is in a folder, folders first, behind the lines of those above.
func (a *app) showFolder(c *cli.Context, f *folder, indent string) {
	left := len(f.Folders) + len(f.Files)
	branch := func() (string, string) {
		if left--; left == 0 {
			return "└── ", "    "
		}
		return "├── ", "│   "
	}
	for _, sub := range f.Folders {
		mark, below := branch()
		a.printf("%s%s%s%s\n", indent, mark, a.style.Blue(screen.Printable(sub.Name)), a.style.Dim("  "+a.size(c, sub.Bytes)))
		a.showFolder(c, sub, indent+below)
	}
	for _, file := range f.Files {
		mark, _ := branch()
		a.printf("%s%s%s%s\n", indent, mark, screen.Printable(file.Name), a.style.Dim("  "+a.size(c, file.Bytes)))
	}
}
