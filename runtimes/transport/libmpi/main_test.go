// The tests start themselves again under mpirun: TestMain plays a rank where childEnv names one of the ranks' parts.
package libmpi

import (
	"fmt"
	"os"
	"testing"
)

const (
	childEnv = "GPUBENCH_LIBMPI_TEST_PART" // which part a started process plays
	shimEnv  = "GPUBENCH_LIBMPI_TEST_SHIM" // the shim that it opens
	argEnv   = "GPUBENCH_LIBMPI_TEST_ARG"  // what else it is told
)

// parts is what ranks can play. A part returns nil, or the error that rank prints before it ends with status 1.
var parts = map[string]func() error{}

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "no part is called %q\n", name)
		os.Exit(1)
	}
	if err := part(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
