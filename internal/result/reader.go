// Reader: what a results.jsonl holds, for resuming and reporting.
package result

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxLine bounds a line: 10 million samples of 20 digits fit.
const maxLine = 256 << 20

// Contents is what was read, in the order of the lines.
type Contents struct {
	Records      []Record
	Environments map[string]Environment // by env_id
	Damaged      []Damage
	Skipped      int // lines of a kind that this program does not know
}

// Damage is a line that could not be read.
type Damage struct {
	Line int  // counted from 1
	Cut  bool // the last line, without its newline: the writer was killed
	Err  error
}

func (d Damage) String() string {
	if d.Cut {
		return fmt.Sprintf("line %d is cut off", d.Line)
	}
	return fmt.Sprintf("line %d: %v", d.Line, d.Err)
}

// ReadFile reads the file at path.
func ReadFile(path string) (*Contents, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // not to wait for a pipe's writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("read %s: not a regular file", path)
	}
	c, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return c, nil
}

// Read reads lines to the end. A line that cannot be read is noted in Damaged
// and left out; blank lines and lines of an unknown kind are passed over. The
// error is r's own, or a line beyond all bounds.
func Read(r io.Reader) (*Contents, error) {
	c := &Contents{Environments: map[string]Environment{}}
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(br)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		whole := err == nil
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if e := c.add(text); e != nil {
				c.Damaged = append(c.Damaged, Damage{Line: n, Cut: !whole, Err: e})
			}
		}
		if !whole {
			return c, nil
		}
	}
}

// readLine returns a line without its newline, or the rest with io.EOF.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
	}
}

func (c *Contents) add(line []byte) error {
	var head struct {
		Schema *int    `json:"schema"`
		Kind   *string `json:"kind"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return err
	}
	switch {
	case head.Schema == nil:
		return errors.New("no schema")
	case *head.Schema != Schema:
		return fmt.Errorf("schema %d, this program reads %d", *head.Schema, Schema)
	case head.Kind == nil:
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if r.ID == "" || r.Benchmark == "" || r.Status == "" {
			return errors.New("a record without id, benchmark or status")
		}
		c.Records = append(c.Records, r)
	case *head.Kind == EnvironmentKind:
		var e Environment
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		c.Environments[e.ID] = e
	default:
		c.Skipped++
	}
	return nil
}

// Latest returns the last record of every (id, trial), in the order in which
// each was first seen.
func (c *Contents) Latest() []Record {
	at := make(map[Key]int, len(c.Records))
	var out []Record
	for _, r := range c.Records {
		i, seen := at[r.Key()]
		if !seen {
			at[r.Key()] = len(out)
			out = append(out, r)
			continue
		}
		out[i] = r
	}
	return out
}

// Done returns the trials of cases that resuming leaves out: those whose last
// record is ok. Failed and timed-out ones run again, and so do skipped ones: a
// time limit may have left them out, and another reason is found again at once.
func (c *Contents) Done() map[Key]bool {
	done := map[Key]bool{}
	for _, r := range c.Latest() {
		if r.Status == OK {
			done[r.Key()] = true
		}
	}
	return done
}
