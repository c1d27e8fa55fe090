package rendezvous

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func folders(t *testing.T, parent string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parent, folderPattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestTheFolderIsPrivateAndGoesWhenAllHaveCome(t *testing.T) {
	parent := folder(t)
	s, err := serve(2, helloLimit, parent)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dirs := folders(t, parent)
	if len(dirs) != 1 {
		t.Fatalf("%q", dirs)
	}
	if st, err := os.Stat(dirs[0]); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	a := join(t, s, 0)
	if len(folders(t, parent)) != 1 {
		t.Error("the folder went before all had come")
	}
	b := join(t, s, 1)
	// The last one is welcomed after the door is shut.
	if left := folders(t, parent); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
	pes := []Exchange{a, b}
	if err := all(2, func(r int) error { return rounds5(pes[r]) }); err != nil {
		t.Error(err)
	}
}

func TestTheFolderGoesWithAServerThatNobodyCameTo(t *testing.T) {
	parent := folder(t)
	s, err := serve(2, helloLimit, parent)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if left := folders(t, parent); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
}

// A killed server's folder is removed by the next one; a living one's, and what is not ours, stays.
func TestSweep(t *testing.T) {
	parent := folder(t)
	living, err := serve(1, helloLimit, parent)
	if err != nil {
		t.Fatal(err)
	}
	defer living.Close()
	stale := filepath.Join(parent, "gpubench-rv-1")
	other := filepath.Join(parent, "gpubench-rv-2") // has something else in it
	file := filepath.Join(parent, "gpubench-rv-3")
	target := filepath.Join(parent, "target")
	link := filepath.Join(parent, "gpubench-rv-4")
	for _, d := range []string{stale, other, target} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(stale, socketName), filepath.Join(other, "x"), file, filepath.Join(target, socketName)} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	next, err := serve(1, helloLimit, parent)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if _, err := os.Lstat(stale); !os.IsNotExist(err) {
		t.Errorf("a killed server's folder is left: %v", err)
	}
	for _, path := range []string{strings.TrimPrefix(living.door.address, "unix:"), filepath.Join(other, "x"), file, link, filepath.Join(target, socketName)} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%s went: %v", path, err)
		}
	}
}

func TestTheFirstFolderThatWorksIsTaken(t *testing.T) {
	long := filepath.Join(folder(t), strings.Repeat("x", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	short := folder(t)
	s, err := serve(1, helloLimit, "/nonexistent", long, short)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.door.address, "unix:"+short+"/") {
		t.Errorf("listens on %s", s.door.address)
	}
	if left := folders(t, long); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
}
