// Between GPUs and network cards: the modules that let cards into device memory, and what lies on the way.

package doctor

import (
	"fmt"
	"slices"
	"strings"

	"gpubench/internal/machine"
)

func (e *examiner) network() {
	gpus, cards := e.Around.Of(machine.KindGPU), e.Around.Of(machine.KindRDMA)
	e.peerMemory(gpus, cards)
	e.gdrcopy(gpus)
	e.iommu(gpus)
	e.acs(gpus)
	e.nearest(gpus, cards)
}

func (e *examiner) peerMemory(gpus, cards []machine.PCIDevice) {
	var ways []string
	for _, m := range []string{"nvidia_peermem", "nv_peer_mem"} {
		if e.Around.HasModule(m) {
			ways = append(ways, "the module "+m)
		}
	}
	if list := e.gpus(); len(list) > 0 && list[0].DMABuf {
		ways = append(ways, "dma-buf")
	}
	l := line{detail: map[string]any{"ways": ways, "rdma_cards": len(cards)}}
	switch {
	case len(ways) > 0 && len(cards) > 0:
		e.add("gpudirect_rdma", OK, l, "cards reach device memory by %s", strings.Join(ways, " and "))
	case len(gpus) == 0 || len(cards) == 0:
		e.add("gpudirect_rdma", None, l, "needs a GPU and an RDMA card, and there are %d and %d", len(gpus), len(cards))
	default:
		l.mend = "modprobe nvidia-peermem, as root (or NVIDIA's open kernel modules with dma-buf, on a kernel from 5.12 on)"
		e.add("gpudirect_rdma", Warn, l, "neither a peer memory module nor dma-buf: device memory goes through the host between nodes")
	}
}

func (e *examiner) gdrcopy(gpus []machine.PCIDevice) {
	module := e.Around.HasModule("gdrdrv")
	switch {
	case module && e.Around.DevGDRDrv:
		e.add("gdrcopy", OK, line{}, "the module gdrdrv and /dev/gdrdrv are there")
	case module || e.Around.DevGDRDrv:
		e.add("gdrcopy", Warn, line{mend: "load gdrcopy's module and let the container have /dev/gdrdrv (docker run --device /dev/gdrdrv)"},
			"one of the module gdrdrv and /dev/gdrdrv is missing")
	case len(gpus) == 0:
		e.add("gdrcopy", None, line{}, "no GPU that it would serve")
	default:
		e.add("gdrcopy", None, line{mend: "where small device messages matter: install gdrcopy"}, "not installed: small device messages take another way")
	}
}

func (e *examiner) iommu(gpus []machine.PCIDevice) {
	on := e.Around.IOMMU
	var translated []string
	types := make(map[string]string)
	for _, g := range gpus {
		if g.IOMMUGroup == nil {
			continue
		}
		types[g.BusID] = *g.IOMMUGroup
		if *g.IOMMUGroup != "identity" {
			translated = append(translated, g.BusID)
		}
	}
	l := line{detail: map[string]any{"on": on, "groups": types}}
	switch {
	case on == nil:
		e.add("iommu", Unknown, l, "the kernel does not say whether there is one")
	case !*on:
		e.add("iommu", OK, l, "off, or not visible from here")
	case len(gpus) == 0:
		e.add("iommu", OK, l, "on, and no GPU behind it")
	case len(translated) > 0:
		l.mend = "iommu=pt on the kernel's command line (or off in the firmware), where GPUs shall reach each other and cards directly"
		e.add("iommu", Warn, l, "on, and it translates for %s: peer traffic goes through the host's root complex", some(translated))
	case len(types) < len(gpus):
		e.add("iommu", Unknown, l, "on; whether it translates for the GPUs is not published")
	default:
		e.add("iommu", OK, l, "on, and the GPUs are passed through (identity)")
	}
}

func (e *examiner) acs(gpus []machine.PCIDevice) {
	var redirecting []string
	hidden := 0
	for _, b := range e.Around.Bridges {
		switch {
		case b.ACSRedirect == nil:
			hidden++
		case *b.ACSRedirect:
			redirecting = append(redirecting, b.BusID)
		}
	}
	l := line{detail: map[string]any{"bridges": e.Around.Bridges}}
	switch {
	case len(gpus) == 0:
		e.add("acs", None, line{}, "no GPU, so no bridge above one")
	case len(redirecting) > 0:
		l.mend = "setpci -s BRIDGE ECAP_ACS+0x6.w=0000 for each, as root, or off in the firmware; not where virtual machines rely on it"
		e.add("acs", Warn, l, "redirects peer traffic to the host on %s", some(redirecting))
	case hidden > 0:
		l.mend = "run gpubench doctor as root, or look at lspci -vvv, ACSCtl"
		e.add("acs", Unknown, l, "%s cannot be read without root", count(hidden, "bridge"))
	default:
		e.add("acs", OK, l, "redirects nothing on the %s above GPUs and cards", count(len(e.Around.Bridges), "bridge"))
	}
}

// nearest says for every GPU which RDMA card is closest.
func (e *examiner) nearest(gpus, cards []machine.PCIDevice) {
	if len(gpus) == 0 || len(cards) == 0 {
		e.add("gpu_nic", None, line{}, "needs a GPU and an RDMA card, and there are %d and %d", len(gpus), len(cards))
		return
	}
	words := map[string]string{"PIX": "on one PCIe switch", "PXB": "over several PCIe bridges", "PHB": "at one host bridge",
		"NODE": "on one NUMA node", "SYS": "on another NUMA node", "": "how near is not known"}
	order := []string{"PIX", "PXB", "PHB", "NODE", "SYS", ""}
	for _, g := range gpus {
		near := make(map[string]string)
		best := slices.MinFunc(cards, func(a, b machine.PCIDevice) int {
			return slices.Index(order, machine.Near(g, a)) - slices.Index(order, machine.Near(g, b))
		})
		for _, c := range cards {
			near[c.Name] = machine.Near(g, c)
		}
		how := machine.Near(g, best)
		l := line{subject: g.BusID, detail: map[string]any{"cards": near}}
		found := fmt.Sprintf("%s is nearest, %s", best.Name, words[how])
		if how != "" {
			found += " (" + how + ")"
		}
		switch how {
		case "SYS":
			l.mend = "where there is a choice, use GPUs and cards of one node (CUDA_VISIBLE_DEVICES, UCX_NET_DEVICES)"
			e.add("gpu_nic", Warn, l, "%s", found)
		case "":
			e.add("gpu_nic", Unknown, l, "%s", found)
		default:
			e.add("gpu_nic", OK, l, "%s", found)
		}
	}
}
