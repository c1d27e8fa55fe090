package witness

import "embed"

// Go's build cache does not know headers in other folders. Embedded here, a change of it is a change of this package.
// Nothing refers to it: the linker leaves it out.
//
//go:embed lib/witness.h
//lint:ignore U1000 it is there for the build cache alone
var headers embed.FS
