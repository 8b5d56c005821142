package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The part of a page that is measured stands between these two lines.
const (
	pageBegin = "<!-- bench:begin -->"
	pageEnd   = "<!-- bench:end -->"
)

const newPage = "# Performance\n\nWhat zdhost costs, measured beside its peers in one run. The method is in `bench/peers/doc.go`.\n\n" +
	pageBegin + "\n" + pageEnd + "\n"

// writePage replaces the measured part of a page, at once or not at all. A page that doesn't exist is begun.
func writePage(path, markdown string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = []byte(newPage), nil
	}
	if err == nil {
		var text string
		if text, err = replaceMeasured(string(old), markdown); err == nil {
			err = replaceFile(path, text)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}

// replaceMeasured puts text between the two marks of a page, which must be there once and in that order.
func replaceMeasured(page, text string) (string, error) {
	if strings.Count(page, pageBegin) != 1 || strings.Count(page, pageEnd) != 1 {
		return "", fmt.Errorf("it must have %s and %s once each", pageBegin, pageEnd)
	}
	before, rest, _ := strings.Cut(page, pageBegin)
	_, after, found := strings.Cut(rest, pageEnd)
	if !found {
		return "", fmt.Errorf("%s stands before %s", pageEnd, pageBegin)
	}
	return before + pageBegin + "\n\n" + strings.TrimSpace(text) + "\n\n" + pageEnd + after, nil
}

func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
