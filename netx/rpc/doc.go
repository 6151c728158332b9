// Package rpc runs operations on the streams of a netx.Transport: one stream per operation.
//
// A Server answers methods; a Pool keeps one connection per peer and purpose and makes calls on it. A unary call is a
// message there and a message back. A streaming operation is a message there and one back as well, and raw bytes in
// either direction after each.
//
//	s := rpc.NewServer(log, rpc.Options{})
//	rpc.Unary(s, MethodPing, rpc.Limits{}, func(ctx context.Context, peer rpc.Peer, req *Ping) (*Pong, error) { ... })
//	s.Stream(MethodGet, 4<<10, func(ctx context.Context, peer rpc.Peer, header []byte, st *rpc.ServerStream) error { ... })
//	err := s.Serve(ctx, listener)
//
//	pool := rpc.NewPool(transport, rpc.PoolOptions{})
//	err := pool.Call(ctx, peer, netx.Control, MethodPing, &ping, &pong, pieces.Errors())
//	st, err := pool.Open(ctx, peer, netx.Data, MethodGet, &header)
//	defer st.Cancel(netx.Cancelled)          // does nothing after a complete exchange
//	err = st.CloseWrite()                    // the header goes out with the first bytes, or here
//	err = st.Response(&answer, pieces.Errors())
//	io.Copy(w, st)
//
// Method numbers: pieces 100-199, metainfo 200-299, overlay and contact 300-399, admin 400-499.
//
// # FORMAT
//
// Big endian. A request head opens the direction from client to server, a response head the other; raw bytes of a
// streaming operation follow each until its end. In a unary call nothing follows.
//
//	request                               response
//	OFFSET SIZE FIELD                     OFFSET SIZE FIELD
//	0      1    version, 1                0      1    netx.Code, 0 is OK
//	1      2    method                    1      2    netx.Reason
//	3      1-9  n, as uvarint             3      1-9  n, as uvarint
//	       n    message (package wire)           n    message; empty unless the code is OK
//
// A change of the heads changes the version; a peer answers ErrUnknownMethod to a version that it does not speak.
// Messages grow by new fields, as package wire says. Worked example, method 258 with the message "field 1 = Int(-2)" and
// the answer Denied with reason 5 (netx.ErrIdentity):
//
//	01 0102 02 0803
//	03 0005 00
//
// # Ends of a stream
//
// A stream holds credit of its connection until each side has read to io.EOF or cancelled. The server sees to its side
// whatever a handler does. A client reads to io.EOF or calls Cancel; Call and a failed Response do it themselves.
//
// # Errors
//
// Of a handler's error only the Code and Reason of netx.Classify cross the wire; the client gets the sentinel of its
// lists that has them. Internal ones are logged where they happen.
//
// # Concurrency
//
// Server and Pool may be used concurrently, after all methods are registered. Of a stream, one goroutine may read and
// another write; Cancel may be called from anywhere.
//
// # Why
//
// A request, a response and their ends are two packets each way and nothing is multiplexed twice: measured 2026-11 on
// QUIC, a 4 KiB operation with such a header took 138 us of CPU on both sides together, drpc on pooled streams 149,
// HTTP/3 242. Limits are in the server because strangers reach it: before a handler runs there are limits on
// connections, streams, header bytes and the time to send them.
package rpc
