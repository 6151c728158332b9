package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = ".."

// allowed says which of our own packages a package may import, by the longest prefix that fits. An import goes down the
// floors, never up; within a wing to its root or to a lower room.
var allowed = []struct {
	from string
	to   []string
}{
	{"config", []string{"config"}},
	{"ecenc", []string{"ecenc"}},
	{"netx", []string{"netx", "ecenc/wire", "ecenc/base58check", "ecenc"}},
	{"pieces", []string{"pieces", "netx", "ecenc"}},
	{"metainfo", []string{"metainfo", "pieces", "netx", "ecenc"}},
	{"roles/lifecycle", []string{"netx"}},
	{"roles/debug", []string{"netx"}},
	{"roles/satellite", []string{"roles/satellite", "roles/lifecycle", "roles/debug", "metainfo", "pieces", "netx", "ecenc"}},
	{"roles/storagenode", []string{"roles/storagenode", "roles/lifecycle", "roles/debug", "pieces", "netx", "ecenc"}},
	{"roles/uplink", []string{"roles/uplink", "metainfo", "pieces", "netx", "ecenc"}},
	{"roles/bench", []string{"roles/uplink", "netx"}},
	{"roles/devnet", []string{"roles", "metainfo", "pieces", "netx", "ecenc"}},
	{"roles/command", []string{"roles", "config", "metainfo", "pieces", "netx", "ecenc"}},
	{"e2e/format", nil}, // reads objects by docs/format.md alone
	{"e2e", []string{"roles", "config", "metainfo", "pieces", "netx", "ecenc"}},
	{"", []string{"roles/command"}},
}

// onlyHere says which packages alone may import a module.
var onlyHere = map[string][]string{
	"github.com/urfave/cli/v2":             {"roles/command"},
	"go.etcd.io/bbolt":                     {"metainfo/kv/boltkv", "pieces/logstore"},
	"github.com/quic-go/quic-go":           {"netx/quicnet", "roles/command", "roles/devnet"},
	"github.com/klauspost/reedsolomon":     {"ecenc/erasure"},
	"go.yaml.in/yaml/v3":                   {"config"},
	"github.com/mr-tron/base58":            {"ecenc/base58check"},
	"lukechampine.com/blake3/bao":          {"ecenc/bao"},
	"log":                                  nil,
	"math/rand":                            nil,
	"github.com/prometheus/client_golang/": nil,
}

type file struct {
	path string // slash-separated, from the top
	pkg  string // folder, from the top; "" is the top
	test bool
	fset *token.FileSet
	tree *ast.File
}

func eachFile(t *testing.T, fn func(f file)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		pkg := filepath.ToSlash(filepath.Dir(rel))
		if pkg == "." {
			pkg = ""
		}
		fn(file{path: rel, pkg: pkg, test: strings.HasSuffix(rel, "_test.go"), fset: fset, tree: tree})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func under(pkg, top string) bool { return pkg == top || strings.HasPrefix(pkg, top+"/") }

func TestImportsGoDown(t *testing.T) {
	eachFile(t, func(f file) {
		for _, spec := range f.tree.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			checkModule(t, f, name)
			own, found := strings.CutPrefix(name, "storj/")
			if !found {
				continue
			}
			if f.test && strings.HasPrefix(f.pkg, "roles/") {
				continue // a role's test may run its neighbours
			}
			if !mayImport(f.pkg, own) {
				t.Errorf("%s: %q may not import %q: imports go down the house", f.path, f.pkg, own)
			}
		}
	})
}

func mayImport(from, to string) bool {
	for _, rule := range allowed {
		if rule.from != "" && !under(from, rule.from) || rule.from == "" && from != "" {
			continue
		}
		return slices.ContainsFunc(rule.to, func(top string) bool { return under(to, top) })
	}
	return false
}

func checkModule(t *testing.T, f file, name string) {
	t.Helper()
	if name == "testing" && !f.test && !strings.HasSuffix(f.pkg, "test") && f.pkg != "e2e" {
		t.Errorf("%s: imports testing outside of tests", f.path)
	}
	places, restricted := onlyHere[name]
	if restricted && !f.test && !slices.ContainsFunc(places, func(p string) bool { return under(f.pkg, p) }) {
		t.Errorf("%s: %q may only be imported by %v", f.path, name, places)
	}
}

func TestTopLevel(t *testing.T) {
	known := []string{
		"main.go", "roles", "pieces", "metainfo", "netx", "ecenc", "config", "e2e", "go.mod", "go.sum", "Makefile",
		"README.md", "LICENSE", "CONTRIBUTING.md", "docs", "packaging", ".ci", ".git", ".gitignore", "bin", "storj",
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(known, entry.Name()) {
			t.Errorf("%s does not belong at the top level", entry.Name())
		}
	}
}

func TestDocComments(t *testing.T) {
	documented := map[string]bool{}
	eachFile(t, func(f file) {
		if f.test || f.pkg == "" {
			return
		}
		documented[f.pkg] = documented[f.pkg] || f.tree.Doc != nil
		for _, decl := range f.tree.Decls {
			checkDoc(t, f, decl)
		}
	})
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

func checkDoc(t *testing.T, f file, decl ast.Decl) {
	t.Helper()
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			t.Errorf("%s: %s has no doc comment", f.fset.Position(d.Pos()), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			var names []*ast.Ident
			var doc *ast.CommentGroup
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names, doc = []*ast.Ident{s.Name}, s.Doc
			case *ast.ValueSpec:
				names, doc = s.Names, s.Doc
				if doc == nil {
					doc = s.Comment
				}
			}
			for _, name := range names {
				if name.IsExported() && doc == nil && d.Doc == nil {
					t.Errorf("%s: %s has no doc comment", f.fset.Position(name.Pos()), name.Name)
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	exported := true
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && exported {
			exported = id.IsExported()
			return false
		}
		return true
	})
	return exported
}

// bans are calls that have one right place or none.
var bans = []struct {
	call   string
	where  func(f file) bool
	reason string
}{
	{"time.Sleep", func(f file) bool { return f.test && !usesSynctest(f) }, "a test that sleeps is slow or flaky"},
	{"context.Background", func(f file) bool { return !f.test && f.pkg != "" && !strings.HasSuffix(f.pkg, "test") }, "take ctx from the caller"},
	{"fmt.Println", func(f file) bool { return !f.test && !under(f.pkg, "roles/command") }, "only the command line prints"},
	{"fmt.Printf", func(f file) bool { return !f.test && !under(f.pkg, "roles/command") }, "only the command line prints"},
	{"http.DefaultClient", func(f file) bool { return true }, "has no timeout"},
	{"os.Exit", func(f file) bool { return !f.test && f.pkg != "" }, "main decides how the process ends"},
}

func usesSynctest(f file) bool {
	return slices.ContainsFunc(f.tree.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"testing/synctest"` })
}

func TestBans(t *testing.T) {
	eachFile(t, func(f file) {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			for _, ban := range bans {
				if pkg.Name+"."+sel.Sel.Name == ban.call && ban.where(f) {
					t.Errorf("%s: %s: %s", f.fset.Position(n.Pos()), ban.call, ban.reason)
				}
			}
			return true
		})
		for _, decl := range f.tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !f.test {
				t.Errorf("%s: init: effects at import are hidden from the reader", f.fset.Position(fn.Pos()))
			}
		}
	})
}
