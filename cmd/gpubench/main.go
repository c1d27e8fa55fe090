// Command gpubench measures what a message and an iteration cost under two
// runtime models, on the machine in front of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"gpubench/internal/launch"
)

func main() {
	ctx, stop := withSignals(context.Background())
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit statuses, a contract: see INTERFACE in docs/ARCHITECTURE.md.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdin, stdout, stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var status *statusError
	if errors.As(err, &status) {
		if status.text != "" {
			fmt.Fprintln(stderr, "gpubench: "+status.text)
		}
		return status.code
	}
	if job, joined := launch.Joined(os.Getenv); joined && job.Rank > 0 {
		time.Sleep(linger) // rank 0 says it
		return exitUsage
	}
	fmt.Fprintln(stderr, "gpubench: "+err.Error())
	return exitUsage // a *plan.UsageError or cobra's own: all about the command line
}

// statusError ends the program with a status; its text, if any, is one line.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

func fail(code int, format string, args ...any) error {
	return &statusError{code, fmt.Sprintf(format, args...)}
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ sig syscall.Signal }

func (e *signalError) Error() string { return "ended by " + e.sig.String() }

// status is 130 after SIGINT, 143 after SIGTERM and 140 after SIGUSR2, as shells have it.
func (e *signalError) status() int { return 128 + int(e.sig) }

// withSignals gives a context that SIGINT, SIGTERM and SIGUSR2 end; a second signal ends
// the program at once. SIGUSR2 is for launchers, which pass it on to every rank: at SIGTERM srun and mpirun kill the ranks
// themselves, and SIGUSR1 is MPICH's.
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR2)
	// Without this a closed stdout ends the process at once. Nobody reads the channel: the write's error says all.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case s := <-ch:
				e := &signalError{s.(syscall.Signal)}
				if n > 0 {
					os.Exit(e.status())
				}
				cancel(e)
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(done)
		cancel(nil)
	}
}
