#!/usr/bin/env python3
"""Builds Task Bench's own MPI program (mpi/nonblock) from its sources and finds its METG(50 %): prints `metg_s 1.08e-06`, and
before it a line `# iterations granularity_s efficiency` for each task size.

    scripts/peers/taskbench.py [--pattern stencil_1d] [--width 2] [--radix 5] [-n 2] [--steps 1000] [--repeat 3]

The definitions are those of gpubench's metg: compute-bound tasks, outputs of 16 bytes, the peak is the median rate of the
largest size on the same PEs, a size's figure the median of its launches, and METG is linear between the two sizes on either
side of 50 %. Sizes are powers of two. The sources are cloned at a pinned commit (--source: from another place) and compiled
with the mpicxx of GPUBENCH_MPICC_OPENMPI (scripts/setup.sh) into the build folder.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys

from compare import BUILD, setting

SOURCE = "https://github.com/StanfordLegion/task-bench"
COMMIT = "bf4ad1982d4b748bf3fd54e8239e798114e6ade8"
LARGEST = 1 << 14  # iterations of a task at the peak: some 50 µs, against an overhead of about one
CXX = ["-std=c++11", "-O3", "-mavx2", "-mfma"]  # as its Makefiles have it on a machine with AVX2


# What mpirun says of itself now and then, before it has started anything.
AGAIN = "The PMIx server's listener thread failed to start"


def run(*command, cwd=None):
    for _ in range(3):
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode == 0 or AGAIN not in done.stdout:
            break
    if done.returncode != 0:
        sys.exit(f"taskbench: {' '.join(command)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def built(source):
    """The program, built unless it has been."""
    folder = os.path.join(BUILD, "peers", "task-bench")
    program = os.path.join(folder, "nonblock-" + COMMIT[:7])
    if os.access(program, os.X_OK):
        return program
    mpicxx = os.path.join(os.path.dirname(setting("GPUBENCH_MPICC_OPENMPI")), "mpicxx")
    if not os.access(mpicxx, os.X_OK):
        sys.exit("taskbench: no mpicxx beside GPUBENCH_MPICC_OPENMPI: run scripts/setup.sh")
    tree = os.path.join(folder, "sources")
    if not os.path.isdir(tree):
        run("git", "clone", "--quiet", "--no-checkout", source, tree)
    run("git", "-C", tree, "checkout", "--quiet", COMMIT)
    core = os.path.join(tree, "core")
    objects = []
    for name in ("core.cc", "core_kernel.cc", "core_random.c", "siphash.c"):
        compiler = ["c++", *CXX] if name.endswith(".cc") else ["cc", "-std=c11", "-O3"]
        objects.append(os.path.join(folder, name + ".o"))
        run(*compiler, "-c", name, "-o", objects[-1], cwd=core)
    run(mpicxx, *CXX, "-I" + core, "-o", program, os.path.join(tree, "mpi", "nonblock.cc"), *objects)
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pattern", default="stencil_1d")
    parser.add_argument("--width", type=int, default=2)
    parser.add_argument("--radix", type=int, default=5)
    parser.add_argument("-n", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--first", type=int, default=128, help="task size to begin at")
    parser.add_argument("--source", default=SOURCE)
    o = parser.parse_args()
    program = built(o.source)
    launcher = [setting("GPUBENCH_MPIRUN_OPENMPI"), "-n", str(o.n), "--bind-to", "none"]
    graph = ["-type", o.pattern, "-width", str(o.width), "-radix", str(o.radix), "-steps", str(o.steps), "-output", "16"]
    known = {}  # iterations: granularity in seconds, work per second

    def measure(iterations):
        if iterations not in known:
            seconds = []
            for _ in range(o.repeat):
                text = run(*launcher, program, "-kernel", "compute_bound", "-iter", str(iterations), *graph)
                seconds.append(float(re.search(r"^Elapsed Time (\S+) seconds", text, re.M).group(1)))
            tasks = int(re.search(r"^Total Tasks (\d+)", text, re.M).group(1))
            elapsed = statistics.median(seconds)
            known[iterations] = elapsed * o.n / tasks, tasks * iterations / elapsed
        return known[iterations]

    _, peak = measure(LARGEST)

    def efficiency(iterations):
        return measure(iterations)[1] / peak

    high = o.first
    while efficiency(high) < 0.5:
        high *= 2
    while high > 1 and efficiency(high // 2) >= 0.5:
        high //= 2
    low = high // 2
    (g0, _), (g1, _) = measure(low), measure(high)
    e0, e1 = efficiency(low), efficiency(high)
    for iterations in sorted(known):
        print(f"# {iterations} {known[iterations][0]:.4e} {efficiency(iterations):.3f}")
    print(f"metg_s {g0 + (0.5 - e0) / (e1 - e0) * (g1 - g0):.6e}")


if __name__ == "__main__":
    main()
