// UCX, as ucx_info tells of it.

package doctor

import (
	"bufio"
	"slices"
	"strings"
)

// UCX is a UCX and what it can use here.
type UCX struct {
	Tool       string `json:"ucx_info"` // the program that was asked
	Version    string `json:"version"`
	Library    string `json:"library"` // path
	Configured string `json:"configured"`
	Lanes      []Lane `json:"lanes"`
	LanesWhy   string `json:"lanes_why,omitempty"` // why there are none
}

// Lane is a transport of UCX's on a device.
type Lane struct {
	Transport string `json:"transport"` // rc_mlx5, sysv, cuda_ipc
	Device    string `json:"device"`
	Type      string `json:"type"` // network, intra-node, loopback, accelerator
}

// ParseUCXVersion reads `ucx_info -v`, of UCX 1.13 (where it begins with "# UCT version=") and later.
func ParseUCXVersion(text string) (u UCX) {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		l := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "#"))
		for prefix, field := range map[string]*string{
			"Library version:": &u.Version, "Library path:": &u.Library, "Configured with:": &u.Configured, "configured with:": &u.Configured,
		} {
			if rest, ok := strings.CutPrefix(l, prefix); ok {
				*field = strings.TrimSpace(rest)
			}
		}
		if rest, ok := strings.CutPrefix(l, "UCT version="); ok && u.Version == "" { // "1.12.1 revision dc92435"
			u.Version, _, _ = strings.Cut(rest, " ")
		}
	}
	return u
}

// ParseUCXDevices reads `ucx_info -d`.
func ParseUCXDevices(text string) (lanes []Lane) {
	var now Lane
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		l := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "#"))
		key, value, ok := strings.Cut(l, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Memory domain":
			now = Lane{}
		case "Transport":
			now = Lane{Transport: value}
		case "Device":
			now.Device = value
		case "Type":
			now.Type = value
			if now.Transport != "" {
				lanes = append(lanes, now)
			}
		}
	}
	return lanes
}

func (u UCX) has(transport string) bool {
	return slices.ContainsFunc(u.Lanes, func(l Lane) bool { return l.Transport == transport })
}

// transports names each once, with its devices where they tell something.
func (u UCX) transports() string {
	var names []string
	devices := make(map[string][]string)
	for _, l := range u.Lanes {
		if !slices.Contains(names, l.Transport) {
			names = append(names, l.Transport)
		}
		if l.Type == "network" {
			devices[l.Transport] = append(devices[l.Transport], l.Device)
		}
	}
	for i, n := range names {
		if d := devices[n]; len(d) > 0 {
			names[i] += " (" + some(d) + ")"
		}
	}
	return strings.Join(names, ", ")
}

func (e *examiner) ucx() {
	u, asked := e.UCX.Value, e.asksTransport("ucx")
	mend := "install UCX, or name its folder in GPUBENCH_UCX"
	if e.Env["GPUBENCH_UCX"] != "" {
		mend = "let GPUBENCH_UCX name a folder with bin/ucx_info and lib/libucp.so.0 of a working UCX"
	}
	if u == nil {
		status := None
		if e.UCX.Broken {
			status = Warn
		}
		// Whether the transport works is the transport's own check: this one is about the tool that tells more.
		e.add("ucx", status, line{mend: mend}, "%s", e.UCX.Why)
		return
	}
	e.add("ucx", OK, line{detail: u}, "UCX %s in %s", u.Version, orWord(u.Library, u.Tool))
	if len(u.Lanes) == 0 {
		e.add("ucx_transports", Warn, line{mend: "look at ucx_info -d, and at UCX_TLS and UCX_NET_DEVICES in the environment"}, "%s", orWord(u.LanesWhy, "ucx_info -d names no transport"))
		return
	}
	e.add("ucx_transports", OK, line{detail: map[string]any{"lanes": u.Lanes}}, "%s", u.transports())
	l := line{mend: "take a UCX built with CUDA (the wheels libucx-cu12 and libucx-cu13 are), with libcuda.so.1 and libnvidia-ml.so.1 where the loader finds them; UCX_MODULE_LOG_LEVEL=info UCX_LOG_LEVEL=info says what is missing"}
	switch {
	case u.has("cuda_copy") && u.has("cuda_ipc"):
		e.add("ucx_cuda", OK, line{}, "cuda_copy and cuda_ipc are there")
	case u.has("cuda_copy"):
		l.mend = "CUDA IPC needs GPUs that reach each other and processes in one namespace: see peer_access and namespaces"
		e.add("ucx_cuda", Warn, l, "cuda_copy is there and cuda_ipc is not: device memory goes through the host between processes")
	case e.Device() != "cuda" && !(asked && e.asksDirect()):
		e.add("ucx_cuda", None, l, "no CUDA transports, and no CUDA device that needs them")
	default:
		e.add("ucx_cuda", failIf(asked && e.asksDirect(), Warn), l, "no CUDA transports: this UCX takes no device memory")
	}
}
