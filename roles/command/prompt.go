package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"storj/roles/command/accesses"
	"storj/roles/command/words"
)

// maxSecret bounds what is read as a passphrase or key.
const maxSecret = 64 << 10

// ask reads a line from a person. Errors: usage when standard input is not a terminal: instead says what to give then.
func (a *app) ask(ctx context.Context, question, instead string) (string, error) {
	line, err := a.answer(ctx, question, instead, a.readLine)
	return strings.TrimSpace(line), err
}

// askSecret reads a line that is not shown. It is returned as it was typed, without its end.
func (a *app) askSecret(ctx context.Context, question, instead string) (string, error) {
	read := a.readLine
	if hidden := a.env.Terminal.ReadSecret; hidden != nil {
		read = func() (string, error) {
			line, err := hidden(ctx)
			a.errorLine("") // the line end that was typed is not shown
			return string(line), err
		}
	}
	return a.answer(ctx, question, instead, read)
}

func (a *app) readLine() (string, error) {
	line, err := a.stdin.ReadString('\n')
	if line != "" && errors.Is(err, io.EOF) {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

// answer puts a question and returns what read reads. A read cannot be interrupted: when ctx ends it is left behind, and
// the process is about to end.
func (a *app) answer(ctx context.Context, question, instead string, read func() (string, error)) (string, error) {
	if !a.env.Terminal.Stdin {
		return "", usageErrorf("there is nobody to ask, standard input is not a terminal: give %s", instead)
	}
	if err := a.out.Flush(); err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(a.env.Stderr, "%s ", question) // best effort: without the question there is no answer
	type result struct {
		line string
		err  error
	}
	done := make(chan result, 1) // so that a read that was left behind can end
	go func() {
		line, err := read()
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		if errors.Is(r.err, io.EOF) {
			return "", usageErrorf("no answer: give %s", instead)
		}
		return r.line, r.err
	case <-ctx.Done():
		a.errorLine("")
		return "", context.Cause(ctx)
	}
}

// newPassphrase asks for a passphrase twice; for twelve words of this program once, as they check themselves.
func (a *app) newPassphrase(ctx context.Context) ([]byte, error) {
	const instead = "--passphrase-file FILE (- for standard input) or --generate-passphrase"
	const attempts = 3
	for range attempts {
		first, err := a.askSecret(ctx, "Passphrase (empty to have one made):", instead)
		if err != nil {
			return nil, err
		}
		if first == "" {
			return a.generatePassphrase(), nil
		}
		phrase, kind := words.Read(first)
		switch kind {
		case words.Valid:
			return []byte(phrase), nil
		case words.Mistyped:
			a.errorLine("These look like twelve words that this program made, but one is mistyped or two changed places.")
			a.errorLine("Type them anew, or the same again if they are your own.")
		}
		second, err := a.askSecret(ctx, "The same again:", instead)
		if err != nil {
			return nil, err
		}
		if first == second {
			return []byte(first), nil
		}
		if phrase, kind := words.Read(second); kind == words.Valid {
			return []byte(phrase), nil
		}
		a.errorLine("These differ.")
	}
	return nil, usageError("the passphrases differ")
}

// generatePassphrase makes a passphrase that nobody guesses and a person can copy by hand, and shows it.
func (a *app) generatePassphrase() []byte {
	passphrase := words.New()
	list := strings.Fields(passphrase)
	half := len(list) / 2
	a.errorLine("\nYour passphrase is these twelve words:\n\n    %s\n    %s\n",
		a.errStyle.Bold(strings.Join(list[:half], " ")), a.errStyle.Bold(strings.Join(list[half:], " ")))
	a.errorLine("Write it down and keep it safe: without it nobody, the satellite included, can read what you store.\n")
	return []byte(passphrase)
}

// readSecretFile reads a secret from a file, or from standard input for "-". One line end at its end is not part of it.
func (a *app) readSecretFile(path string) ([]byte, error) {
	raw, err := a.readInput(path)
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	if len(raw) == 0 {
		return nil, usageErrorf("%s is empty", path)
	}
	return raw, nil
}

func (a *app) readInput(path string) ([]byte, error) {
	if path == "-" {
		return readAllLimited(a.stdin, maxSecret)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only
	return readAllLimited(f, maxSecret)
}

// writeSecretFile writes a secret for its owner alone.
func writeSecretFile(path, secret string, replace bool) error {
	if _, err := os.Lstat(path); err == nil && !replace {
		return fmt.Errorf("%s: %w; give --force to replace it", path, os.ErrExist)
	}
	return accesses.WriteSecret(path, []byte(secret+"\n"))
}
