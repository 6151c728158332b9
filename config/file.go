package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v3"
)

// FileName is the name of the settings file in the directory of a role.
const FileName = "config.yaml"

// maxFileBytes bounds a settings file.
const maxFileBytes = 1 << 20

// FileIn returns the settings file of a role whose directory is dir; "" for none.
func FileIn(dir string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, FileName)
}

// file reads the settings of a file. A file that is not there is empty.
func (l *loader) file(path string) error {
	if path == "" {
		return nil
	}
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	l.report.File = path
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	if len(doc.Content) == 0 || isNull(doc.Content[0]) {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%w: %s: line %d: not lines of name: value", ErrConfig, path, root.Line)
	}
	l.entries(path, root.Content)
	return nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // best effort: read only
	raw, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err == nil && len(raw) > maxFileBytes {
		return nil, fmt.Errorf("%s: over %d bytes", path, maxFileBytes)
	}
	return raw, err
}

// entries takes the keys and values of the file, one after another in pairs.
func (l *loader) entries(path string, pairs []*yaml.Node) {
	seen := make(map[string]int, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		g := given{name: key.Value, source: FromFile, origin: fmt.Sprintf("%s:%d", path, key.Line)}
		if line, twice := seen[g.name]; twice {
			l.fault(g, fmt.Sprintf("is given in line %d already", line))
			continue
		}
		seen[g.name] = key.Line
		text, ok := l.entryText(g.name, value)
		if !ok {
			l.fault(g, "is not a plain value")
			continue
		}
		g.text = text
		l.give(g)
	}
}

// entryText returns a scalar's text, or the items of a list setting joined as Setting.Value joins them.
func (l *loader) entryText(name string, value *yaml.Node) (string, bool) {
	if value.Kind == yaml.ScalarNode && !isNull(value) {
		return value.Value, true
	}
	i, known := l.known[name]
	if value.Kind != yaml.SequenceNode || known && l.settings[i].Kind != List {
		return "", false
	}
	items := make([]string, len(value.Content))
	for i, item := range value.Content {
		if item.Kind != yaml.ScalarNode || isNull(item) {
			return "", false
		}
		items[i] = item.Value
	}
	return strings.Join(items, ","), true
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// Commented writes a settings file: every setting with its meaning; those that are defaults, or are not allowed in a
// file, are commented out.
func (r *Report) Commented(w io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Settings of storj %s. A value here is overruled by the environment and by flags.\n", r.Role)
	for _, v := range r.Values {
		if v.NoFile {
			continue
		}
		fmt.Fprintf(&out, "\n# %s\n", v.Doc)
		line, err := yamlLine(v)
		if err != nil {
			return fmt.Errorf("write setting %s: %w", v.Name, err)
		}
		if v.Source == FromDefault || v.Value == v.Default {
			line = "# " + line
		}
		out.WriteString(line)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// yamlLine writes one setting in a line.
func yamlLine(v Value) (string, error) {
	value := yaml.Node{Kind: yaml.ScalarNode, Value: v.Value}
	switch v.Kind {
	case List:
		value = yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range splitList(v.Value) {
			value.Content = append(value.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: item})
		}
	case Bool, Int:
	default:
		value.Tag = "!!str"
	}
	key := yaml.Node{Kind: yaml.ScalarNode, Value: v.Name}
	raw, err := yaml.Marshal(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{&key, &value}})
	return string(raw), err
}

// WriteFile writes what Commented writes to path, mode 0600, and returns when it is on disk. An existing file is not
// replaced. Errors: fs.ErrExist.
func WriteFile(path string, report *Report) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	err = errors.Join(report.Commented(file), file.Sync(), file.Close())
	if err != nil {
		_ = os.Remove(path) // best effort: half a file would hide the reason
		return fmt.Errorf("write settings: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
