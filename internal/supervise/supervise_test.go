package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpubench/internal/plan"
	"gpubench/internal/result"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a Process that plays events and then ends in a given way.
type script struct {
	events chan Event
	err    error
	tail   string
	stop   chan struct{}
	once   sync.Once
}

func (s *script) Events() <-chan Event { return s.events }
func (s *script) Kill()                { s.once.Do(func() { close(s.stop) }) }
func (s *script) Wait() error          { return s.err }
func (s *script) Tail() string         { return s.tail }

// play starts a process that does as the lines say: "ready", "start N", "ok N",
// "hang", "die TEXT", "fatal TEXT", "end".
func play(lines ...string) *script {
	s := &script{events: make(chan Event), stop: make(chan struct{})}
	go func() {
		defer close(s.events)
		for _, l := range lines {
			word, rest, _ := strings.Cut(l, " ")
			var e Event
			switch word {
			case "ready":
				e = Event{Kind: Ready}
			case "start":
				e = Event{Kind: Start}
				fmt.Sscan(rest, &e.Case)
			case "ok":
				e = Event{Kind: Done, Record: &result.Record{Status: result.OK}}
				fmt.Sscan(rest, &e.Case)
			case "fatal":
				e = Event{Kind: Fatal, Text: rest}
			case "hang":
				<-s.stop
				return
			case "die":
				s.err, s.tail = errors.New("signal: killed"), rest
				return
			case "end":
				e = Event{Kind: End}
			}
			select {
			case s.events <- e:
			case <-s.stop:
				return
			}
		}
	}()
	return s
}

// memory is a sink that keeps verdicts as text.
type memory struct {
	got  []string
	full int // the write that fails, counted from 1
}

func (m *memory) Environment(result.Environment) error { return nil }
func (m *memory) Record(r result.Record) error {
	if m.full > 0 && len(m.got)+1 >= m.full {
		return errors.New("write results.jsonl: no space left on device")
	}
	m.got = append(m.got, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.ID, r.Status, r.Reason)))
	return nil
}

func job(n int) plan.Job {
	j := plan.Job{}
	for i := range n {
		j.Cases = append(j.Cases, plan.Case{ID: fmt.Sprintf("c%d", i)})
	}
	return j
}

func run(t *testing.T, n int, c Config, launches ...[]string) ([]string, error) {
	t.Helper()
	m, _ := c.Sink.(*memory)
	if m == nil {
		m = &memory{}
		c.Sink = m
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	next := 0
	c.Start = func(_ context.Context, j plan.Job) (Process, error) {
		if next == len(launches) {
			t.Fatalf("launch %d was not expected; left: %v", next+1, j.Cases)
		}
		next++
		return play(launches[next-1]...), nil
	}
	err := Run(context.Background(), []plan.Job{job(n)}, c)
	if next != len(launches) {
		t.Errorf("%d launches, want %d", next, len(launches))
	}
	return m.got, err
}

func want(t *testing.T, got []string, lines ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

func TestAllWell(t *testing.T) {
	got, err := run(t, 2, Config{}, []string{"ready", "start 0", "ok 0", "start 1", "ok 1", "end"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 ok", "c1 ok")
}

func TestADeadPECostsItsCaseAlone(t *testing.T) {
	got, err := run(t, 3, Config{},
		[]string{"ready", "start 0", "ok 0", "start 1", "die mpirun: process rank 1 with PID 77 exited on signal 9"},
		[]string{"ready", "start 0", "ok 0", "end"}) // its case 0 is ours 2
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 ok",
		"c1 failed the PEs were lost: PE 1: signal: killed: mpirun: process rank 1 with PID 77 exited on signal 9",
		"c2 ok")
}

func TestATimeLimitCostsItsCaseAlone(t *testing.T) {
	got, err := run(t, 2, Config{Timeout: 20 * time.Millisecond},
		[]string{"ready", "start 0", "hang"}, []string{"ready", "start 0", "ok 0"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 timeout over its time limit of 20ms", "c1 ok")
}

func TestPEsThatNeverComeUp(t *testing.T) {
	got, err := run(t, 2, Config{StartUp: 20 * time.Millisecond}, []string{"hang"})
	if err != nil {
		t.Fatal(err)
	}
	reason := "failed the PEs ended before the first case: they did not start a case within 20ms"
	want(t, got, "c0 "+reason, "c1 "+reason)
}

func TestPEsThatDieBeforeTheirFirstCaseGetOneMoreTry(t *testing.T) {
	told := ""
	again := Config{OnAgain: func(how string) { told += how }}
	got, err := run(t, 2, again, []string{"ready", "die prterun: no socket"}, []string{"ready", "start 0", "ok 0", "start 1", "ok 1", "end"})
	if err != nil {
		t.Fatal(err)
	}
	if told != "signal: killed: prterun: no socket" {
		t.Errorf("told %q", told)
	}
	want(t, got, "c0 ok", "c1 ok")
	got, err = run(t, 1, Config{}, []string{"die prterun: no socket"}, []string{"die prterun: no socket"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 failed the PEs ended before the first case: signal: killed: prterun: no socket")
	got, err = run(t, 1, Config{Once: true}, []string{"die it"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 failed the PEs ended before the first case: signal: killed: it")
}

func TestFatalFailsTheRestWithoutARestart(t *testing.T) {
	got, err := run(t, 2, Config{}, []string{"fatal kernels are missing"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 failed kernels are missing", "c1 failed kernels are missing")
}

func TestUnderALauncherTheRestIsSkipped(t *testing.T) {
	got, err := run(t, 3, Config{Timeout: 20 * time.Millisecond, Once: true}, []string{"ready", "start 0", "ok 0", "start 1", "hang"})
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, "c0 ok", "c1 timeout over its time limit of 20ms",
		"c2 skipped the job ended before this case (a case was over its time limit); --resume completes the run")
}

func TestAFullDiskEndsTheRunAndKeepsWhatIsThere(t *testing.T) {
	m := &memory{full: 2}
	got, err := run(t, 3, Config{Sink: m}, []string{"ready", "start 0", "ok 0", "start 1", "ok 1", "hang"})
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
	want(t, got, "c0 ok")
}

func TestASignalEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("interrupted")
	m := &memory{}
	err := Run(ctx, []plan.Job{job(2)}, Config{Sink: m, Timeout: time.Minute,
		Start: func(context.Context, plan.Job) (Process, error) {
			return play("ready", "start 0", "ok 0", "start 1", "hang"), nil
		},
		OnStart: func(c plan.Case) {
			if c.ID == "c1" {
				cancel(why)
			}
		}})
	if !errors.Is(err, why) {
		t.Errorf("Run = %v, want the cause", err)
	}
	want(t, m.got, "c0 ok")
}

func TestAReportOfAnUnknownCaseIsRefused(t *testing.T) {
	if _, err := run(t, 1, Config{}, []string{"ready", "start 5"}); err == nil {
		t.Error("case 5 of 1 was taken")
	}
}

func shell(t *testing.T, text string) Process {
	t.Helper()
	p, err := Exec(exec.Command("/bin/sh", "-c", text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestExecReadsEventsBetweenNoise(t *testing.T) {
	p := shell(t, `echo some library says hello; echo '@gpubench {"event":"ready","pids":[1]}'; echo oops >&2; exit 3`)
	var kinds []Kind
	for e := range p.Events() {
		kinds = append(kinds, e.Kind)
	}
	if len(kinds) != 1 || kinds[0] != Ready {
		t.Errorf("events %v", kinds)
	}
	if err := p.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("Wait = %v", err)
	}
	if s := p.Tail(); !strings.Contains(s, "oops") || !strings.Contains(s, "hello") {
		t.Errorf("tail %q", s)
	}
	p.Kill()
}

// What a crashed Go program says of its goroutines is longer than what is kept.
func TestTailKeepsTheCrash(t *testing.T) {
	long := strings.Repeat("goroutine 7 [select]:\n", 2*tailBytes/20)
	for _, pieces := range [][]string{
		{"hello\nSIGABRT: abort\n" + long + "gs     0x0\n"},
		{"hello\nSIGAB", "RT: abort\n", long, long, "panic: another\n" + long, "gs     0x0\n"},
	} {
		var kept tail
		for _, s := range pieces {
			_, _ = kept.Write([]byte(s))
		}
		if got := Ending(errors.New("exit status 2"), kept.String()); got != "exit status 2: SIGABRT: abort" {
			t.Error(got)
		}
		if n := len(kept.String()); n > tailBytes+100 {
			t.Errorf("%d bytes are kept", n)
		}
	}
}

func TestKillEndsWhatIgnoresSIGTERM(t *testing.T) {
	p := shell(t, `trap '' TERM; echo '@gpubench {"event":"ready"}'; while :; do sleep 1; done`)
	<-p.Events()
	begin := time.Now()
	p.Kill()
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("Kill took %v", d)
	}
	if err := p.Wait(); err == nil {
		t.Error("a killed process ended well")
	}
}

func TestKillDoesNotWaitForAHeldPipe(t *testing.T) {
	// A grandchild in a session of its own survives the group's end and keeps
	// stdout open.
	p := shell(t, `setsid sleep 5 & echo '@gpubench {"event":"ready"}'; wait`)
	<-p.Events()
	begin := time.Now()
	p.Kill()
	if d := time.Since(begin); d > 4*time.Second {
		t.Errorf("Kill took %v", d)
	}
}

func TestDescribeNamesTheMostTellingLine(t *testing.T) {
	const line = "--------------------------------------------------------------------------\n"
	for _, c := range []struct{ err, stderr, want string }{
		{"exit status 2", "", "exit status 2"},
		{"exit status 2", "goroutine 1\npanic: gpu: slice past end of buffer\n\nmore\n", "exit status 2: panic: gpu: slice past end of buffer"},
		{"exit status 2", "one\ntwo\n", "exit status 2: two"},
		{"exit status 137", line + "prterun noticed that process rank 1 with PID 478 on node gpu-01 exited on\nsignal 9 (Killed).\n" + line,
			"PE 1: signal: killed: noticed that process rank 1 with PID 478 on node gpu-01 exited on signal 9 (Killed)"},
		{"exit status 9", "=====\n=   EXIT CODE: 9\n=====\nYOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)\nPlease see the FAQ page\n",
			"exit status 9: EXIT STRING: Killed (signal 9)"},
		{"exit status 213", line + "The PMIx server's listener thread failed to start. We cannot\ncontinue.\n" + line,
			"exit status 213: The PMIx server's listener thread failed to start"},
		{"exit status 139", line, "signal: segmentation fault"},
		{"exit status 137", "gpubench: PE 1 (process 77) was killed by signal 9 (killed)\ngpubench: PE 0 (process 76) exited with status 1\n",
			"PE 1 (process 77) was killed by signal 9 (killed)"},
		{"exit status 2", "panic: oh\n\ngoroutine 1\ngpubench: PE 2 (process 78) exited with status 2\n",
			"PE 2 (process 78) exited with status 2: panic: oh"},
	} {
		if got := Ending(errors.New(c.err), c.stderr); got != c.want {
			t.Errorf("Ending(%q, %q) = %q, want %q", c.err, c.stderr, got, c.want)
		}
	}
}
