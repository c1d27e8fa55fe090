// MPS: whether CUDA's Multi-Process Service lets processes use a GPU at the same time.

package machine

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// MPSPipeEnv names the folder in which the control daemon of MPS and its clients meet.
const MPSPipeEnv = "CUDA_MPS_PIPE_DIRECTORY"

const defaultMPSPipe = "/tmp/nvidia-mps"

// MPSDaemon is what is there of a control daemon.
type MPSDaemon struct {
	Dir     string `json:"dir"`     // of its pipes
	Running *bool  `json:"running"` // nil: the process behind them cannot be seen
}

// MPS reports whether a control daemon serves this user's processes: one whose folder is where they look for it. nil:
// not known, since there is a socket and the process behind it cannot be seen (it may be in another PID namespace). The
// socket is not tried: a daemon starts a server for whoever connects.
func MPS(getenv func(string) string) *bool {
	if m := (reader{os.DirFS("/")}).mps(getenv); m != nil {
		return m.Running
	}
	no := false
	return &no
}

func (r reader) mps(getenv func(string) string) *MPSDaemon {
	dir := getenv(MPSPipeEnv)
	if dir == "" {
		dir = defaultMPSPipe
	}
	at := strings.TrimPrefix(path.Clean(dir), "/")
	if _, err := fs.Stat(r.root, path.Join(at, "control")); errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	m := &MPSDaemon{Dir: dir}
	pid := r.number(path.Join(at, "nvidia-cuda-mps-control.pid"))
	if pid == nil || *pid <= 0 {
		return m
	}
	name := r.text(path.Join("proc", strconv.FormatInt(*pid, 10), "comm"))
	if name == nil {
		return m
	}
	// The kernel cuts a process's name off after 15 letters. Another name: a daemon has died, and its number is in use
	// again.
	running := strings.HasPrefix(*name, "nvidia-cuda-mps")
	m.Running = &running
	return m
}
