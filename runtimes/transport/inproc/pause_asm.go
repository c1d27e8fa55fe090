//go:build amd64 || arm64

package inproc

// pause tells the core that this is a spinning loop (PAUSE, YIELD): it saves power and leaves room to a sibling thread.
func pause()
