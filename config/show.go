package config

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Write prints every setting with its value and source, one a line, in columns.
func (r *Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SETTING\tVALUE\tSOURCE") // its errors come back from Flush
	for _, v := range r.Values {
		value := v.Value
		if value == "" {
			value = "-"
		}
		source := string(v.Source)
		if v.Source == FromFile || v.Source == FromEnv {
			source += " " + v.Origin
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", v.Name, value, source)
	}
	return table.Flush()
}
