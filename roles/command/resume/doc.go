// Package resume keeps, on this machine, what an interrupted transfer needs to go on.
//
//	store := resume.Store{Dir: filepath.Join(configDir, "resume")}
//	claim, err := store.Claim(resume.ID("upload", satellite, path, place))
//	if claim != nil {
//		defer claim.Release()
//		entry, known := claim.Load()
//		err = claim.Save(resume.Entry{Upload: id, Size: size})    // at each step
//		err = claim.Remove()                                      // at the end
//	}
//
// A transfer is named by a hash of what it is of. Whoever has its claim is alone with it: of two processes that do the
// same at once, the second gets none, and works without.
//
// # FORMAT
//
// Dir has mode 0700. Of each transfer there are ID.json, which is replaced as a whole and has mode 0600, and the empty
// ID.lock, which is locked while somebody works on it. ID is 32 hex digits. ID.json is an object; a file with a field
// that is not known, or of another version, is as if it were not there.
//
//	version    1
//	upload     ID of an upload in parts; it opens nothing without an access
//	part_size  of it, bytes
//	size       of the whole content, bytes
//	modified   time of change of the local file, ns since 1970
//	revision   of the object that is downloaded
//	done       bytes of the partial file that are on disk for good
//	partial    path of the partial file
//
// # Why
//
// No keys, names of objects or grants are kept: what cannot be read from here cannot leak from here. The path of a
// partial file is there so that Clean can delete it.
package resume
