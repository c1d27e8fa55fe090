// gpubench version: what this program is built of.

package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/library"
	"gpubench/internal/report"
	"gpubench/internal/suite"
)

// version is the release; scripts/build.sh sets commit with -ldflags -X.
var (
	version = "0.1.0-dev"
	commit  = ""
)

func program() programInfo {
	p := programInfo{Version: version, Commit: commit, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok && p.Commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				p.Commit = s.Value
			}
		}
	}
	return p
}

// plural writes a number with its noun: 1 CPU, 2 CPUs.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// headline says which program ran where and when.
func headline() string {
	v := program()
	head := "gpubench " + v.Version
	if v.Commit != "" {
		head += " (" + v.Commit[:min(12, len(v.Commit))] + ")"
	}
	host, _ := os.Hostname()
	return fmt.Sprintf("%s on %s, %s, %s", head, host, plural(cpusAllowed(), "CPU"), time.Now().Format("2006-01-02 15:04"))
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Version, commit, and what is built in", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p := program()
			w := c.OutOrStdout()
			at := p.Commit
			if at == "" {
				at = "unknown"
			}
			fmt.Fprintf(w, "gpubench %s (commit %s, %s)\n", p.Version, at, p.Go)
			var benches []string
			for _, b := range suite.All().All() {
				benches = append(benches, b.Name)
			}
			var devices []string
			for _, d := range gpu.Drivers {
				devices = append(devices, string(d))
			}
			fmt.Fprintf(w, "benchmarks: %s\n", strings.Join(benches, ", "))
			fmt.Fprintf(w, "models: mpi, charm\n")
			fmt.Fprintf(w, "transports: %s\n", strings.Join(transportNames(), ", "))
			fmt.Fprintf(w, "devices: %s\n", strings.Join(devices, ", "))
			fmt.Fprintf(w, "formats: %s\n", strings.Join(report.Names(), ", "))
			fmt.Fprintf(w, "libraries are looked for in: %s\n", strings.Join(library.Dirs(), ", "))
			return nil
		},
	}
}
