"""Jacobi3D in Charm4Py with numba: one block per PE along z, faces over channels; seconds per iteration on stdout as
`iteration_s`, and the interior's sum as `sum`.

    python -m charmrun.start +p2 ++local jacobi_charm4py.py X Y Z ITERATIONS WARMUP

gpubench's `--field charm`: faces 1, interior 0, (self + six neighbours) / 7. Rows are contiguous along x. The wheel's
machine layer is netlrts: UDP over loopback sockets.
"""

import time

import numpy as np
from charm4py import Array, Channel, Chare, Future, Reducer, charm, coro
from numba import njit


@njit(fastmath=False)
def step(a, b, z0, z1):
    ny, nx = a.shape[1], a.shape[2]
    for z in range(z0, z1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                b[z, y, x] = (a[z, y, x] + a[z, y, x - 1] + a[z, y, x + 1] + a[z, y - 1, x] + a[z, y + 1, x]
                              + a[z - 1, y, x] + a[z + 1, y, x]) * (1.0 / 7.0)


class Block(Chare):
    @coro
    def run(self, x, y, z, iterations, warmup, done, total):
        me, n = self.thisIndex[0], charm.numPes()
        mine = (me + 1) * z // n - me * z // n
        a = np.ones((mine + 2, y + 2, x + 2))
        a[1:-1, 1:-1, 1:-1] = 0
        b = a.copy()
        step(a, b, 1, 2)  # compiles
        b[1:-1] = a[1:-1]
        low = Channel(self, remote=self.thisProxy[me - 1]) if me > 0 else None
        high = Channel(self, remote=self.thisProxy[me + 1]) if me < n - 1 else None
        start = time.perf_counter()
        for i in range(warmup + iterations):
            if i == warmup:
                self.allreduce().get()  # a barrier
                start = time.perf_counter()
            if low:
                low.send(a[1])
            if high:
                high.send(a[mine])
            step(a, b, 2, mine)  # what needs no face of another block
            if low:
                a[0] = low.recv()
            if high:
                a[mine + 1] = high.recv()
            step(a, b, 1, 2)
            if mine > 1:
                step(a, b, mine, mine + 1)
            a, b = b, a
        t = (time.perf_counter() - start) / iterations
        self.reduce(done, t, Reducer.max)
        self.reduce(total, float(a[1:-1, 1:-1, 1:-1].sum()), Reducer.sum)


def main(args):
    x, y, z, iterations, warmup = (int(v) for v in args[1:6])
    done, total = Future(), Future()
    blocks = Array(Block, charm.numPes())
    blocks.run(x, y, z, iterations, warmup, done, total)
    t, s = done.get(), total.get()
    print(f"sum {s:.17g}")
    print(f"iteration_s {t:.9e}", flush=True)
    charm.exit()


charm.start(main)
