// Package e2e tells stories: what a user is promised, on a whole network of satellite, nodes and uplink, with faults as
// verbs. Its arch_test.go holds the rules of the house.
//
// TestChaos runs processes in a network of their own for as long as -chaos says (`make chaos`), under a load whose every
// acknowledged operation is remembered. TestStory lives through weeks of virtual time; what its owner saw is recorded in
// testdata/story.txt.
package e2e
