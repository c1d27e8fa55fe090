module gpubench

go 1.26

require github.com/barnex/cuda5 v0.0.0-20171012184954-da30a9b287d8

require (
	go.uber.org/goleak v1.3.0 // indirect
	golang.org/x/sys v0.43.0 // indirect
)

// Upstream has no go.mod, no licence and does not build with today's headers:
// this is our own implementation of its API. README says more.
replace github.com/barnex/cuda5 => ./gpu/cuda5
