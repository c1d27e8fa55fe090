// Errors that end a run.
package charm

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"gpubench/runtimes/transport"
)

// MethodError is a method that panicked, or was given a message that it cannot read.
type MethodError struct {
	PE     int
	Chare  string // "Block(1,0,2)"; empty outside of chares' methods
	Method string // the name it was registered as; empty in the scheduler itself
	Value  any    // what it panicked with
	Stack  string // where; empty when it did not panic
}

// Error is one line: the stack stands beside it.
func (e *MethodError) Error() string {
	who := fmt.Sprintf("PE %d", e.PE)
	if e.Chare != "" {
		who += ": chare " + e.Chare
	}
	if e.Method != "" {
		who += ": method " + e.Method
	}
	if e.Stack == "" {
		return fmt.Sprintf("%s: %v", who, e.Value)
	}
	return fmt.Sprintf("%s: panic: %v", who, e.Value)
}

// Unwrap is what it panicked with, if that was an error.
func (e *MethodError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// panicked is the error of a method's panic.
func panicked(pe int, r running, v any, stack []byte) *MethodError {
	e := &MethodError{PE: pe, Value: v, Stack: string(stack)}
	if r.m != nil {
		e.Method = r.m.name
	}
	if r.el != nil {
		e.Chare = r.el.name()
	}
	return e
}

// guard calls f and turns a panic of a method, or of the scheduler itself, into the run's error.
func (c *core) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.fail(panicked(c.rank, c.current, v, debug.Stack()))
		}
	}()
	f()
}

// RemoteError is what ended the run on another PE, in words.
type RemoteError struct {
	PE   int
	Text string
}

func (e *RemoteError) Error() string {
	if at := fmt.Sprintf("PE %d: ", e.PE); !strings.HasPrefix(e.Text, at) {
		return at + e.Text
	}
	return e.Text
}

// DeadlockError is a run in which nothing happened for the deadline.
type DeadlockError struct {
	After time.Duration
	Waits []string // who waits for what, on all PEs
}

func (e *DeadlockError) Error() string {
	const most = 8
	waits := e.Waits
	if len(waits) == 0 {
		waits = []string{"no thread waits, no message is under way, and no chare has called Exit"}
	}
	text := strings.Join(waits[:min(len(waits), most)], "; ")
	if n := len(waits) - most; n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return fmt.Sprintf("deadlock: nothing has happened for %v: %s", e.After, text)
}

// Unwrap makes it transport.ErrDeadline.
func (e *DeadlockError) Unwrap() error { return transport.ErrDeadline }
