// Progress on stderr: a bar on a terminal, quiet lines elsewhere.

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gpubench/internal/plan"
	"gpubench/internal/result"
)

// progress tells how far a run has come.
type progress struct {
	w      io.Writer
	bar    bool
	total  int
	done   int
	failed int
	begun  time.Time
	next   time.Time // of a quiet line
	what   string
}

// quietEvery is how often a run without a terminal says that it is alive.
const quietEvery = 10 * time.Second

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total, begun: time.Now()}
	p.next = p.begun.Add(quietEvery)
	if f, ok := w.(*os.File); ok {
		_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		p.bar = err == nil
	}
	return p
}

func (p *progress) start(c plan.Case) {
	p.what = fmt.Sprintf("%s %s %s %s", c.Benchmark, word(c.Params, "model"), word(c.Params, "transport"), word(c.Params, "path"))
	if n, ok := c.Params["size_bytes"].(int64); ok {
		p.what += " " + plan.FormatSize(n)
	}
	p.draw()
}

func word(p result.Params, name string) string {
	if s, ok := p[name].(string); ok {
		return s
	}
	return "native"
}

func (p *progress) record(r result.Record) {
	p.done++
	if r.Status == result.Failed || r.Status == result.Timeout {
		p.failed++
	}
	p.draw()
}

const barWidth = 24

func (p *progress) draw() {
	if !p.bar {
		if now := time.Now(); now.After(p.next) {
			p.next = now.Add(quietEvery)
			fmt.Fprintf(p.w, "gpubench: %d of %d cases, %d failed, %.0f s\n", p.done, p.total, p.failed, now.Sub(p.begun).Seconds())
		}
		return
	}
	full := barWidth * p.done / max(p.total, 1)
	fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %d/%d %s", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full), p.done, p.total, p.what)
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.bar {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
