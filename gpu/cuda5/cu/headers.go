//go:build cgo

package cu

import "embed"

// Go's build cache knows the C files and headers of a package's own folder, but neither table.def nor headers that a
// package includes from elsewhere, as the drivers that import this one do. Embedded here, a change of any of them is a
// change of this package, and so a reason to build all of those anew. Nothing refers to it: the linker leaves it out.
//
//go:embed table.def table.h cuda_types.h
//lint:ignore U1000 it is there for the build cache alone
var headers embed.FS
