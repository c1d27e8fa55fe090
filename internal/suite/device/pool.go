// The devices of a job beside the PE's own: opening one takes longer than most cases, so they stay open from case to case.

package device

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/kernels"
)

// Others is the service that keeps devices open, a *Pool. Without it each case opens its own.
const Others = "other_devices"

// Pool keeps devices open for one PE. The zero value is empty.
type Pool struct {
	open map[int]*gpu.Device // by ordinal
}

// device gives a device of the PE's driver by its number; its own where it is that.
func (p *Pool) device(pe *bench.PE, ordinal int) (*gpu.Device, error) {
	if ordinal == pe.Device.Ordinal() {
		return pe.Device, nil
	}
	if d := p.open[ordinal]; d != nil {
		return d, nil
	}
	d, err := gpu.Open(pe.Device.Driver(), ordinal, pe.Device.Options())
	if err != nil {
		return nil, err
	}
	if p.open == nil {
		p.open = map[int]*gpu.Device{}
	}
	p.open[ordinal] = d
	return d, nil
}

// Close closes the devices, on the PE's thread.
func (p *Pool) Close() error {
	var errs []error
	for ordinal, d := range p.open {
		if err := d.Bind(); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, kernels.Unload(d))
		d.Unbind()
		errs = append(errs, d.Close())
		delete(p.open, ordinal)
	}
	return errors.Join(errs...)
}
