// The commands and their help.

package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gpubench/internal/plan"
)

const long = `gpubench measures what a message and an iteration cost under two runtime models,
MPI ranks and message-driven chares, when the data lies in host memory, is staged
through the host, or goes device-direct.`

func newRoot(stdin io.Reader, stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "gpubench",
		Short:         "What does a message cost here?",
		Long:          long,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cobra.EnableCommandSorting = false // in the order in which they are used
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true})
	root.AddCommand(newRun(), newList(), newReport(), newDoctor(), newVersion(), newWorker(), newProbe(), newDirect(), newLaunch())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &plan.UsageError{Text: flagError(c, err)}
	})
	return root
}

// unknownCommand names the nearest command.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			known = append(known, sub.Name())
		}
	}
	text := "unknown command " + quote(args[0])
	if near := plan.Nearest(args[0], known); near != "" {
		text += " (did you mean " + near + "?)"
	}
	return &plan.UsageError{Text: text + ": give " + strings.Join(known, ", ") + "; gpubench --help tells more"}
}

func quote(s string) string { return `"` + s + `"` }

// flagError makes pflag's error name the mend.
func flagError(c *cobra.Command, err error) string {
	text := strings.TrimSuffix(err.Error(), ".")
	if before, _, ok := strings.Cut(text, ": strconv.ParseBool"); ok {
		text = before + ": give true or false"
	}
	return text + ": " + c.CommandPath() + " --help lists the flags"
}
