package gpu

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a test leaves a device, a buffer, a stream or a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		for _, l := range Leaks() {
			fmt.Fprintln(os.Stderr, "leaked:", l)
			code = 1
		}
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
