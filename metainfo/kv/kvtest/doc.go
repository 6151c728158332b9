// Package kvtest is the suite that every kv engine passes.
//
//	func TestSuite(t *testing.T) {
//		kvtest.Run(t, func(t *testing.T) kv.Store { return memkv.New(memkv.Options{}) })
//	}
package kvtest
