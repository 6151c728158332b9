// Package lifecycle starts the services of a role, runs them and stops them in reverse.
//
// A Runner is a service; a Group is the services of one process; a Loop is a service that does one thing again and
// again.
//
//	group := lifecycle.NewGroup(log)
//	group.Add("db", db)
//	group.Add("chore", lifecycle.NewLoop("chore", time.Hour, chore, lifecycle.LoopOptions{Log: log}))
//	group.Add("server", server)
//	err := group.Run(ctx)                 // until ctx ends or one of them fails
//	err = errors.Join(err, group.Close())
//
// # Concurrency
//
// Add comes before Run. Run and Close may be called from different goroutines; Close waits for Run.
//
// # Why
//
// What was added last uses what was added first, so the last is stopped first, and is given the time that it takes:
// stopping waits, and says in the log whom it waits for, rather than cut a write in half.
package lifecycle
