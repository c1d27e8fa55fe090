// Tests of writer and reader: full disks, torn lines, killed writers, fuzz.
package result

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is a file that has room for so many bytes, and counts calls.
type disk struct {
	bytes.Buffer
	room       int
	syncs      int
	noTruncate bool
	syncErr    error
}

func (d *disk) Write(b []byte) (int, error) {
	if n := d.room - d.Len(); len(b) > n {
		d.Buffer.Write(b[:max(n, 0)])
		return max(n, 0), syscall.ENOSPC
	}
	return d.Buffer.Write(b)
}
func (d *disk) Sync() error { d.syncs++; return d.syncErr }
func (d *disk) Truncate(n int64) error {
	if d.noTruncate {
		return syscall.EINVAL
	}
	d.Buffer.Truncate(int(n))
	return nil
}
func (d *disk) Close() error { return nil }

func read(t *testing.T, s string) *Contents {
	t.Helper()
	c, err := Read(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryRecordIsSynced(t *testing.T) {
	d := &disk{room: 1 << 20}
	w := NewWriter(d, "r", 0)
	e, _ := NewEnvironment(map[string]any{"host": "a"})
	for range 2 {
		if err := w.WriteEnvironment(e); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(sample()); err != nil {
			t.Fatal(err)
		}
	}
	c := read(t, d.String())
	if len(c.Records) != 2 || len(c.Environments) != 1 || len(c.Damaged) != 0 || d.syncs != 3 || strings.Count(d.String(), "\n") != 3 {
		t.Errorf("%d syncs, %s", d.syncs, d.String())
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	line, _ := Line(sample())
	for _, noTruncate := range []bool{false, true} {
		d := &disk{room: 2*len(line) + 50, noTruncate: noTruncate}
		w := NewWriter(d, "/out/results.jsonl", 0)
		for i := range 2 {
			if err := w.Write(sample()); err != nil {
				t.Fatal(i, err)
			}
		}
		err := w.Write(sample())
		if !errors.Is(err, syscall.ENOSPC) || err.Error() != "write /out/results.jsonl: no space left on device" {
			t.Errorf("error %v", err)
		}
		if c := read(t, d.String()); len(c.Records) != 2 {
			t.Errorf("%d records are left", len(c.Records))
		}
		d.room = 1 << 20 // somebody tidied up
		d.noTruncate = false
		if err := w.Write(sample()); err != nil {
			t.Fatal(err)
		}
		c := read(t, d.String())
		if len(c.Records) != 3 || len(c.Damaged) != 0 {
			t.Errorf("%d records, damage %v", len(c.Records), c.Damaged)
		}
	}
}

func TestFailedSyncIsAnError(t *testing.T) {
	d := &disk{room: 1 << 20, syncErr: syscall.EIO}
	w := NewWriter(d, "r", 0)
	if err := w.Write(sample()); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
}

func TestDevFull(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer f.Close()
	if err := NewWriter(f, "/dev/full", 0).Write(sample()); !errors.Is(err, syscall.ENOSPC) || strings.Count(err.Error(), "/dev/full") != 1 {
		t.Errorf("error %v", err)
	}
	if _, err := Open("/dev/full"); err == nil || !strings.Contains(err.Error(), "/dev/full") {
		t.Errorf("a device was opened as a results file: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "no", "such", "folder")); err == nil {
		t.Error("no error for a missing folder")
	}
}

func TestOpenMendsTheTail(t *testing.T) {
	line, _ := Line(sample())
	half := line[:len(line)/2]
	whole := line[:len(line)-1]
	long := bytes.Repeat([]byte("x"), 200_000) // over several blocks of the search
	for name, c := range map[string]struct {
		before string
		keep   int // records besides the new one
	}{
		"empty":        {"", 0},
		"whole lines":  {string(line) + string(line), 2},
		"cut line":     {string(line) + string(half), 1},
		"cut alone":    {string(half), 0},
		"no newline":   {string(line) + string(whole), 2},
		"long cut":     {string(line) + string(long), 1},
		"newline only": {"\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "results.jsonl")
			if err := os.WriteFile(path, []byte(c.before), 0o666); err != nil {
				t.Fatal(err)
			}
			w, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			r := sample()
			r.Trial = 9
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Records) != c.keep+1 || got.Records[c.keep].Trial != 9 || len(got.Damaged) != 0 {
				t.Errorf("%d records, damage %v", len(got.Records), got.Damaged)
			}
		})
	}
}

func TestReader(t *testing.T) {
	line, _ := Line(sample())
	failed := sample()
	failed.Status, failed.Reason = Failed, "PE 1: offset 3"
	failedLine, _ := Line(failed)
	skipped := sample()
	skipped.Trial, skipped.Status, skipped.Reason = 3, Skipped, "time limit"
	skippedLine, _ := Line(skipped)

	c := read(t, string(failedLine)+"\n"+string(line)+`{"schema":1,"kind":"mood","x":1}`+"\n"+
		`{"schema":7,"id":"x"}`+"\n"+"# noise\n"+string(skippedLine)+string(line[:40]))
	if len(c.Records) != 3 || c.Skipped != 1 {
		t.Fatalf("%d records, %d skipped", len(c.Records), c.Skipped)
	}
	var where []string
	for _, d := range c.Damaged {
		where = append(where, d.String())
	}
	want := "line 5: schema 7, this program reads 1; line 6: invalid character '#' looking for beginning of value; line 8 is cut off"
	if got := strings.Join(where, "; "); got != want {
		t.Errorf("damage\n got %s\nwant %s", got, want)
	}
	latest := c.Latest()
	if len(latest) != 2 || latest[0].Status != OK || latest[1].Status != Skipped {
		t.Errorf("latest %+v", latest)
	}
	r := sample()
	if done := c.Done(); !done[r.Key()] || done[skipped.Key()] || len(done) != 1 {
		t.Errorf("done %v", done)
	}
	if _, err := Read(io.MultiReader(strings.NewReader(string(line)), failing{})); !errors.Is(err, syscall.EIO) {
		t.Errorf("an error of the disk was swallowed: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, syscall.EIO }

// FuzzRead: whatever stands in the file, reading does not panic, every line is
// accounted for, and what was read can be written and read again.
func FuzzRead(f *testing.F) {
	line, _ := Line(sample())
	e, _ := NewEnvironment(map[string]any{"host": "a"})
	env, _ := Line(e)
	f.Add(append(append([]byte{}, line...), env...))
	f.Add(line[:100])
	f.Add([]byte(`{"schema":1,"id":"a","benchmark":"b","status":"ok","metrics":{"x":{"n":null}},"samples":{"x":[null]},"validation":{"sum":null}}`))
	f.Add([]byte("{\"schema\":1,\"kind\":null}\n\n[]\nnull\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for _, l := range bytes.Split(b, []byte("\n")) {
			if len(bytes.TrimSpace(l)) > 0 {
				lines++
			}
		}
		if got := len(c.Records) + len(c.Damaged) + c.Skipped; got > lines || got+len(c.Environments) > lines {
			t.Fatalf("%d lines gave %+v", lines, c)
		}
		for _, r := range c.Records {
			x, err := Line(r)
			if err != nil {
				t.Fatalf("cannot write what was read: %v", err)
			}
			again := read(t, string(x))
			if len(again.Records) != 1 || !same(t, again.Records[0], r) {
				t.Fatalf("%s came back changed", x)
			}
		}
	})
}

// The file of a Writer may be taken away, or cut, by others.
func TestTheFileIsLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "results.jsonl")
	w, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(id string) error {
		r := New("pingpong", Params{"size_bytes": int64(8)}, OK, "")
		r.ID = id
		return w.Write(r)
	}
	lines := func(want int) {
		t.Helper()
		c, err := ReadFile(path)
		if err != nil || len(c.Records) != want || len(c.Damaged) > 0 {
			t.Fatalf("%+v, %v; want %d records", c, err, want)
		}
	}
	for i, lose := range []func() error{
		func() error { return nil },
		func() error { return os.RemoveAll(filepath.Dir(dir)) },
		func() error { return os.Rename(path, path+".old") },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		if err := put(string(rune('a' + i))); err != nil {
			t.Fatal(err)
		}
		lines(i + 1)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines(3)
	if w, err = Open(path); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if err := put("z"); err == nil || !strings.Contains(err.Error(), "another process has cut it") || !strings.Contains(err.Error(), path) {
		t.Errorf("a file that was cut: %v", err)
	}
}
