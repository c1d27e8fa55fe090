// Writer: appends lines to results.jsonl so that a finished one is never lost.
package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// File is what a Writer writes to: an *os.File, or a test's failing one.
type File interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Writer appends records and environments, each as one write of one line
// followed by fsync. When a write fails midway the line's beginning is cut
// off again, so the next line starts clean. Safe for concurrent use.
type Writer struct {
	mu   sync.Mutex
	f    File
	path string
	size int64 // bytes of finished lines
	torn bool  // part of a line may stand behind size
	envs map[string]bool
}

// Open opens path to append to, and makes it if need be. A last line without
// its newline is completed if it is whole JSON and cut off otherwise: it was
// never finished. Errors name the path.
func Open(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	w := NewWriter(f, path, 0)
	if err := w.repair(f); err != nil {
		f.Close()
		return nil, w.wrap("open", err)
	}
	// The name itself must survive a crash too, not only the bytes.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // some file systems refuse to sync a directory
		d.Close()
	}
	return w, nil
}

// NewWriter appends to f, which holds size bytes of finished lines; path is
// the name that errors use.
func NewWriter(f File, path string, size int64) *Writer {
	return &Writer{f: f, path: path, size: size, envs: map[string]bool{}}
}

// repair finds the end of the last finished line and makes it the file's end.
func (w *Writer) repair(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	end := st.Size()
	tail, err := lastLine(f, end)
	if err != nil {
		return err
	}
	w.size = end
	switch {
	case len(tail) == 0:
	case json.Valid(tail):
		return w.append([]byte{'\n'})
	default:
		w.size, w.torn = end-int64(len(tail)), true
		return w.mend()
	}
	return nil
}

// lastLine returns what stands behind the last newline before end.
func lastLine(f *os.File, end int64) ([]byte, error) {
	const step = 1 << 16
	var tail []byte
	for end > 0 {
		n := min(end, step)
		b := make([]byte, n)
		if _, err := f.ReadAt(b, end-n); err != nil {
			return nil, err
		}
		i := bytes.LastIndexByte(b, '\n')
		tail = append(b[i+1:], tail...)
		if i >= 0 {
			break
		}
		end -= n
	}
	return tail, nil
}

// Write appends the record. When it returns nil the record is on the disk.
func (w *Writer) Write(r Record) error {
	line, err := Line(r)
	if err != nil {
		return w.wrap("write", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.append(line)
}

// WriteEnvironment appends the environment unless this Writer already has.
func (w *Writer) WriteEnvironment(e Environment) error {
	line, err := Line(e)
	if err != nil {
		return w.wrap("write", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.envs[e.ID] {
		return nil
	}
	if err := w.append(line); err != nil {
		return err
	}
	w.envs[e.ID] = true
	return nil
}

// Close closes the file.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := errors.Join(w.found(), w.f.Close()); err != nil {
		return w.wrap("close", err)
	}
	return nil
}

// Line returns v, a Record or an Environment, as a line with its newline.
func Line(v any) ([]byte, error) {
	b, err := marshal(v)
	return append(b, '\n'), err
}

// found makes sure that the path still leads to the file. Where it does not, all finished lines are written there anew:
// the old file is open as long as this Writer.
func (w *Writer) found() error {
	f, ok := w.f.(*os.File)
	if !ok {
		return nil
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	if mine.Size() < w.size {
		return fmt.Errorf("another process has cut it from %d B to %d B", w.size, mine.Size())
	}
	if there, err := os.Stat(w.path); err == nil && os.SameFile(mine, there) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(w.path), 0o777); err != nil {
		return err
	}
	again, err := Open(w.path)
	if err != nil {
		return err
	}
	lines := make([]byte, w.size)
	if _, err = f.ReadAt(lines, 0); err == nil && len(lines) > 0 {
		err = again.append(lines)
	}
	if err != nil {
		again.f.Close()
		return err
	}
	f.Close()
	w.f, w.size, w.torn = again.f, again.size, false
	return nil
}

func (w *Writer) append(line []byte) error {
	if err := w.found(); err != nil {
		return w.wrap("write", err)
	}
	if w.torn {
		if err := w.mend(); err != nil {
			return w.wrap("write", err)
		}
	}
	n, err := w.f.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		w.torn = true
		_ = w.mend() // tried again before the next line
		return w.wrap("write", err)
	}
	w.size += int64(len(line))
	return nil
}

// mend cuts the file back to its finished lines.
func (w *Writer) mend() error {
	if err := w.f.Truncate(w.size); err != nil {
		return err
	}
	w.torn = false
	return nil
}

// wrap names the path once: the os package's errors already do.
func (w *Writer) wrap(verb string, err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s %s: %w", verb, w.path, err)
}
