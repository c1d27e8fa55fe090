// Peers: one device reaching another's memory.

package gpu

import (
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// CanAccessPeer reports whether d can be given direct access to o's memory. A device reaches itself; devices of different
// drivers never reach each other.
func (d *Device) CanAccessPeer(o *Device) (can bool, err error) {
	d.check()
	if d.driver != o.driver || d.ordinal == o.ordinal {
		return d.driver == o.driver, nil
	}
	call := "cuDeviceCanAccessPeer"
	defer catch(&call, &err)
	return cu.DeviceCanAccessPeer(d.dev, o.dev), nil
}

// EnablePeer gives d direct access to o's memory, for all handles on d in this process and as long as they are open. Where
// it has been given already, nothing happens. Where it cannot be given: *UnsupportedError; copies between the two then go
// through the host.
func (d *Device) EnablePeer(o *Device) error {
	can, err := d.CanAccessPeer(o)
	if err != nil {
		return err
	}
	if !can {
		reason := "the driver says that the devices cannot reach each other"
		if d.driver != o.driver {
			reason = "the devices have different drivers"
		}
		return &UnsupportedError{Feature: fmt.Sprintf("peer access %v→%v", d, o), Reason: reason}
	}
	if d.ordinal == o.ordinal {
		return nil
	}
	if err := enablePeer(o.ctx); err != nil {
		return fmt.Errorf("peer access %v→%v: %w", d, o, err)
	}
	return nil
}

func enablePeer(ctx cu.Context) (err error) {
	defer func() {
		if e, ok := err.(*Error); ok && e.Code == int(cu.ERROR_PEER_ACCESS_ALREADY_ENABLED) {
			err = nil
		}
	}()
	call := "cuCtxEnablePeerAccess"
	defer catch(&call, &err)
	cu.CtxEnablePeerAccess(ctx)
	return nil
}
