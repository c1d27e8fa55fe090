//go:build !linux

package machine

func spaceOf(string) *Space { return nil }
