// A job as child processes: gpubench itself, or a launcher's of it.

package supervise

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Prefix marks the lines of a worker's stdout that are events; MPI libraries
// print there too, and such lines are kept with stderr's.
const Prefix = "@gpubench "

// WriteEvent writes an event as one line.
func WriteEvent(w io.Writer, e Event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(append([]byte(Prefix), b...), '\n'))
	return err
}

// child is a running command and what it reports.
type child struct {
	cmd    *exec.Cmd
	events chan Event
	stdin  io.WriteCloser
	stdout io.Closer
	tail   *tail
	ended  chan struct{}
	err    error // after ended
	kill   sync.Once

	mu   sync.Mutex
	pids []int
}

// Exec starts a command whose stdout carries events. Its stdin stays open as
// long as this process lives: PEs that read its end know that they are alone.
func Exec(cmd *exec.Cmd) (Process, error) {
	// A group of its own: a terminal's Ctrl-C reaches this process alone,
	// which then ends the PEs in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, events: make(chan Event), stdin: stdin, stdout: stdout, tail: &tail{}, ended: make(chan struct{})}
	cmd.Stderr = c.tail
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes
	started := make(chan error)
	go c.follow(stdout, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// follow starts the command and reads its events on one locked thread: the
// parent-death signal is tied to the thread that started the child.
func (c *child) follow(stdout io.Reader, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	defer close(c.ended)
	defer close(c.events)
	read := bufio.NewReaderSize(stdout, 1<<16)
	for {
		line, err := read.ReadBytes('\n')
		if text, ok := bytes.CutPrefix(line, []byte(Prefix)); ok && err == nil {
			var e Event
			if json.Unmarshal(text, &e) == nil {
				c.note(e)
				c.events <- e
			}
		} else if len(line) > 0 {
			_, _ = c.tail.Write(line)
		}
		if err != nil {
			break
		}
	}
	c.err = c.cmd.Wait()
}

func (c *child) note(e Event) {
	if e.Kind == Ready {
		c.mu.Lock()
		c.pids = e.PIDs
		c.mu.Unlock()
	}
}

func (c *child) Events() <-chan Event { return c.events }

func (c *child) Wait() error {
	<-c.ended
	return c.err
}

func (c *child) Tail() string { return c.tail.String() }

// Grace is how long PEs have to end after SIGTERM.
const Grace = 700 * time.Millisecond

// Kill ends the job: SIGTERM to the command's group, and after Grace SIGKILL
// to it and to each PE that the job reported.
func (c *child) Kill() {
	c.kill.Do(func() {
		drained := make(chan struct{})
		go func() {
			for range c.events {
			}
			close(drained)
		}()
		_ = c.stdin.Close()
		select {
		case <-c.ended:
		default:
			_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
			select {
			case <-c.ended:
			case <-time.After(Grace):
				_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
			}
		}
		c.mu.Lock()
		for _, pid := range c.pids {
			if ours(pid) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		c.mu.Unlock()
		select {
		case <-c.ended:
		case <-time.After(Grace):
			_ = c.stdout.Close() // some other process still holds the pipe
			<-c.ended
		}
		<-drained
	})
}

// ours reports that a process still runs this program: a number may have been
// given to another process since.
func ours(pid int) bool {
	exe, err := os.Readlink(filepath.Join("/proc", fmt.Sprint(pid), "exe"))
	if err != nil {
		return false
	}
	self, err := os.Readlink("/proc/self/exe")
	return err == nil && exe == self && pid != os.Getpid()
}

// tail keeps the end of a stream, and before it the line that says why a Go program crashed: what all of its goroutines did
// follows that line and is long.
type tail struct {
	mu    sync.Mutex
	crash []byte // the first such line of what was dropped
	buf   []byte
}

var crash = regexp.MustCompile(`(?m)^(?:panic: |fatal error: |SIG[A-Z]+: |unexpected fault address).*\n`)

const tailBytes = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		if end := bytes.IndexByte(t.buf[over:], '\n'); end >= 0 && end < tailBytes/2 {
			over += end + 1 // whole lines
		}
		if t.crash == nil {
			t.crash = bytes.Clone(crash.Find(t.buf[:over]))
		}
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.crash) + string(t.buf)
}

// What the launchers and Go's runtime say of a PE that died.
var (
	rankLost = regexp.MustCompile(`(?i)(?:process rank|rank|peer rank is \[\[[^,]*,\d+\],)\s*(\d+)[^\n]*(?:exited|signal|died|killed|lost)`)
	telling  = regexp.MustCompile(`^(?:panic: |fatal error: |SIG[A-Z]+: |gpubench: |unexpected fault address|libfabric|\[.*\] (?:PMIX|ERROR)).*`)
	// Open MPI's notices, which it breaks over lines, and MPICH's.
	notice = regexp.MustCompile(`The PMIx server's listener thread failed to start|noticed that process rank [^(]{1,300}\([^)\n]*\)|EXIT STRING: .*`)
	rule   = regexp.MustCompile(`^[-=]*$`)
	// launch.RunLocal's notice: the first one is of the PE that ended first.
	local = regexp.MustCompile(`(?m)^gpubench: (PE \d+ \(process \d+\) (?:was killed by signal|exited with status) .*)$`)
)

// Ending says how a job's processes ended, with the most telling of their
// last lines.
func Ending(err error, stderr string) string {
	how := "they ended without an error"
	if err != nil {
		how = err.Error()
		// What a launcher and a shell make of a signal.
		var code int
		if _, err := fmt.Sscanf(how, "exit status %d", &code); err == nil && code > 128 && code <= 128+64 {
			how = fmt.Sprintf("signal: %v", syscall.Signal(code-128))
		}
	}
	if m := local.FindStringSubmatch(stderr); m != nil {
		how = m[1]
	} else if m := rankLost.FindStringSubmatch(stderr); m != nil {
		how = "PE " + m[1] + ": " + how
	}
	last := ""
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); local.MatchString(line) {
			continue
		}
		if telling.MatchString(line) {
			return how + ": " + line
		}
		if !rule.MatchString(line) {
			last = line
		}
	}
	if m := notice.FindString(stderr); m != "" {
		last = strings.Join(strings.Fields(m), " ")
	}
	if last != "" {
		return how + ": " + last
	}
	return how
}
