// Package format reads objects from an access grant by docs/format.md alone.
//
//	grant, err := format.ParseGrant(text)
//	object, err := grant.Open(&record)       // record: what the satellite and the nodes gave, as in testdata
//	object.Key, object.Metadata, object.Content
//
// It is written against the document and imports the standard library only: where it and the uplink library disagree,
// one of library and document is wrong. A test of roles/uplink has it open what the library has just stored.
//
// The package is for tests: it keeps whole objects in memory, takes pieces as given, and says little about what is wrong.
package format
