// Package storetest is the suite that every pieces.Store passes.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Subject{Open: func(t *testing.T) pieces.Store {
//			return memstore.New(memstore.Options{Capacity: storetest.Capacity})
//		}})
//	}
//
// A store that outlives its process also gives Reopen; the model test then closes and opens it between operations.
//
// Times are compared in whole seconds: a store may round creation and trash dates down and expiries up to them.
package storetest
