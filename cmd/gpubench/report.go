// gpubench report: tables of records that are on disk, of several launches together.

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"gpubench/internal/plan"
	"gpubench/internal/report"
	"gpubench/internal/result"
)

func newReport() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "report FILE|DIR...",
		Short: "Show records of earlier runs in one set of tables",
		Long: `Shows the records of earlier runs, results.jsonl or the folders that hold one, in
one set of tables: launches with different numbers of PEs make one sweep, with
speed-up and efficiency below it.`,
		Example: `  gpubench report results
  gpubench report results/sweep/nodes-* --format csv`,
		RunE: func(c *cobra.Command, args []string) error {
			return reportFiles(args, format, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&format, "format", "text", "what stdout gets: text, jsonl, csv, osu")
	return c
}

// reportFiles reads all files before it writes anything. The last record of a case and trial counts, in each file.
func reportFiles(paths []string, format string, stdout, stderr io.Writer) error {
	if len(paths) == 0 {
		return &plan.UsageError{Text: "report: no file: name results.jsonl files, or the folders that runs with -o left"}
	}
	if _, ok := report.Formats[format]; !ok {
		return &plan.UsageError{Flag: "--format", Text: fmt.Sprintf("%q is no format: give %s", format, strings.Join(report.Names(), ", "))}
	}
	var recs []result.Record
	environments := map[string]result.Environment{}
	for _, path := range paths {
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			path = filepath.Join(path, resultsFile)
		}
		c, err := result.ReadFile(path)
		if err != nil {
			return &plan.UsageError{Text: fmt.Sprintf("%v: name results.jsonl files, or the folders that runs with -o left", err)}
		}
		for _, d := range c.Damaged {
			fmt.Fprintf(stderr, "gpubench: %s: %v; it is left out\n", path, d)
		}
		recs = append(recs, c.Latest()...)
		for id, e := range c.Environments {
			environments[id] = e
		}
	}
	title := []string{headline(), fmt.Sprintf("records of %s", strings.Join(paths, ", "))}
	return writeReport(report.Formats[format](stdout, title), recs, environments)
}

func writeReport(r report.Report, recs []result.Record, environments map[string]result.Environment) error {
	var ids []string
	for id := range environments {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		if err := r.Environment(environments[id]); err != nil {
			return fail(exitFailed, "%v", err)
		}
	}
	for _, rec := range recs {
		if err := r.Record(rec); err != nil {
			return fail(exitFailed, "%v", err)
		}
	}
	if err := r.Close(); err != nil {
		return fail(exitFailed, "%v", err)
	}
	return nil
}
