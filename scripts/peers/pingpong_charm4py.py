"""Ping-pong of two chares over a Charm4Py channel: half the round trip in seconds, on stdout as `latency_s`.

    python -m charmrun.start +p2 ++local pingpong_charm4py.py BYTES ITERATIONS WARMUP

The wheel's machine layer is netlrts: UDP over loopback sockets. Buffers are written before they are sent; each batch is
one round of ITERATIONS; the figure is the median of 10 batches.
"""

import sys
import time

import numpy as np
from charm4py import Array, Channel, Chare, Future, charm, coro

BATCHES = 10


class Player(Chare):
    def __init__(self):
        self.me = self.thisIndex[0]

    @coro
    def play(self, size, iterations, warmup, done):
        channel = Channel(self, remote=self.thisProxy[1 - self.me])
        data = np.full(size, self.me + 1, dtype=np.uint8)
        times = []
        for batch in range(BATCHES + 1):
            n = warmup if batch == 0 else iterations
            start = time.perf_counter()
            for _ in range(n):
                if self.me == 0:
                    channel.send(data)
                    got = channel.recv()
                else:
                    got = channel.recv()
                    channel.send(data)
            if batch:
                times.append((time.perf_counter() - start) / n / 2)
        expected = 2 - self.me
        if len(got) != size or not (got == expected).all():
            raise SystemExit(f"wrong bytes on chare {self.me}")
        if self.me == 0:
            done(times)


def main(args):
    size, iterations, warmup = (int(x) for x in args[1:4])
    players = Array(Player, 2)
    done = Future()
    players.play(size, iterations, warmup, done)
    times = sorted(done.get())
    print(f"latency_s {times[len(times) // 2]:.9e}", flush=True)
    charm.exit()


charm.start(main)
