package libmpi

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/internal/launch/rendezvous"
	"gpubench/runtimes/transport"
)

func init() { parts["exchange"] = exchangePart }

// exchangePart: an exchange through PMIx is opened beside MPI, which has started PMIx too, and both work until their end;
// in the other order MPI is refused, where it would end the job.
func exchangePart(order string) error {
	open := func() (rendezvous.Exchange, error) { return rendezvous.Open(os.Getenv, 20*time.Second) }
	if order == "exchange opened first" {
		e, err := open()
		if err != nil {
			return err
		}
		defer e.Close()
		var refused *LauncherError
		if _, err = openTest(Options{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "before the exchange") {
			return fmt.Errorf("MPI after PMIx: %v", err)
		}
		os.Stdout.WriteString(fmt.Sprintf("rank %d of %d is well\n", e.Rank(), e.Size()))
		return nil
	}
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	e, err := open()
	if err != nil {
		return err
	}
	gather := func(word string) error {
		all, err := e.AllGather([]byte(word), 20*time.Second)
		for r := range all {
			if string(all[r]) != word {
				return fmt.Errorf("PE %d gave %q, not %q", r, all[r], word)
			}
		}
		return err
	}
	if err = gather("with MPI"); err != nil {
		return err
	}
	if order == "exchange closed first" {
		err = errors.Join(e.Close(), ep.Close())
	} else if err = ep.Close(); err == nil {
		err = errors.Join(gather("after MPI"), e.Close())
	}
	if err == nil {
		os.Stdout.WriteString(fmt.Sprintf("rank %d of %d is well\n", e.Rank(), e.Size()))
	}
	return err
}

func TestMPIBesideAnExchange(t *testing.T) {
	m := theMPI(t, launch.OpenMPI)
	for _, order := range []string{"exchange closed first", "MPI closed first", "exchange opened first"} {
		m.ok(t, 2, "exchange", order, "rank 0 of 2 is well", "rank 1 of 2 is well")
	}
}
