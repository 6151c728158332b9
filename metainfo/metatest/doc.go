// Package metatest is the suite that every metainfo.Service passes, and the world that it runs in.
//
//	metatest.Run(t, func(t *testing.T, w *metatest.World) metainfo.Service { return w.Endpoint })
//
// A World is a satellite's part of metainfo in memory: a database, an endpoint, nodes that are no more than a key. What
// they acknowledge, they acknowledge with the real MACs; nobody stores a byte.
package metatest
