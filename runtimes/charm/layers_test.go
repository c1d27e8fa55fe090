package charm

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outside lists the files that may know more than the core does, and what.
var outsideCore = map[string][]string{
	"seats.go":       {"runtime", "sync", "weak", "gpubench/runtimes/transport"},
	"runtime.go":     {"time", "gpubench/gpu", "gpubench/runtimes/transport"},
	"engine.go":      {"time", "gpubench/runtimes/transport"},
	"copier.go":      {"gpubench/gpu"},
	"hostpool.go":    {"syscall", "os", "sync", "gpubench/gpu"},
	"yield_linux.go": {"syscall"},
	"yield_other.go": {"runtime"},
	"thread.go":      {"iter"},
	"registry.go":    {"sync"}, // init functions of several packages
	"pup.go":         {"sync"},
	"watch.go":       {"time"}, // to print durations
	"errors.go":      {"time", "gpubench/runtimes/transport"},
	"channel.go":     {"gpubench/gpu", "gpubench/runtimes/transport"}, // Memory; ErrTruncated
	"match.go":       {"gpubench/gpu"},
	"move.go":        {"gpubench/gpu", "gpubench/runtimes/transport"}, // Memory; MaxTag
	"core.go":        {"gpubench/gpu"},                                // Memory
	"migrate.go":     {"time"},                                        // durations of BalanceStats
	"cargo.go":       {"gpubench/gpu"},                                // Buffer
	"sync.go":        {"time"},
	"places.go":      {"time"},
	"mobile.go":      {"time"},
	"balancer.go":    {"gpubench/runtimes/transport"}, // Place
}

// The core knows no transport, no clock, no goroutine: no file of it imports what could make one, starts a goroutine, or
// names a channel of Go's.
func TestCoreKnowsNothing(t *testing.T) {
	plain := []string{"fmt", "slices", "strings", "strconv", "sort", "reflect", "unsafe", "errors", "cmp", "math", "math/bits", "encoding/binary", "hash/fnv", "runtime/debug"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			if !slices.Contains(plain, path) && !slices.Contains(outsideCore[file], path) {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}
