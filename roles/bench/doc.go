// Package bench measures a network as its user would ask: how fast, how many, how long, at what cost.
//
//	report, err := bench.Run(ctx, project, bench.Options{})
//	peers, err := bench.Bare(ctx, ...) // the same bytes over bare QUIC streams, in the same run
//
// Everything is measured through the public library, on one bucket that is made for it and removed. CPU is user and
// system time of this process and of those that Options.OtherCPU counts; where nodes run elsewhere it is the client's
// alone. Wall times are what they are on a shared machine: compare CPU, bytes and ratios.
package bench
