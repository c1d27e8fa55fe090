"""Jacobi3D in numba: seconds per iteration on stdout as `iteration_s`, and the interior's sum as `sum`.

    NUMBA_NUM_THREADS=2 python jacobi_numba.py X Y Z ITERATIONS WARMUP

gpubench's `--field charm`: faces 1, interior 0, (self + six neighbours) / 7. Rows are contiguous along x.
"""

import sys
import time

import numpy as np
from numba import njit, prange


@njit(parallel=True, fastmath=False, cache=False)
def step(a, b):
    nz, ny, nx = a.shape
    for z in prange(1, nz - 1):
        for y in range(1, ny - 1):
            for x in range(1, nx - 1):
                b[z, y, x] = (a[z, y, x] + a[z, y, x - 1] + a[z, y, x + 1] + a[z, y - 1, x] + a[z, y + 1, x]
                              + a[z - 1, y, x] + a[z + 1, y, x]) * (1.0 / 7.0)


def main():
    x, y, z, iterations, warmup = (int(v) for v in sys.argv[1:6])
    a = np.ones((z + 2, y + 2, x + 2))
    a[1:-1, 1:-1, 1:-1] = 0
    b = a.copy()
    for _ in range(max(warmup, 1)):  # the first one compiles
        step(a, b)
        a, b = b, a
    start = time.perf_counter()
    for _ in range(iterations):
        step(a, b)
        a, b = b, a
    t = (time.perf_counter() - start) / iterations
    print(f"sum {a[1:-1, 1:-1, 1:-1].sum():.17g}")
    print(f"iteration_s {t:.9e}", flush=True)


main()
