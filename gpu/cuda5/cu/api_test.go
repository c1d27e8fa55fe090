// The public interface, held against the list that it was written from (testdata/api.txt): names, kinds, types,
// signatures and values of constants.

package cu_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// api is the package's exported interface: name (methods: "Type.Name") to declaration as the list writes it.
type api map[string]string

func readAPI(t *testing.T) api {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || name == "nocgo.go" {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	// Imports are not resolved: constants and the package's own types do without.
	config := types.Config{FakeImportC: true, Error: func(error) {}}
	pkg, _ := config.Check("github.com/barnex/cuda5/cu", fset, files, nil)

	found := make(api)
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && c.Exported() {
			found[name] = constantLine(c)
		}
	}
	for _, file := range files {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() {
					found[funcName(d)] = text(fset, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
						found[s.Name.Name] = "type " + s.Name.Name + " " + text(fset, s.Type)
					}
				}
			}
		}
	}
	return found
}

func constantLine(c *types.Const) string {
	typ := ""
	if named, ok := c.Type().(*types.Named); ok {
		typ = " " + named.Obj().Name()
	}
	if c.Val().Kind() != constant.Int {
		return fmt.Sprintf("const %s%s = %s", c.Name(), typ, c.Val())
	}
	return fmt.Sprintf("const %s%s = %s", c.Name(), typ, c.Val().ExactString())
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	return typ.(*ast.Ident).Name + "." + d.Name.Name
}

// text prints a node on one line, with single blanks and without comments.
func text(fset *token.FileSet, node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		panic(err)
	}
	return blanks.ReplaceAllString(b.String(), " ")
}

var (
	blanks    = regexp.MustCompile(`\s+`)
	constLine = regexp.MustCompile(`^const (\w+)(?: (\w+))? = (\S+)`)
	methodOf  = regexp.MustCompile(`^func \(\w+ \*?(\w+)\) (\w+)`)
)

func TestAPI(t *testing.T) {
	file, err := os.Open("testdata/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	have := readAPI(t)
	counts := make(map[string]int)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		decl, note, _ := strings.Cut(line, "\t[") // "DECLARATION	[file]  // value N"
		decl, _, _ = strings.Cut(decl, " // ")
		kind, rest, _ := strings.Cut(decl, " ")
		name := regexp.MustCompile(`^\w+`).FindString(rest)
		want := decl
		switch kind {
		case "const":
			m := constLine.FindStringSubmatch(decl)
			value := m[3]
			if _, v, ok := strings.Cut(note, "// value "); ok {
				value = v
			}
			want = "const " + m[1]
			if m[2] != "" {
				want += " " + m[2]
			}
			want += " = " + value
		case "func":
			if m := methodOf.FindStringSubmatch(decl); m != nil {
				kind, name = "method", m[1]+"."+m[2]
			}
		}
		counts[kind]++
		// Structures are listed on one line, with blanks where the source has line ends.
		if got := have[name]; got != want {
			t.Errorf("%s:\n have %q\n want %q", name, got, want)
		}
	}
	// As the list's own head counts them: no line of it was read as something else.
	if want := map[string]int{"const": 131, "func": 56, "method": 23, "type": 13}; fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("compared %v, the list has %v", counts, want)
	}
}

// TestResultHasNoError: a Result that were an error would be taken for one by recover handlers of upstream's users.
func TestResultHasNoError(t *testing.T) {
	if _, ok := readAPI(t)["Result.Error"]; ok {
		t.Error("Result has a method Error")
	}
}
