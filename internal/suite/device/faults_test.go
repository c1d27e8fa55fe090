package device

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// child runs TestFaultyChild with a variable set, and gives what it came to.
func child(t *testing.T, which, variable string) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.run=^TestFaultyChild$", "-test.v")
	c.Env = append(os.Environ(), faulty+"="+which, variable)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s with %s: %v\n%s", which, variable, err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if r, ok := strings.CutPrefix(line, "RESULT "); ok {
			return r
		}
	}
	t.Fatalf("%s with %s gave no result:\n%s", which, variable, out)
	return ""
}

// A bit that a copy flips makes the case failed, and the reason says where.
func TestWrongDataIsCaught(t *testing.T) {
	for which, words := range map[string][]string{
		hostToDevice:   {"failed wrong answer:", "copy pinned to device, offset 7: expected 0x", "1 of 4096 bytes"},
		deviceToHost:   {"failed wrong answer:", "copy device to pinned, offset 7: expected 0x"},
		deviceToDevice: {"failed wrong answer:", "copy device to device, offset 7: expected 0x"},
		"stream":       {"failed wrong answer:", "copy, array 0, element 0: expected 1, found "},
	} {
		got := child(t, which, "GPUBENCH_EMU_FLIP=copy:4-")
		for _, w := range words {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", which, got, w)
			}
		}
	}
}

// Devices that cannot reach each other have no peer copy: the driver's way through the host is not called one.
func TestNoPeerAccessIsSkipped(t *testing.T) {
	if got := child(t, "noPeer", "GPUBENCH_EMU_PEER=0"); !strings.HasPrefix(got, "skipped ") || !strings.Contains(got, "peer access emulated:0→emulated:1") {
		t.Error(got)
	}
}

// A device that is slow to begin everything gives right answers too: no check looks before all is done.
func TestSlowDevice(t *testing.T) {
	for _, which := range []string{hostToDevice, deviceToDevice, "stream", opGraph} {
		if got := child(t, which, "GPUBENCH_EMU_DELAY_US=300"); !strings.HasPrefix(got, "ok") {
			t.Errorf("%s: %s", which, got)
		}
	}
}
