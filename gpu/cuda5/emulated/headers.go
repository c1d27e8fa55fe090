//go:build cgo

package emulated

import "embed"

// Go's build cache does not know the lists that the C files include. Embedded here, a change of one is a change of this
// package. (Headers of package cu are embedded there, which this package imports.) Nothing refers to it: the linker
// leaves it out.
//
//go:embed *.def *.h
//lint:ignore U1000 it is there for the build cache alone
var headers embed.FS
