// MPS: whether CUDA's Multi-Process Service lets processes use a GPU at the same time.

package machine

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// MPSPipeEnv names the folder in which the control daemon of MPS and its clients meet.
const MPSPipeEnv = "CUDA_MPS_PIPE_DIRECTORY"

const defaultMPSPipe = "/tmp/nvidia-mps"

// MPS reports whether a control daemon serves this user's processes: one whose folder is where they look for it. nil:
// not known, since there is a socket and the process behind it cannot be seen (it may be in another PID namespace). The
// socket is not tried: a daemon starts a server for whoever connects.
func MPS(getenv func(string) string) *bool {
	dir := getenv(MPSPipeEnv)
	if dir == "" {
		dir = defaultMPSPipe
	}
	yes, no := true, false
	if _, err := os.Stat(filepath.Join(dir, "control")); errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return &no
	}
	text, err := os.ReadFile(filepath.Join(dir, "nvidia-cuda-mps-control.pid"))
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return nil
	}
	name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm"))
	if err != nil {
		return nil
	}
	// The kernel cuts a process's name off after 15 letters. Another name: a daemon has died, and its number is in use
	// again.
	if strings.HasPrefix(string(name), "nvidia-cuda-mps") {
		return &yes
	}
	return &no
}
