package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// scripts/test.sh gives the race detector the packages that start goroutines; one that begins to must join them.
func TestRaceListIsWhole(t *testing.T) {
	script, err := os.ReadFile("../../scripts/test.sh")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)\nrace=\((.*?)\)`).FindSubmatch(script)
	if m == nil {
		t.Fatal("scripts/test.sh has no list called race")
	}
	patterns := append(strings.Fields(string(m[1])), "./cmd/gpubench") // some of its tests
	listed := func(dir string) bool {
		for _, p := range patterns {
			all, below := strings.CutSuffix(p, "/...")
			if dir == p || below && (dir == all || strings.HasPrefix(dir, all+"/")) {
				return true
			}
		}
		return false
	}
	starts := map[string]bool{}
	err = filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := e.Name(); e.IsDir() && path != "../.." && (strings.HasPrefix(name, ".") || name == "build" || name == "cuda5") {
			return filepath.SkipDir // no packages, or another module, which is run whole
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				starts["./"+strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../../")] = true
			}
			return true
		})
		return nil
	})
	if err != nil || len(starts) < 3 {
		t.Fatalf("%v start goroutines: the test sees too little (%v)", starts, err)
	}
	for dir := range starts {
		if !listed(dir) {
			t.Errorf("%s starts goroutines: add it to race in scripts/test.sh", dir)
		}
	}
}
