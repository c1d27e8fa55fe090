package charm_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// partEnv names the transport of a process that the tests have started as a PE: see processes_test.go.
const partEnv = "GPUBENCH_CHARM_TEST_TRANSPORT"

func TestMain(m *testing.M) {
	if over := os.Getenv(partEnv); over != "" {
		if err := travelAsProcess(over, os.Getenv(partEnv+"_ARG")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
