//go:build !linux

package charm

import "runtime"

func yieldThread() { runtime.Gosched() }
