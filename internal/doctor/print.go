// Print: checks as text and as JSON lines.

package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteLines writes one JSON object a check.
func WriteLines(w io.Writer, checks []Check) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, c := range checks {
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// WriteText writes a line a check under its group, what to do below it where something is wrong, and the totals. title
// are lines about the program and the machine.
func WriteText(w io.Writer, title []string, checks []Check) error {
	var b strings.Builder
	for _, t := range title {
		fmt.Fprintf(&b, "# %s\n", t)
	}
	group := ""
	counts := make(map[Status]int)
	width := 0
	for _, c := range checks {
		width = max(width, len(c.name()))
	}
	for _, c := range checks {
		if c.Group != group {
			group = c.Group
			fmt.Fprintf(&b, "\n# %s\n", group)
		}
		counts[c.Status]++
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", c.Status, width, c.name(), c.Found)
		if c.Mend != nil && c.Status != OK && c.Status != None {
			fmt.Fprintf(&b, "%-7s  %-*s  -> %s\n", "", width, "", *c.Mend)
		}
	}
	var totals []string
	for _, s := range Statuses {
		totals = append(totals, fmt.Sprintf("%d %s", counts[s], s))
	}
	fmt.Fprintf(&b, "\n# %s\n", strings.Join(totals, ", "))
	_, err := io.WriteString(w, b.String())
	return err
}

// name is the check's, with what it is about where there are several.
func (c Check) name() string {
	if c.Subject == nil {
		return c.Check
	}
	return c.Check + " " + *c.Subject
}
