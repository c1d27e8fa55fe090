module gpubench

go 1.26.0

require (
	github.com/barnex/cuda5 v0.0.0-20171012184954-da30a9b287d8
	github.com/rogpeppe/go-internal v1.15.0
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.50.0
	gonum.org/v1/gonum v0.17.0
	pgregory.net/rapid v1.3.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	golang.org/x/tools v0.30.0 // indirect
)

// Upstream has no go.mod, no licence and does not build with today's headers:
// this is our own implementation of its API. README says more.
replace github.com/barnex/cuda5 => ./gpu/cuda5
