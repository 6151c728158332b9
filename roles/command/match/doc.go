// Package match says which names, sizes and times are meant: the patterns of --include, --exclude and --name, and the
// bounds of --larger, --newer and their like.
//
//	var rules match.Rules
//	err := rules.Add(match.Exclude, "node_modules")
//	rules.Takes("web/node_modules/x.js")      // false
//
// # Patterns
//
// In a pattern * stands for anything but "/", ** for anything, ? for one character that is no "/", [a-z] and [!a-z] for
// one of a set; \ takes the meaning from the character behind it. A pattern without "/" is compared with each part of a
// name, so that it takes a folder with all that lies in it. One with "/" is compared with the name from its start, and
// with the folders that it lies in; a "/" at the start says only that, one at the end that folders alone are meant.
//
// # Rules
//
// Of several patterns the last that fits decides. What fits none is taken, unless the first rule is an Include.
//
// # Concurrency
//
// Patterns and Rules may be read concurrently once they are made.
//
// # Why
//
// The last rule decides, since the three common wishes then read as they are meant: all but these; these alone; these,
// without those that lie there.
package match
