"""Ping-pong in mpi4py over comm.Send and comm.Recv (buffers, not pickles): a peer of gpubench's mpi model.

    mpirun -n 2 --bind-to none python scripts/peers/pingpong_mpi4py.py -s 8 -i 100000 --huge

Options and output as pingpong_mpi.c: one line of JSON, latency_s is the median batch's half round trip in seconds.
"""

import argparse
import json
import mmap
import statistics
import sys
from time import perf_counter_ns

from mpi4py import MPI

HUGE_PAGE = 2 << 20


def buffer(n, huge, value):
    """n written bytes of anonymous memory, page aligned (2 MiB aligned with huge), as gpubench's buffers lie."""
    page = HUGE_PAGE if huge else mmap.PAGESIZE
    n_mapped = max(page, -(-n // page) * page)
    m = mmap.mmap(-1, n_mapped + page, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if huge:
        m.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(m)
    start = -MPI.Get_address(view) % page
    view = view[start : start + n_mapped]
    view[:] = bytes([value]) * n_mapped
    return view[:n]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-s", type=int, default=8, help="message size in bytes")
    p.add_argument("-i", type=int, default=10000, help="timed round trips")
    p.add_argument("-x", type=int, default=-1, help="warm-up round trips; default a tenth of -i, at least 10")
    p.add_argument("-b", type=int, default=20, help="batches")
    p.add_argument("--huge", "-huge", action="store_true", help="huge pages")
    a = p.parse_args()
    comm = MPI.COMM_WORLD
    rank = comm.Get_rank()
    if comm.Get_size() != 2:
        sys.exit("pingpong_mpi4py: want 2 ranks, not %d" % comm.Get_size())
    peer = 1 - rank
    sbuf, rbuf = buffer(a.s, a.huge, rank + 1), buffer(a.s, a.huge, 0xFF)
    warmup = a.x if a.x >= 0 else max(10, a.i // 10)
    batches = min(a.b, a.i)
    each = a.i // batches
    send, recv = comm.Send, comm.Recv
    s, r = [sbuf, MPI.BYTE], [rbuf, MPI.BYTE]
    samples = []
    for b in range(-1, batches):
        n = warmup if b < 0 else each
        comm.Barrier()
        start = perf_counter_ns()
        if rank == 0:
            for _ in range(n):
                send(s, peer, 1)
                recv(r, peer, 1)
        else:
            for _ in range(n):
                recv(r, peer, 1)
                send(s, peer, 1)
        if b >= 0:
            samples.append((perf_counter_ns() - start) / 1e9 / n / 2)
    if bytes(rbuf) != bytes([peer + 1]) * a.s:
        sys.stderr.write("pingpong_mpi4py: rank %d received wrong bytes\n" % rank)
        comm.Abort(1)
    if rank == 0:
        print(
            json.dumps(
                {
                    "program": "pingpong_mpi4py.py",
                    "size_bytes": a.s,
                    "pages": "huge" if a.huge else "default",
                    "iterations": each * batches,
                    "latency_s": statistics.median(samples),
                    "min_s": min(samples),
                }
            )
        )


main()
