// Package command is the command line: every subcommand of storj, one file each.
//
//	code := command.Main(ctx, command.Env{Args: os.Args, Stdout: os.Stdout, ...})
//
// Main parses, runs one subcommand, prints, and returns the exit status. It touches nothing of the process but what Env
// hands it (and files), so that whole sessions run in tests, several at a time.
//
// A subcommand is a method of app that returns a *cli.Command; commands() lists them. Its action takes what it needs
// from app: access and project (project.go), output (output.go). It returns an error; errors.go has the one table from
// errors to message, hint and exit status. arguments.go lets flags stand anywhere in the line; help.go and completion.go
// read the same tree of commands.
//
// Rooms: location reads sj:// places; accesses keeps grants; screen formats for people; transfer copies many objects, and
// resume keeps what it needs to go on; syncer compares two places; match is for patterns, pace for rates, words for
// passphrases.
//
// docs.go writes docs/cli.md from the commands; a test says when that is not what they say any more.
//
// # Exit status
//
// `storj help exit-codes` prints the list in errors.go. Scripts may rely on it.
//
// # Output
//
// Results go to standard output, everything else to standard error. With --json results are JSON: one object; for what
// may be long (buckets, objects, transfers, sizes, accesses) one object a line; for what a satellite keeps (nodes,
// projects, keys) one array. Colour and progress are for terminals only. Secrets are printed only by commands that exist to
// print them: access export, satellite setup, key create and invite.
//
// # Concurrency
//
// Main may be called concurrently with different Envs.
//
// # Why
//
// Secrets (passphrase, API key) are never arguments: other users of a machine see those. They come from files, the
// environment or a prompt.
package command
