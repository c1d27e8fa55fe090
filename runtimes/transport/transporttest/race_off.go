//go:build !race

package transporttest

// Race says whether the race detector is built in.
const Race = false

// largest is the longest message of the suite, in bytes.
const largest = 64 << 20
