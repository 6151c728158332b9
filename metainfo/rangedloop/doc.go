// Package rangedloop passes over all segments, for every observer at once.
package rangedloop
