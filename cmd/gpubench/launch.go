// gpubench as its own launcher, for transports that need no MPI.

package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"gpubench/internal/launch"
)

func newLaunch() *cobra.Command {
	var n int
	c := &cobra.Command{
		Use: launch.LocalCommand + " -n N -- ARGV...", Hidden: true, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			status, err := launch.RunLocal(c.Context(), launch.LocalJob{
				N: n, Argv: args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: c.ErrOrStderr()})
			var sig *signalError
			switch {
			case err != nil:
				return fail(exitFailed, "%v", err)
			case errors.As(context.Cause(c.Context()), &sig):
				return fail(sig.status(), "")
			case status != 0:
				return fail(status, "")
			}
			return nil
		},
	}
	c.Flags().IntVarP(&n, "pes", "n", 1, "processing elements")
	return c
}
