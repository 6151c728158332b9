// Package logstore is a pieces.Store on disk.
package logstore
