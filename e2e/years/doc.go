// Package years lets a network live through simulated time: real satellite, real nodes, real client, on a network and
// stores in memory, inside a bubble of virtual time.
//
//	go test ./e2e/years -days 365 -v
//
// It has tests only.
package years
