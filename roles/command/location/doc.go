// Package location reads the places that commands are given: sj://bucket/key, a local path, or - for a standard stream.
//
//	loc, err := location.Parse("sj://photos/2026/cat.jpg")  // loc.Bucket "photos", loc.Key "2026/cat.jpg"
//	rel, err := location.LocalName(key)                      // key as a path that stays below a directory
//
// Rules: everything behind the bucket's slash is the key, byte for byte. Nothing is decoded (% is a percent sign), nothing
// is cleaned (sj://b//x has the key "/x"), spaces and any other bytes stand. A key that ends in "/", and no key, is a
// prefix: a place for several objects. A local file whose name begins with "sj:" is written ./sj:..., one called "-" is ./-.
//
// # Concurrency
//
// Everything is a pure function of its arguments.
package location
