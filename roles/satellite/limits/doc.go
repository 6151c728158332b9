// Package limits is what the owner of a satellite allows each project, and what each of them uses of it.
//
//	l := limits.New(limits.Options{DB: db, Endpoint: endpoint})
//	usage, err := l.Usage(ctx, "backup")
//	err = l.SetLimits(ctx, "backup", metainfo.Limits{Storage: 1 << 40})
//
//	limits.Register(server, self, l)                    // a satellite: methods 460 and 461
//	l := limits.NewClient(pool, satellite)              // the command line, with the satellite's own identity
//
// New limits hold from the next request on. A project that is over a new limit keeps what it has.
//
// # Concurrency
//
// Everything here may be used concurrently.
package limits
