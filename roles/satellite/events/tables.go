package events

import (
	"storj/ecenc/wire"
	"storj/metainfo/kv"
)

const (
	maxKind = 32  // bytes
	maxText = 400 // bytes; longer ones are cut
)

// Fields codes the event for wire.
func (e *Event) Fields(c *wire.Codec) {
	kind := string(e.Kind)
	c.Time(1, &e.Time)
	c.Time(2, &e.Last)
	c.Uint32(3, &e.Count)
	c.String(4, &kind, maxKind)
	c.String(5, &e.Text, maxText)
	e.Kind = Kind(kind)
}

func table() kv.Table[uint64, Event, *Event] {
	return kv.NewTable[uint64, Event]("z/events/", kv.KeyCodec[uint64]{
		Append: kv.AppendUint64,
		Parse: func(b []byte) (uint64, bool) {
			number, rest, ok := kv.CutUint64(b)
			return number, ok && len(rest) == 0
		},
	})
}
