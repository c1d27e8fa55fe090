package rendezvous

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if Play() {
		return
	}
	goleak.VerifyTestMain(m)
}
