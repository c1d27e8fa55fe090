package library

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindPrefersEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvDir, dir)
	if _, err := Find("x.fatbin"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("missing file: %v, want os.ErrNotExist naming %s", err, dir)
	}
	want := filepath.Join(dir, "x.fatbin")
	if err := os.WriteFile(want, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Find("x.fatbin"); err != nil || got != want {
		t.Fatalf("Find = %q, %v; want %q", got, err, want)
	}
}

func TestFolderIsNoLibrary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvDir, dir)
	if err := os.Mkdir(filepath.Join(dir, "y"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Find("y"); err == nil {
		t.Fatal("a folder was taken for a library")
	}
}
