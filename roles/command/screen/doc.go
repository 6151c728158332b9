// Package screen shows things to people: sizes and times, tables, colours, and a line of progress.
//
//	screen.Bytes(1536)                       // "1.5 kB"
//	t := screen.NewTable(w, "NAME", "SIZE")  // t.Row("a", "1 B"); t.Flush()
//	style := screen.Style{Colour: true}      // style.Bold("x")
//	p := screen.Start(w, screen.Options{})   // p.Add(n); p.Stop()
//
// # Concurrency
//
// A Progress may be used by many goroutines; a Table by one. The functions are pure.
//
// # Why
//
// Sizes are decimal (kB, MB, GB), as disks are sold and as capacities are given to a node. Names come from strangers:
// Printable keeps their control characters away from the terminal, where they would be commands.
package screen
