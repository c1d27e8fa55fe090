//go:build !linux

package transport

import "runtime"

// yieldThread gives the core to another thread, the slow way.
func yieldThread() { runtime.Gosched() }
