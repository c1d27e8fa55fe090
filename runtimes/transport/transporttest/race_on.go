//go:build race

package transporttest

// Race says whether the race detector is built in.
const Race = true

// largest is the longest message of the suite under the race detector, which looks at every byte, in bytes.
const largest = 8 << 20
