// Package nettest is the suite that every netx.Transport passes.
//
//	func TestTransport(t *testing.T) {
//		nettest.Run(t, func(t *testing.T) nettest.Pair { ... })
//	}
//
// The pair is made anew for each test and closed by it. Tests of packages above a Transport use Connect and CheckLeaks
// as well.
//
// # Why
//
// What a stream does at its end is where transports differ and where programs stall; so most of the suite is about ends.
package nettest
