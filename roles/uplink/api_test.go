package uplink

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPI keeps the exported names in a file, so that a change of them is seen in review.
func TestAPI(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(fset, files, "storj/roles/uplink")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	show := func(node ast.Node) {
		if err := printer.Fprint(&out, fset, node); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n\n")
	}
	for _, v := range append(pkg.Consts, pkg.Vars...) {
		show(v.Decl)
	}
	for _, f := range pkg.Funcs {
		show(f.Decl)
	}
	for _, typ := range pkg.Types {
		show(typ.Decl)
		for _, v := range append(typ.Consts, typ.Vars...) {
			show(v.Decl)
		}
		for _, f := range append(typ.Funcs, typ.Methods...) {
			show(f.Decl)
		}
	}
	golden(t, "api.golden", out.Bytes())
}

// TestAPINamesOnlyOwnTypes holds the promise that a change inside cannot break programs outside: no type of a wing
// stands in a signature, but for the one seam.
func TestAPINamesOnlyOwnTypes(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		wings := wingImports(file)
		ast.FileExports(file)
		for _, decl := range file.Decls {
			var node ast.Node = decl
			switch d := decl.(type) {
			case *ast.FuncDecl:
				node = d.Type
				if strings.HasSuffix(d.Name.Name, "Fields") {
					continue // a method that wire needs; of types that are not exported
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR || d.Tok == token.CONST || d.Tok == token.IMPORT {
					continue
				}
			}
			ast.Inspect(node, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if ok && wings[pkg.Name] && pkg.Name+"."+sel.Sel.Name != "netx.Transport" {
					t.Errorf("%s: %s.%s in an exported declaration", fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
}

func wingImports(file *ast.File) map[string]bool {
	wings := make(map[string]bool)
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if strings.HasPrefix(path, "storj/") {
			wings[path[strings.LastIndexByte(path, '/')+1:]] = true
		}
	}
	return wings
}
