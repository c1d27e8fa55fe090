#!/usr/bin/env python3
"""Holds gpubench against its peers by MEASURING.md's rule for ratios: fresh launches of every program, interleaved in an
order drawn anew for each round, at least ten of each; per program the median over launches and, against the reference, the
median of the rounds' ratios with a 95 % interval (bootstrap over rounds), so that what changes from round to round on the
machine falls out. The reference is run twice under two names: its ratio
to itself shows what the machine's noise makes of a ratio. Writes Markdown, with the commands, to stdout.

    scripts/peers/compare.py jacobi3d [--grid 192,192,192] [--threads 2] [--launches 10] [--pages default|huge] [--peers]
    scripts/peers/compare.py pingpong [--size 8,1024,65536,1048576,16777216] [--launches 10] [--pages default|huge]
    scripts/peers/compare.py ucx [--size 8,1024,65536,1048576] [--launches 10]
    scripts/peers/compare.py pic --prk FOLDER [--particles 100000] [--launches 10]   (FOLDER: a clone of github.com/ParRes/Kernels)
    scripts/peers/compare.py metg [--pattern stencil_1d,no_comm,nearest] [--launches 10] [--source FOLDER]
    scripts/peers/compare.py commands --program 'C=mpirun -n 2 ./pp -s 8' --program 'Go=./other' [--key latency_s]

The last takes any commands that print `latency_s 1.2e-07` on a line, or a line of JSON that has it (--key a.b.c names
another place); the first is the reference. --raw FILE appends one line of JSON for every launch.

--peers adds the Python systems that scripts/peers/setup.sh installs. Needs scripts/build.sh run before; a busy machine
spoils it.
"""

import argparse
import json
import os
import random
import shlex
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.path.join(ROOT, "scripts", "peers")
BUILD = os.environ.get("GPUBENCH_BUILD", os.path.join(ROOT, "build"))
TOOLCHAIN = os.environ.get("GPUBENCH_TOOLCHAIN", os.path.join(ROOT, ".toolchain"))


def setting(name):
    """A variable of the environment, else of the toolchain's env.sh."""
    if os.environ.get(name):
        return os.environ[name]
    with open(os.path.join(TOOLCHAIN, "env.sh")) as f:
        for line in f:
            words = shlex.split(line)
            if words and words[-1].startswith(name + "="):
                return words[-1].split("=", 1)[1]
    return ""


class Program:
    """One thing that is launched: its command, more environment, and how to find the seconds in what it prints."""

    def __init__(self, name, command, seconds, env=None):
        self.name, self.command, self.seconds, self.env = name, command, seconds, env or {}

    def launch(self, again=3):
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl="^ofi", **self.env)
        done = subprocess.run(self.command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        if done.returncode != 0:
            sys.exit(f"compare: {self.shown()} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        value = self.seconds(done.stdout)
        if value is None and again > 0 and '"status":"skipped"' in done.stdout:  # a METG that a disturbed machine has not
            print(f"compare: {self.shown()} was skipped: once more", file=sys.stderr)
            return self.launch(again - 1)
        if value is None:
            sys.exit(f"compare: no time in what {self.shown()} printed:\n{done.stdout}{done.stderr}")
        return value

    def shown(self):
        words = [f"{k}={v}" for k, v in self.env.items()] + [os.path.relpath(c, ROOT) if c.startswith(ROOT) else c for c in self.command]
        return " ".join(shlex.quote(w) for w in words)


def key(name):
    """Finds `name value` on a line of its own, or "name": value in a line of JSON."""

    def find(text):
        for line in text.splitlines():
            if line.startswith("{"):
                record = json.loads(line)
                if name in record:
                    return float(record[name])
            elif line.split(" ")[0] == name:
                return float(line.split()[1])
        return None

    return find


def place(path):
    """Finds the number at a.b.c in the last line of JSON that has it, else as key does."""

    def find(text):
        for line in reversed([l for l in text.splitlines() if l.startswith("{")]):
            value = json.loads(line)
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            if value is not None:
                return float(value)
        return key(path)(text)

    return find


def metric(name, statistic):
    """Finds a metric of the one ok record in gpubench's JSON lines."""

    def find(text):
        for line in text.splitlines():
            record = json.loads(line) if line.startswith("{") else {}
            if record.get("status") == "ok" and name in record.get("metrics", {}):
                return float(record["metrics"][name][statistic])
        return None

    return find


def compiled(compiler, source, *flags):
    """Compiles one of our C programs into the build folder; the command is shown with the result."""
    out = os.path.join(BUILD, "peers", os.path.splitext(source)[0])
    os.makedirs(os.path.dirname(out), exist_ok=True)
    command = [compiler, *flags, "-o", out, os.path.join(PEERS, source)]
    subprocess.run(command, check=True)
    return out


def peers_python():
    return subprocess.run([os.path.join(PEERS, "setup.sh")], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


def gpubench(*arguments):
    return [os.path.join(BUILD, "gpubench"), "run", *arguments, "--format", "jsonl"]


def jacobi3d(o):
    """gpubench first: its ratio to each of the others is how many times as fast it is."""
    sizes, counts = o.grid.split(","), [str(o.iterations), str(o.warmup)]
    huge = ["-huge"] if o.pages == "huge" else []
    common = ["jacobi3d", "--transport", "inproc", "--device", "cpu", "--path", "host", "--field", "charm", "--grid", o.grid,
              "--pages", o.pages, "-i", counts[0], "-x", counts[1]]
    threads = {"OMP_NUM_THREADS": str(o.threads)}
    c = compiled("cc", "jacobi_omp.c", "-O3", "-march=native", "-fopenmp")
    programs = [Program("gpubench, 1 PE", gpubench(*common, "--model", "mpi", "-n", "1"), metric("iteration_time", "mean"))]
    for model in ("mpi", "charm"):
        programs.append(Program(f"gpubench, {model}, {o.threads} PEs", gpubench(*common, "--model", model, "-n", str(o.threads)),
                                metric("iteration_time", "mean")))
    for again in ("", " (again)"):
        programs.append(Program("C + OpenMP" + again, [c, *sizes, *counts, *huge], key("iteration_s"), threads))
    if o.peers:
        python = peers_python()
        programs.append(Program("numba", [python, os.path.join(PEERS, "jacobi_numba.py"), *sizes, *counts], key("iteration_s"),
                                {"NUMBA_NUM_THREADS": str(o.threads)}))
        programs.append(Program("Charm4Py with numba", [python, "-m", "charmrun.start", f"+p{o.threads}", "++local",
                                                        os.path.join(PEERS, "jacobi_charm4py.py"), *sizes, *counts], key("iteration_s")))
    compare(f"Jacobi3D, {o.grid} cells, {o.threads} threads, pages {o.pages}", programs, o, "C + OpenMP", "ms", 1e3)


def pingpong(o):
    mpirun, mpicc = setting("GPUBENCH_MPIRUN_OPENMPI"), setting("GPUBENCH_MPICC_OPENMPI")
    c = compiled(mpicc, "pingpong_mpi.c", "-O2")
    for size in (int(s) for s in o.size.split(",")):
        count = str(max(1000, min(200000, int(4e9 / (size + 20000)))))
        common = ["pingpong", "--model", "mpi", "--transport", "mpi", "--path", "host", "--pages", o.pages, "-m", str(size),
                  "-i", count]
        launch = [mpirun, "-n", "2", "--bind-to", "none"]
        arguments = ["-s", str(size), "-i", count]
        programs = [Program("gpubench, mpi model", gpubench(*common), metric("latency", "median")),
                    Program("gpubench, native loop", gpubench(*common, "--loop", "native"), metric("latency", "median"))]
        for again in ("", " (again)"):
            programs.append(Program("C" + again, [*launch, c, *arguments, *(["-huge"] if o.pages == "huge" else [])], key("latency_s")))
        if o.peers:
            programs.append(Program("mpi4py", [*launch, peers_python(), os.path.join(PEERS, "pingpong_mpi4py.py"), *arguments,
                                               *(["--huge"] if o.pages == "huge" else [])], key("latency_s")))
        compare(f"Ping-pong over Open MPI, {size} B, pages {o.pages}", programs, o, "C", "µs", 1e6)


def ucx(o):
    """Against ucx_perftest, for tagged and for active messages. Pages of the default size on both sides, no binding."""
    if o.pages != "default":
        sys.exit("compare: ucx_perftest's buffers have pages of the default size")
    perftest = os.path.join(PEERS, "ucx_perftest.py")
    for size in (int(s) for s in o.size.split(",")):
        count = str(max(1000, min(200000, int(4e9 / (size + 20000)))))
        common = ["pingpong", "--transport", "ucx", "--path", "host", "-m", str(size), "-i", count]
        rows = {
            "tag_lat": [("gpubench, native loop", ["--loop", "native"]), ("gpubench, mpi model", ["--model", "mpi"]),
                        ("gpubench, charm model", ["--model", "charm"])],
            "ucp_am_lat": [("gpubench, native-am loop", ["--loop", "native-am"]), ("gpubench, charm model", ["--model", "charm"])],
        }
        for test, ours in rows.items():
            programs = [Program(name, gpubench(*common, *flags), metric("latency", "median")) for name, flags in ours]
            for again in ("", " (again)"):
                programs.append(Program(f"ucx_perftest {test}{again}", [perftest, "-t", test, "-s", str(size), "-i", count], key("latency_s")))
            compare(f"Ping-pong over UCX, {size} B, {test}", programs, o, f"ucx_perftest {test}", "µs", 1e6)


def prk_step(text):
    """Seconds a step of PIC-static: particles placed over its rate."""
    found = {}
    for line in text.splitlines():
        for name in ("Number of particles placed", "Rate (Mparticles_moved/s)"):
            if line.startswith(name):
                found[name] = float(line.replace("=", ":").split(":")[1])
    if "Solution validates" not in text or len(found) != 2:
        return None
    return found["Number of particles placed"] / (1e6 * found["Rate (Mparticles_moved/s)"])


def pic(o):
    """Against MPI1/PIC-static of the Parallel Research Kernels: 998 x 998 cells, 100 steps after 1, geometric 0.99, k 0, m 1."""
    if not o.prk:
        sys.exit("compare: pic wants --prk FOLDER, a clone of github.com/ParRes/Kernels")
    out = os.path.join(BUILD, "peers", "prk_pic")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    sources = [os.path.join(o.prk, f) for f in ("MPI1/PIC-static/pic.c", "common/MPI_bail_out.c", "common/random_draw.c", "common/wtime.c")]
    subprocess.run([setting("GPUBENCH_MPICC_OPENMPI"), "-O3", "-march=native", "-std=c99", "-DRESTRICT_KEYWORD=0", "-DVERBOSE=0", "-w",
                    "-I" + os.path.join(o.prk, "include"), *sources, "-o", out, "-lm"], check=True)
    theirs = [setting("GPUBENCH_MPIRUN_OPENMPI"), "-n", "2", "--bind-to", "none", out, "100", "998", str(o.particles), "0", "1", "GEOMETRIC", "0.99"]
    common = ["pic", "--device", "cpu", "--path", "host", "--particles", str(o.particles), "-i", "100", "-x", "1"]
    programs = [Program(f"gpubench, {model} model over {transport}", gpubench(*common, "--model", model, "--transport", transport),
                        metric("iteration_time", "mean")) for model, transport in (("mpi", "mpi"), ("charm", "mpi"), ("mpi", "inproc"))]
    for again in ("", " (again)"):
        programs.append(Program("PRK MPI1 PIC-static" + again, theirs, prk_step))
    compare(f"PIC, {o.particles} particles, 2 PEs, a step", programs, o, "PRK MPI1 PIC-static", "ms", 1e3)


def metg(o):
    """Against Task Bench's own MPI program, on 2 PEs, a task each. Only the rank model over MPI is the same thing."""
    task_bench = os.path.join(PEERS, "taskbench.py")
    source = ["--source", o.source] if o.source else []
    for pattern in o.pattern.split(","):
        common = ["metg", "--path", "host", "--pattern", pattern, "-n", "2", "--width", "2", "--steps", "1000"]
        if pattern == "nearest":
            common += ["--radix", "5"]
        programs = [Program(f"gpubench, {model} model, {transport}", gpubench(*common, "--model", model, "--transport", transport),
                            metric("metg", "median")) for transport in o.transport.split(",") for model in ("mpi", "charm")]
        for again in ("", " (again)"):
            programs.append(Program("Task Bench, nonblock" + again, [task_bench, "--pattern", pattern, *source], key("metg_s")))
        compare(f"METG(50 %), {pattern}, 2 PEs", programs, o, "Task Bench, nonblock", "µs", 1e6)


def commands(o):
    programs = []
    for text in o.program:
        name, _, command = text.partition("=")
        programs.append(Program(name, shlex.split(command), place(o.key)))
    again = Program(programs[0].name + " (again)", programs[0].command, programs[0].seconds)
    compare(o.title, [programs[0], again, *programs[1:]], o, programs[0].name, "µs", 1e6)


def ratio(a, b, rng):
    """The median over rounds of a / b within the round, and its 95 % bootstrap interval."""
    ratios = [x / y for x, y in zip(a, b)]
    again = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(4000))
    return statistics.median(ratios), again[int(0.025 * len(again))], again[int(0.975 * len(again))]


def compare(title, programs, o, reference, unit, scale):
    rng = random.Random(o.seed)
    times = {p.name: [] for p in programs}
    for n in range(o.launches):
        for p in rng.sample(programs, len(programs)):
            times[p.name].append(p.launch())
            if o.raw:
                with open(o.raw, "a") as f:
                    f.write(json.dumps({"comparison": title, "round": n, "program": p.name, "seconds": times[p.name][-1],
                                        "command": p.shown()}) + "\n")
        print(f"{title}: round {n + 1} of {o.launches}", file=sys.stderr)
    ref = times[reference]
    print(f"### {title}\n")
    print(f"{o.launches} fresh launches of each, interleaved (seed {o.seed}). Below 1 is faster than {reference}.\n")
    print(f"| program | median ({unit}) | least to most | time over {reference} | 95 % interval |\n| --- | --- | --- | --- | --- |")
    for p in programs:
        t = times[p.name]
        middle, low, high = ratio(t, ref, rng)
        print(f"| {p.name} | {scale * statistics.median(t):.4g} | {scale * min(t):.4g} to {scale * max(t):.4g} | "
              + ("1 | |" if p.name == reference else f"{middle:.3f} | {low:.3f} to {high:.3f} |"))
    print("\n```\n" + "\n".join(dict.fromkeys(p.shown() for p in programs)) + "\n```\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["jacobi3d", "pingpong", "ucx", "pic", "metg", "commands"])
    parser.add_argument("--program", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--key", default="latency_s")
    parser.add_argument("--title", default="Commands")
    parser.add_argument("--raw", metavar="FILE")
    parser.add_argument("--prk", metavar="FOLDER")
    parser.add_argument("--particles", type=int, default=100000)
    parser.add_argument("--grid", default="192,192,192")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--size", default="8,1024,65536,1048576,16777216", help="bytes of a message")
    parser.add_argument("--launches", type=int, default=10)
    parser.add_argument("--pages", choices=["default", "huge"], default="default")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pattern", default="stencil_1d,no_comm,nearest")
    parser.add_argument("--transport", default="mpi", help="of metg: a list")
    parser.add_argument("--source", default="", help="of metg: where to clone Task Bench from")
    o = parser.parse_args()
    if o.launches < 2:
        parser.error("--launches is at least 2 (10 for a result)")
    if o.what == "commands" and len(o.program) < 2:
        parser.error("commands wants --program NAME=COMMAND at least twice")
    {"jacobi3d": jacobi3d, "pingpong": pingpong, "ucx": ucx, "pic": pic, "metg": metg, "commands": commands}[o.what](o)


if __name__ == "__main__":
    main()
