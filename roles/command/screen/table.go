package screen

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table aligns columns. Rows appear at Flush.
type Table struct {
	w *tabwriter.Writer
}

// NewTable starts a table with a line of headings; none when there are no headings.
func NewTable(w io.Writer, headings ...string) *Table {
	t := &Table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(headings) > 0 {
		t.Row(headings...)
	}
	return t
}

// Row adds a line. Tabs and line ends in cells become spaces.
func (t *Table) Row(cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		clean[i] = strings.NewReplacer("\t", " ", "\n", " ", "\r", " ").Replace(cell)
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(clean, "\t")) // an error comes again at Flush
}

// Flush writes the table. Errors: those of the writer.
func (t *Table) Flush() error { return t.w.Flush() }
