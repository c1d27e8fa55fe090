// nocgo.go is made from the files that need cgo; this test holds it against them, and makes it anew with -update.

package cu_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write nocgo.go anew")

const nocgoHead = `//go:build !cgo

// The same interface where cgo is off (CGO_ENABLED=0): there is no driver, and every call says why.
// Made by: go test -run TestNoCgo -update

package cu

import "unsafe"

// Driver is one implementation of the CUDA driver interface. There is none in a build without cgo.
type Driver struct{}

const builtWithoutCgo = "built without cgo (CGO_ENABLED=0)"

func noCgo() string { return "cu: " + builtWithoutCgo + ": no driver can be called" }
`

// What does not simply panic.
var nocgoBodies = map[string]string{
	"LoadCUDA":     `return nil, &LoadError{Path: libcudaName, Reason: "this program was " + builtWithoutCgo}`,
	"Current":      "return nil",
	"ClearCurrent": "",
}

func TestNoCgo(t *testing.T) {
	want := generateNoCgo(t)
	if *update {
		if err := os.WriteFile("nocgo.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("nocgo.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("nocgo.go does not have the calls of the cgo files: go test -run TestNoCgo -update")
	}
}

func generateNoCgo(t *testing.T) []byte {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	out := bytes.NewBufferString(nocgoHead)
	fset := token.NewFileSet()
	for _, name := range files {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") || !bytes.HasPrefix(source, []byte("//go:build cgo\n")) {
			continue
		}
		file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			body, ok := nocgoBodies[f.Name.Name]
			if !ok {
				body = "panic(noCgo())"
			}
			f.Doc, f.Body = nil, nil
			out.WriteString("\n")
			if err := printer.Fprint(out, fset, f); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(out, " { %s }\n", body)
		}
	}
	made, err := format.Source(out.Bytes())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return made
}

// TestBuildWithoutCgo vets the package, its users' view of it, with cgo off.
func TestBuildWithoutCgo(t *testing.T) {
	dir := t.TempDir()
	program := `package main

import "github.com/barnex/cuda5/cu"

func main() {
	if _, err := cu.LoadCUDA(); err != nil {
		println(err.Error())
	}
	if cu.Current() != nil {
		panic("a driver from nowhere")
	}
	defer func() { println(recover().(string)) }()
	cu.MemAlloc(1)
}
`
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", "."}, {"run", main}} {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, out)
		}
		if args[0] == "run" && (!strings.Contains(string(out), "built without cgo") || strings.Count(string(out), "\n") != 2) {
			t.Errorf("a program without cgo says: %s", out)
		}
	}
}
