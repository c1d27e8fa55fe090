// Package layers holds the direction of imports: who may know whom. See "The
// house" in docs/ARCHITECTURE.md.
package layers

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// may lists what each package (and those below it) may import of this module.
// A trailing slash stands for all below. What is not listed here fails: a new
// package says where it belongs.
var may = []struct {
	pkg   string
	knows []string
}{
	{"gpu/gputest", []string{"gpu"}},
	{"gpu/nccl", []string{"gpu"}},
	{"gpu", nil},
	{"kernels", []string{"gpu", "internal/leap", "internal/library", "kernels/"}},
	{"runtimes/transport/transporttest", []string{"gpu", "runtimes/transport", "runtimes/transport/faulty"}},
	{"runtimes/transport/inproc/inproctest", []string{"gpu", "runtimes/transport", "runtimes/transport/inproc"}},
	{"runtimes/transport/inproc", []string{"gpu", "runtimes/transport"}},
	{"runtimes/transport/internal", []string{"gpu", "runtimes/transport", "runtimes/transport/internal/", "internal/leap", "internal/signals"}},
	{"runtimes/transport/libmpi", []string{"gpu", "runtimes/transport", "runtimes/transport/internal/", "internal/leap", "internal/library", "internal/launch", "internal/launch/", "internal/signals"}},
	{"runtimes/transport/libucx", []string{"gpu", "runtimes/transport", "runtimes/transport/internal/", "internal/leap", "internal/library", "internal/launch", "internal/signals"}},
	{"runtimes/transport/faulty", []string{"gpu", "runtimes/transport"}},
	{"runtimes/transport", []string{"gpu"}},
	{"runtimes/schedule", []string{"gpu"}},
	{"runtimes/mpi", []string{"gpu", "runtimes/schedule", "runtimes/transport"}},
	{"runtimes/charm/team", []string{"gpu", "runtimes/schedule", "runtimes/transport", "runtimes/charm"}},
	{"runtimes/charm", []string{"gpu", "runtimes/transport", "runtimes/charm/"}},
	{"internal/library/librarytest", []string{"internal/library"}},
	{"internal/library", nil},
	{"internal/leap", nil},
	{"internal/launch", []string{"internal/library", "internal/signals", "internal/launch/"}},
	{"internal/machine", []string{"internal/machine/"}},
	{"internal/signals", nil},
	{"internal/stats", []string{"internal/result"}},
	{"internal/result", nil},
	{"internal/derive", []string{"internal/result", "internal/stats"}},
	{"internal/preset", nil},
	{"internal/report", []string{"internal/derive", "internal/limits", "internal/result", "internal/stats"}},
	{"internal/plan", []string{"internal/result", "internal/limits"}},
	{"internal/limits", []string{"internal/result"}},
	{"internal/doctor", []string{"internal/machine", "internal/plan"}},
	{"internal/supervise", []string{"internal/plan", "internal/result"}},
	{"internal/bench", []string{"gpu", "gpu/witness", "runtimes/transport", "internal/limits", "internal/result", "internal/stats"}},
	{"internal/suite", []string{"gpu", "gpu/nccl", "kernels", "runtimes/transport", "runtimes/schedule", "runtimes/mpi", "runtimes/charm", "runtimes/charm/", "internal/bench", "internal/limits", "internal/result", "internal/stats", "internal/suite/"}},
	{"internal/layers", nil},
	{"internal/mutate", nil},
	{"cmd/gpubench", []string{"gpu", "gpu/nccl", "gpu/witness", "kernels", "runtimes/", "internal/"}},
	{"scripts", []string{"gpu", "gpu/gputest", "kernels", "runtimes/", "internal/"}},
}

const module = "gpubench/"

// binding is the module that package gpu alone may import.
const binding = "github.com/barnex/cuda5"

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "gpubench/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	n := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
		check(t, strings.TrimPrefix(p.ImportPath, module), p.Imports)
	}
	if n < 15 {
		t.Errorf("go list gave %d packages: the test sees too little", n)
	}
}

// C that internal/leap calls must not come back into Go, and what is not there cannot be called.
func TestNoTransportExportsToC(t *testing.T) {
	root := os.DirFS("../../runtimes")
	n := 0
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		n++
		text, err := fs.ReadFile(root, path)
		if strings.Contains("\n"+string(text), "\n//export ") {
			t.Errorf("runtimes/%s exports a function to C", path)
		}
		return err
	})
	if err != nil || n < 50 {
		t.Errorf("%d files, %v", n, err)
	}
}

// What a driver can do beyond transport.Driver is hidden by a structure that embeds one, unless transport.As can look through.
func TestWrappersOfDriversUnwrap(t *testing.T) {
	root := os.DirFS("../..")
	wrappers, unwrapped := map[string]bool{}, map[string]bool{} // by folder and type
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil || !strings.Contains(string(text), "Driver") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err == nil {
			embedders(file, filepath.Dir(path), wrappers, unwrapped)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range wrappers {
		if !unwrapped[name] {
			t.Errorf("%s embeds a transport.Driver: give it Unwrap, as transport.Wrapper says", name)
		}
	}
	if len(wrappers) < 3 {
		t.Errorf("wrappers found: %v: the test sees too little", wrappers)
	}
}

// embedders notes the structures of a file that embed a Driver, and the types that have Unwrap.
func embedders(file *ast.File, dir string, wrappers, unwrapped map[string]bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv != nil && n.Name.Name == "Unwrap" {
				unwrapped[dir+"."+strings.TrimPrefix(types.ExprString(n.Recv.List[0].Type), "*")] = true
			}
		case *ast.TypeSpec:
			s, ok := n.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range s.Fields.List {
				if kind := types.ExprString(f.Type); len(f.Names) == 0 && (kind == "transport.Driver" || kind == "Driver" && file.Name.Name == "transport") {
					wrappers[dir+"."+n.Name.Name] = true
				}
			}
		}
		return true
	})
}

func check(t *testing.T, pkg string, imports []string) {
	t.Helper()
	rule, ok := ruleOf(pkg)
	if !ok {
		t.Errorf("%s is in no layer: give it a line in this test and in docs/ARCHITECTURE.md", pkg)
		return
	}
	for _, imp := range imports {
		if strings.HasPrefix(imp, binding) && pkg != "gpu" {
			t.Errorf("%s imports %s: package gpu alone may", pkg, imp)
		}
		if short, ours := strings.CutPrefix(imp, module); ours && !allowed(rule, short) {
			t.Errorf("%s imports %s, which its layer does not know", pkg, short)
		}
	}
}

func ruleOf(pkg string) ([]string, bool) {
	for _, r := range may {
		if pkg == r.pkg || strings.HasPrefix(pkg, r.pkg+"/") {
			return r.knows, true
		}
	}
	return nil, false
}

func allowed(rule []string, imp string) bool {
	for _, k := range rule {
		if imp == k || strings.HasSuffix(k, "/") && strings.HasPrefix(imp, k) {
			return true
		}
	}
	return false
}

// The rule itself must bite.
func TestTheRuleBites(t *testing.T) {
	for _, c := range []struct{ pkg, imp string }{
		{"runtimes/mpi", "runtimes/charm"},
		{"runtimes/mpi", "runtimes/transport/inproc"},
		{"runtimes/charm", "kernels"},
		{"internal/supervise", "gpu"},
		{"internal/bench", "runtimes/mpi"},
		{"internal/suite", "runtimes/transport/inproc"},
		{"internal/report", "gpu"},
		{"gpu", "kernels"},
	} {
		rule, ok := ruleOf(c.pkg)
		if !ok || allowed(rule, c.imp) {
			t.Errorf("%s may import %s", c.pkg, c.imp)
		}
	}
}
