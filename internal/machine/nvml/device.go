//go:build cgo

// What is asked about a GPU, in base units: NVML counts clocks in MHz and power in mW.

package nvml

/*
#include <stdint.h>
*/
import "C"

import "strings"

const (
	clockSM        = 1 // nvmlClockType_t
	clockMemory    = 2
	temperatureGPU = 0  // nvmlTemperatureSensors_t
	maxLinks       = 18 // NVML_NVLINK_MAX_LINKS
)

// Devices returns the machine's GPUs.
func (l *Library) Devices() ([]Device, error) {
	n, err := l.count()
	if err != nil {
		return nil, err
	}
	list := make([]Device, 0, n)
	for i := range n {
		h, err := l.byIndex(i)
		if err != nil {
			return nil, err
		}
		d, err := l.device(i, h)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

func (l *Library) device(index int, h C.uintptr_t) (Device, error) {
	uuid, err := l.uuid(h)
	if err != nil {
		return Device{}, err
	}
	d := Device{
		Index:             index,
		UUID:              uuid,
		Name:              l.text("nvmlDeviceGetName", h),
		PCIBusID:          busID(l.pci(h)),
		PCIeMaxGeneration: l.number("nvmlDeviceGetMaxPcieLinkGeneration", h),
		PCIeMaxWidth:      l.number("nvmlDeviceGetMaxPcieLinkWidth", h),
		MaxSMClockHz:      megahertz(l.numberOf("nvmlDeviceGetMaxClockInfo", h, clockSM)),
		MaxMemoryClockHz:  megahertz(l.numberOf("nvmlDeviceGetMaxClockInfo", h, clockMemory)),
		PowerLimitW:       milliwatt(l.number("nvmlDeviceGetEnforcedPowerLimit", h)),
		PersistenceMode:   isSet(l.number("nvmlDeviceGetPersistenceMode", h)),
		MIG:               isSet(l.mode("nvmlDeviceGetMigMode", h)),
		ECC:               isSet(l.mode("nvmlDeviceGetEccMode", h)),
	}
	d.MemoryBytes, _ = l.memory(h)
	if mode := l.number("nvmlDeviceGetComputeMode", h); mode != nil && *mode < len(computeModes) {
		d.ComputeMode = &computeModes[*mode]
	}
	for link := range uint(maxLinks) {
		if up := l.numberOf("nvmlDeviceGetNvLinkState", h, link); up != nil && *up == 1 {
			d.NVLinks = append(d.NVLinks, NVLink{int(link), busID(l.linkPCI(h, link))})
		}
	}
	return d, nil
}

// State returns what the GPU with that UUID does now. The error is an *Error where there is no such GPU.
func (l *Library) State(uuid string) (State, error) {
	h, err := l.find(uuid)
	if err != nil {
		return State{}, err
	}
	s := State{
		PCIeGeneration:  l.number("nvmlDeviceGetCurrPcieLinkGeneration", h),
		PCIeWidth:       l.number("nvmlDeviceGetCurrPcieLinkWidth", h),
		SMClockHz:       megahertz(l.numberOf("nvmlDeviceGetClockInfo", h, clockSM)),
		MemoryClockHz:   megahertz(l.numberOf("nvmlDeviceGetClockInfo", h, clockMemory)),
		ThrottleReasons: l.throttle(h),
		TemperatureC:    l.numberOf("nvmlDeviceGetTemperature", h, temperatureGPU),
		PowerW:          milliwatt(l.number("nvmlDeviceGetPowerUsage", h)),
		UtilizationPct:  l.utilization(h),
		Processes:       l.processes(h),
	}
	_, s.MemoryUsedBytes = l.memory(h)
	return s, nil
}

// find returns the handle of the GPU with that UUID. Handles last as long as the library is initialized.
func (l *Library) find(uuid string) (C.uintptr_t, error) {
	l.mu.Lock()
	h, ok := l.devices[uuid]
	l.mu.Unlock()
	if ok {
		return h, nil
	}
	n, err := l.count()
	if err != nil {
		return 0, err
	}
	for i := range n {
		h, err := l.byIndex(i)
		if err != nil {
			return 0, err
		}
		if u, err := l.uuid(h); err == nil && u == uuid {
			l.mu.Lock()
			l.devices[uuid] = h
			l.mu.Unlock()
			return h, nil
		}
	}
	return 0, &Error{"nvml: GPU " + uuid, 6, "not found"} // NVML_ERROR_NOT_FOUND
}

// busID turns NVML's form ("00000000:C1:00.0") into the kernel's ("0000:c1:00.0"), which has four digits of domain
// unless more are needed.
func busID(s *string) *string {
	if s == nil {
		return nil
	}
	id := strings.ToLower(*s)
	if domain, rest, ok := strings.Cut(id, ":"); ok && len(domain) == 8 && strings.HasPrefix(domain, "0000") {
		id = domain[4:] + ":" + rest
	}
	return &id
}

func megahertz(v *int) *int64 {
	if v == nil {
		return nil
	}
	hz := int64(*v) * 1e6
	return &hz
}

func milliwatt(v *int) *float64 {
	if v == nil {
		return nil
	}
	w := float64(*v) / 1000
	return &w
}

func isSet(v *int) *bool {
	if v == nil {
		return nil
	}
	set := *v != 0
	return &set
}
