// The tests start themselves again as PEs: TestMain plays one where childEnv names one of the PEs' parts.
package libucx

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpubench/internal/leap"
	"gpubench/runtimes/transport/internal/hosts"
	"gpubench/runtimes/transport/transporttest"
)

const (
	childEnv = "GPUBENCH_LIBUCX_TEST_PART" // which part a started process plays
	shimEnv  = "GPUBENCH_LIBUCX_TEST_SHIM" // the shim that it opens
	argEnv   = "GPUBENCH_LIBUCX_TEST_ARG"  // what else it is told
	rankEnv  = "GPUBENCH_LIBUCX_TEST_RANK" // RANK/SIZE
	dirEnv   = "GPUBENCH_LIBUCX_TEST_DIR"  // where the PEs exchange files
)

// parts is what PEs can play.
var parts = map[string]func(arg string) error{}

func TestMain(m *testing.M) {
	transporttest.Main(m, parts, childEnv, argEnv, func() {
		if found.dir != "" {
			os.RemoveAll(found.dir)
		}
	})
}

// files is an Exchange through a folder.
type files struct {
	dir        string
	rank, size int
	round      int
}

func newFiles() *files {
	x := &files{dir: os.Getenv(dirEnv)}
	if _, err := fmt.Sscanf(os.Getenv(rankEnv), "%d/%d", &x.rank, &x.size); err != nil {
		panic(err)
	}
	return x
}

func (x *files) Rank() int { return x.rank }
func (x *files) Size() int { return x.size }

func (x *files) AllGather(data []byte, timeout time.Duration) ([][]byte, error) {
	name := func(rank int) string { return filepath.Join(x.dir, strconv.Itoa(x.round)+"."+strconv.Itoa(rank)) }
	if err := os.WriteFile(name(x.rank)+".new", data, 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(name(x.rank)+".new", name(x.rank)); err != nil {
		return nil, err
	}
	all := make([][]byte, x.size)
	for began, i := time.Now(), 0; i < x.size; {
		b, err := os.ReadFile(name(i))
		switch {
		case err == nil:
			all[i] = b
			i++
		case time.Since(began) > timeout:
			return nil, fmt.Errorf("PE %d did not come in %v", i, timeout)
		default:
			time.Sleep(time.Millisecond)
		}
	}
	x.round++
	return all, nil
}

// apart is an Exchange whose PEs each say that they are on a node of their own.
type apart struct{ *files }

func (x apart) AllGather(data []byte, timeout time.Duration) ([][]byte, error) {
	if x.round == 0 {
		p, err := hosts.Read(data)
		if err != nil {
			return nil, err
		}
		copy(p.Node[:], fmt.Sprint("node ", x.rank))
		data = p.Bytes()
	}
	return x.files.AllGather(data, timeout)
}

// openTest opens the shim that the test named; with every call through cgo where "cgo" is in arg, and as on different
// nodes where "apart" is.
func openTest(o Options, arg string) (*Driver, error) {
	if strings.Contains(arg, "apart") {
		return OpenWith(os.Getenv(shimEnv), apart{newFiles()}, o)
	}
	if strings.Contains(arg, "cgo") {
		os.Setenv(leap.EnvShortCalls, "0")
	}
	d, err := OpenWith(os.Getenv(shimEnv), newFiles(), o)
	if err == nil && d.ShortCalls() != (leap.Available && !d.Oversubscribed() && !strings.Contains(arg, "cgo")) {
		err = fmt.Errorf("%q, short calls: %v", arg, d.ShortCalls())
	}
	return d, err
}
