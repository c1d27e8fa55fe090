// gpubench as its own launcher: PEs as child processes on this host, without MPI.

package launch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"gpubench/internal/launch/rendezvous"
)

// LocalJob is what RunLocal starts.
type LocalJob struct {
	N      int      // PEs
	Argv   []string // program and arguments of each
	Env    []string // what they inherit, less what other launchers left in it; nil: this process's environment
	Stdin  *os.File // PE 0's, handed on as it is; the others have none
	Stdout *os.File // likewise
	Stderr io.Writer
	Grace  time.Duration // what is left to the others after one has failed; 0: LocalGrace
}

// LocalGrace is how long PEs have to find out by themselves, and say, that one of them is gone.
const LocalGrace = 5 * time.Second

const (
	stopGrace = 500 * time.Millisecond // from SIGTERM to SIGKILL; less than supervise.Grace
	settling  = 100 * time.Millisecond // for those that end because another did, so that the other is named
	pipeGrace = time.Second            // for a PE's own children that hold its stderr
)

// RunLocal starts the PEs of a job, each with the variables of package rendezvous, and waits for their end. Stderr gets
// whole lines: what they write there, what PEs other than 0 write to stdout, and a line for each PE that failed. The
// status is the first failed PE's, 128 and the signal's number if a signal ended it; the others are killed after a
// grace. When ctx ends, all are ended. They never outlive this process: the kernel kills them with it.
func RunLocal(ctx context.Context, job LocalJob) (status int, err error) {
	// Parent-death signals are the thread's: this one asks for its own, and starts the PEs.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	DieWithParent(syscall.SIGTERM) // and not SIGKILL: an orderly end leaves no folder
	server, err := rendezvous.Serve(job.N)
	if err != nil {
		return 0, err
	}
	defer server.Close()
	l := &localRun{job: job, server: server, ends: make(chan ended, job.N)}
	l.stderr.w = job.Stderr
	if l.job.Env == nil {
		l.job.Env = os.Environ()
	}
	if l.job.Grace == 0 {
		l.job.Grace = LocalGrace
	}
	for rank := range job.N {
		if err := l.start(rank); err != nil {
			l.signal(syscall.SIGKILL)
			for range l.pes {
				<-l.ends
			}
			return 0, fmt.Errorf("start PE %d: %w", rank, err)
		}
	}
	return l.wait(ctx), nil
}

// localRun is a running LocalJob.
type localRun struct {
	job    LocalJob
	server *rendezvous.Server
	stderr lines
	pes    []*exec.Cmd
	ends   chan ended
}

// ended is a PE that is no more.
type ended struct {
	rank, pid int
	status    syscall.WaitStatus
}

func (e ended) failed() bool { return e.status != 0 }

// exit is the status that a shell makes of an end.
func (e ended) exit() int {
	if e.status.Signaled() {
		return 128 + int(e.status.Signal())
	}
	return e.status.ExitStatus()
}

func (e ended) String() string {
	if e.status.Signaled() {
		return fmt.Sprintf("was killed by signal %d (%v)", e.status.Signal(), e.status.Signal())
	}
	return fmt.Sprintf("exited with status %d", e.status.ExitStatus())
}

func (l *localRun) start(rank int) error {
	cmd := exec.Command(l.job.Argv[0], l.job.Argv[1:]...)
	cmd.Env = append(Detached(l.job.Env), l.server.Env(rank)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // in our group: a signal to it reaches all
	cmd.WaitDelay = pipeGrace
	out := &lineWriter{to: &l.stderr}
	cmd.Stdout, cmd.Stderr = out, out
	if rank == 0 {
		cmd.Stdin, cmd.Stdout = l.job.Stdin, l.job.Stdout
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	l.pes = append(l.pes, cmd)
	go func() {
		_ = cmd.Wait() // its error says less than the state
		out.flush()
		l.ends <- ended{rank, cmd.Process.Pid, cmd.ProcessState.Sys().(syscall.WaitStatus)}
	}()
	return nil
}

func (l *localRun) signal(s syscall.Signal) {
	for _, cmd := range l.pes {
		_ = cmd.Process.Signal(s) // nothing happens to one that has ended
	}
}

// wait waits for all PEs and says which failed.
func (l *localRun) wait(ctx context.Context) (status int) {
	var failed []ended // that were not told yet
	var settle, kill <-chan time.Time
	told, killed := false, false
	tell := func() {
		settle, told = nil, true
		// One that a signal ended did not end because of another.
		slices.SortStableFunc(failed, func(a, b ended) int {
			return order(b.status.Signaled()) - order(a.status.Signaled())
		})
		for _, e := range failed {
			if status == 0 {
				status = e.exit()
			}
			l.stderr.write(fmt.Appendf(nil, "gpubench: PE %d (process %d) %v\n", e.rank, e.pid, e))
		}
		failed = nil
	}
	stop := ctx.Done()
	for running := len(l.pes); running > 0; {
		select {
		case e := <-l.ends:
			running--
			l.server.Lost(e.rank, e.String())
			if !e.failed() || killed {
				continue
			}
			failed = append(failed, e)
			if told {
				tell()
			} else if settle == nil {
				settle = time.After(settling)
			}
		case <-settle:
			tell()
			kill = time.After(l.job.Grace)
		case <-kill:
			killed = true
			l.signal(syscall.SIGKILL)
		case <-stop:
			// What ends from now on ended because of us.
			tell()
			stop, killed = nil, true
			l.signal(syscall.SIGTERM)
			kill = time.After(stopGrace)
		}
	}
	tell()
	return status
}

func order(first bool) int {
	if first {
		return 1
	}
	return 0
}

// lines writes whole lines of several PEs.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) write(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(b) // a stderr that is gone costs its text alone
}

// lineWriter collects one PE's text into lines.
type lineWriter struct {
	to  *lines
	buf []byte
}

// maxLine is where a line without end is cut.
const maxLine = 64 << 10

func (w *lineWriter) Write(b []byte) (int, error) {
	w.buf = append(w.buf, b...)
	if end := bytes.LastIndexByte(w.buf, '\n') + 1; end > 0 {
		w.to.write(w.buf[:end])
		w.buf = append(w.buf[:0], w.buf[end:]...)
	}
	if len(w.buf) > maxLine {
		w.flush()
	}
	return len(b), nil
}

// flush ends the last line.
func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.to.write(append(w.buf, '\n'))
		w.buf = w.buf[:0]
	}
}
