// Package pieces is the bytes on nodes: what a piece is, who may store and read it, and what proves it.
//
// A satellite signs an OrderLimit for one node, one piece and one action. The uplink shows it to the node with the
// bytes (upload) or with signed Orders that grow with what it reads (download). On upload the uplink signs a
// PieceHash, the node keeps limit and hash beside the bytes as their proof, and answers with a PieceAck that only the
// satellite can check. A Store keeps the pieces.
//
// Rooms:
//
//	logstore     Store on disk: append-only logs and a derived index
//	memstore     Store in memory
//	storetest    the suite that every Store passes
//	filter       the garbage filter: what a satellite says a node is to keep
//	piecenode    serves the piece protocol
//	piececlient  speaks it
//	segmentio    one segment to many nodes and back
//
// # FORMAT
//
// The piece protocol runs on streams of netx/rpc; messages are in protocol.go.
//
//	upload    > UploadHeader, Size raw bytes, uvarint length, PieceHash, end
//	          < PieceAck, end
//	download  > DownloadHeader, then any number of (uvarint length, Order), end
//	          < DownloadReply, Length raw bytes, end
//
// A node writes no more bytes of a download than the highest amount ordered so far.
//
// # Why
//
// Limits and acknowledgements are authenticated with a key that only that node and the satellite share: making or
// checking one costs half a microsecond, where the signatures of the existing system make 110 limits and 80
// acknowledgements the larger part of a small upload. Only what a third party must be able to check later, the
// uplink's PieceHash and Orders, is a signature.
package pieces
