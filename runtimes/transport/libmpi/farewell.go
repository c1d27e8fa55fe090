// MPICH tells its launcher that a rank is through only when the process ends, in an atexit handler, and Go's exit runs
// none. Hydra then takes the first rank that ends for a dead one and kills the others on their way out.
package libmpi

import (
	"bytes"
	"strconv"
	"syscall"
	"time"

	"gpubench/internal/launch"
)

// farewellTime bounds the wait for the launcher's answer.
const farewellTime = 2 * time.Second

// farewell says it in the handler's place: the request "finalize" of PMI-1 (the process management interface that Hydra
// speaks; Balaji et al., EuroMPI 2010), on the descriptor that Hydra passed down. MPI_Finalize has been called. Where the
// launcher is another there is nothing to say.
func farewell(lib Library) {
	fd, err := strconv.Atoi(getenv("PMI_FD"))
	if lib.Kind != launch.MPICH || err != nil {
		return
	}
	limit := syscall.NsecToTimeval(farewellTime.Nanoseconds())
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		return // no socket: not what we take it for
	}
	if _, err := syscall.Write(fd, []byte("cmd=finalize\n")); err != nil {
		return
	}
	var answer []byte
	for !bytes.HasSuffix(answer, []byte("\n")) {
		var buf [256]byte
		n, err := syscall.Read(fd, buf[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		answer = append(answer, buf[:n]...)
	}
}
