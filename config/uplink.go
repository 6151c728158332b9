package config

// Client is the settings of the commands that store and fetch objects.
type Client struct {
	Dir      string // access grants and the settings file
	Parallel int
	Memory   Size
	Log      Log
}

var _ Role = (*Client)(nil)

const clientName = "client"

func (*Client) name() string { return clientName }

func (c *Client) settings() []Setting {
	dir := text("config-dir", &c.Dir, "", "path",
		"Directory of the saved access grants and the settings file; empty: storj in the user's configuration directory.")
	dir.NoFile = true
	return append([]Setting{
		dir,
		between(number("parallel", &c.Parallel, 4, "objects",
			"Objects that a command copies at once."), &c.Parallel, 1, 256),
		between(size("memory", &c.Memory, 1*GiB,
			"Memory for segments of uploads and downloads together."), &c.Memory, 128*MiB, 1*TiB),
	}, c.Log.settings("warn")...)
}

func (*Client) validate() []Fault { return nil }
