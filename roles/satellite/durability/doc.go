// Package durability says how safe what is stored is, as numbers: which margin segments have, what the loss of a site
// would do, and how likely something is lost within a year.
//
//	svc := durability.New(durability.Options{Repair: repairs, Events: log, Loop: loop, Metrics: set})
//	loop.Add("durability", svc.Observer())
//	health := svc.Health()
//
// # Margin
//
// The margin of a segment is how many of its healthy pieces may vanish before it cannot be rebuilt: healthy - required.
// The histogram of margins is that of the last pass.
//
// # Worst domain
//
// Every failure domain of nodes and every tag value (site=attic) is a group of nodes that may vanish together. For each,
// the pass counts how many segments would be lost without it, and how many would be at risk: left with no more pieces
// than repair.Danger, half way between what rebuilds a segment and what queues it.
//
// # Loss within a year
//
// From the failure rate of nodes f a day (observed, with the prior of the existing system) and the time T from the loss
// of a node to the repair of its segments (measured), two upper bounds are computed, and the smaller one is told.
//
// By segments: a segment decays from optimal to its repair threshold in D = sum 1/(i f) days, i from repair+1 to optimal;
// it is then lost with the chance that of repair pieces more than repair-required vanish within T. That is 365/(D+T)
// times a year; what is below optimal now has its own chance on top. All segments together lose the sum, in expectation;
// the chance that there is any loss is at most 1 - exp(-sum).
//
// By nodes: no segment is lost as long as no more nodes fail within one T than the least margin at the threshold. That
// bound is better where many segments share few nodes.
//
// Nodes that fail together are in neither: that is what the worst domain is for. It is an estimate for comparing states
// of a network, not a promise.
//
// # Concurrency
//
// All methods may be called concurrently.
package durability
