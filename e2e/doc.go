// Package e2e tells stories: what a user is promised, on a whole network of satellite, nodes and uplink, with faults as
// verbs. Its arch_test.go holds the rules of the house.
package e2e
