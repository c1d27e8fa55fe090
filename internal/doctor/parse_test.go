package doctor

import (
	"slices"
	"testing"
)

func TestParseUCX(t *testing.T) {
	u := ParseUCXVersion("# Library version: 1.22.0\n# Library path: /opt/ucx/lib/libucs.so.0\n# API headers version: 1.22.0\n" +
		"# Configured with: --enable-mt --with-cuda=/usr/local/cuda\n")
	if u.Version != "1.22.0" || u.Library != "/opt/ucx/lib/libucs.so.0" || u.Configured != "--enable-mt --with-cuda=/usr/local/cuda" {
		t.Errorf("%+v", u)
	}
	if u := ParseUCXVersion("# UCT version=1.12.1 revision dc92435\n# configured with: --disable-logging\n"); u.Version != "1.12.1" || u.Configured != "--disable-logging" {
		t.Errorf("%+v", u)
	}
	if u := ParseUCXVersion("hello\n"); u.Version != "" {
		t.Errorf("%+v", u)
	}
	lanes := ParseUCXDevices(`#
# Memory domain: tcp
#     Component: tcp
#         memory types: 
#      Transport: tcp
#         Device: eth0
#           Type: network
#  System device: <unknown>
#      capabilities:
#            bandwidth: 11.27/ppn + 0.00 MB/sec
#      Transport: tcp
#         Device: lo
#           Type: network
#  System device: <unknown>
# Connection manager: tcp
#      max_conn_priv: 2064 bytes
# Memory domain: cuda_cpy
#     Component: cuda_cpy
#      Transport: cuda_copy
#         Device: cuda
#           Type: accelerator
`)
	if want := []Lane{{"tcp", "eth0", "network"}, {"tcp", "lo", "network"}, {"cuda_copy", "cuda", "accelerator"}}; !slices.Equal(lanes, want) {
		t.Errorf("%+v", lanes)
	}
	if lanes := ParseUCXDevices("< failed to open >\n# Type: network\n"); lanes != nil {
		t.Errorf("%+v", lanes)
	}
}

func TestParseMPITypes(t *testing.T) {
	for text, want := range map[string][]string{
		"MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugin versions available: pmix_v4\n": {"none", "pmi2", "pmix"},
		"srun: MPI types are...\nsrun: pmix_v3\nsrun: none\n":                                                 {"pmix_v3", "none"},
		"": nil,
	} {
		if got := ParseMPITypes(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestToolkit(t *testing.T) {
	for isa, want := range map[[2]int]int{{7, 8}: 11080, {8, 0}: 12000, {8, 4}: 12040, {8, 5}: 12050, {8, 8}: 12090, {9, 0}: 13000} {
		if got := toolkitOf(isa); got != want {
			t.Errorf("PTX %v: CUDA %d, want %d", isa, got, want)
		}
	}
}
