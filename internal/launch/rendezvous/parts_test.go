// What PEs play: the test binary, started again by a launcher.

package rendezvous

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// PartEnv names the part of a started process.
const PartEnv = "GPUBENCH_RENDEZVOUS_TEST_PART"

var parts = map[string]func(Exchange) error{
	"gather": gatherPart,
	"late":   latePart,
	"twice":  twicePart,
}

// Play plays a part, if this process was given one.
func Play() bool {
	name := os.Getenv(PartEnv)
	if name == "" {
		return false
	}
	e, err := Open(os.Getenv, 20*time.Second)
	if err == nil {
		err = parts[name](e)
		err = errors.Join(err, e.Close(), e.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// One write: launchers mix the PEs' text.
	os.Stdout.WriteString(fmt.Sprintf("PE %d of %d: %s is well; %s\n", e.Rank(), e.Size(), name, PMIxLibrary()))
	return true
}

// datum is what a PE gives in a round: of its own size, empty ones among them, with every byte its own.
func datum(rank, round int) []byte {
	return bytes.Repeat([]byte{byte(17*rank + round)}, (rank*1009+round*311)%4001*(round%3))
}

func rounds5(e Exchange) error {
	for round := range 5 {
		all, err := e.AllGather(datum(e.Rank(), round), 20*time.Second)
		if err != nil {
			return err
		}
		if len(all) != e.Size() {
			return fmt.Errorf("round %d: %d answers of %d PEs", round, len(all), e.Size())
		}
		for r, d := range all {
			if !bytes.Equal(d, datum(r, round)) {
				return fmt.Errorf("round %d: PE %d gave %d bytes, want %d", round, r, len(d), len(datum(r, round)))
			}
		}
	}
	return nil
}

// gatherPart: all is right, and Go's own signal handlers are where they were.
func gatherPart(e Exchange) (err error) {
	if err := rounds5(e); err != nil {
		return err
	}
	if _, err := e.AllGather(make([]byte, MaxData+1), time.Second); err == nil {
		return errors.New("too much data was taken")
	}
	defer func() {
		if _, ok := recover().(runtime.Error); !ok {
			err = errors.New("a nil dereference is no panic any more")
		}
	}()
	var p *int
	*p = 1
	return nil
}

// latePart: PE 1 does not come, the others do not wait for it for ever.
func latePart(e Exchange) error {
	if e.Rank() == 1 {
		time.Sleep(4 * time.Second)
		return nil
	}
	began := time.Now()
	_, err := e.AllGather(nil, time.Second)
	took := time.Since(began)
	var lost *LostError
	named := errors.As(err, &lost) && lost.Rank == 1
	if !named && !errors.Is(err, os.ErrDeadlineExceeded) || took < 900*time.Millisecond || took > 3500*time.Millisecond {
		return fmt.Errorf("after %v: %v", took, err)
	}
	if _, again := e.AllGather(nil, time.Second); again != err {
		return fmt.Errorf("after a failed round: %v", again)
	}
	return nil
}

// twicePart: what is closed stays closed.
func twicePart(e Exchange) error {
	if err := errors.Join(rounds5(e), e.Close()); err != nil {
		return err
	}
	if _, err := e.AllGather(nil, time.Second); err == nil || !strings.Contains(err.Error(), "closed") {
		return fmt.Errorf("a closed exchange: %v", err)
	}
	if _, err := Open(os.Getenv, 20*time.Second); err == nil || !strings.Contains(err.Error(), "cannot start twice") {
		return fmt.Errorf("a second exchange: %v", err)
	}
	return nil
}
