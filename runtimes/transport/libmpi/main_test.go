// The tests start themselves again under mpirun: TestMain plays a rank where childEnv names one of the ranks' parts.
package libmpi

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"gpubench/internal/leap"
	"gpubench/runtimes/transport/transporttest"
)

const (
	childEnv = "GPUBENCH_LIBMPI_TEST_PART" // which part a started process plays
	shimEnv  = "GPUBENCH_LIBMPI_TEST_SHIM" // the shim that it opens
	argEnv   = "GPUBENCH_LIBMPI_TEST_ARG"  // what else it is told
)

// parts is what ranks can play.
var parts = map[string]func(arg string) error{}

func TestMain(m *testing.M) {
	transporttest.Main(m, parts, childEnv, argEnv, func() {
		if found.dir != "" {
			os.RemoveAll(found.dir)
		}
	})
}

// openCalls is openTest, with every call through cgo where "cgo" is in arg.
func openCalls(o Options, arg string) (*Driver, error) {
	if strings.Contains(arg, "cgo") {
		os.Setenv(leap.EnvShortCalls, "0")
	}
	d, err := openTest(o)
	if err == nil && d.ShortCalls() != (leap.Available && !d.Oversubscribed() && !strings.Contains(arg, "cgo")) {
		err = fmt.Errorf("%q, short calls: %v", arg, d.ShortCalls())
	}
	return d, err
}

// openTest opens the shim that the test named.
func openTest(o Options) (*Driver, error) { return OpenWith(os.Getenv(shimEnv), o) }
