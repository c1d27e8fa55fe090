#!/usr/bin/env python3
"""Runs UCX's own ucx_perftest, both sides on this host, and prints `latency_s` (one way) or `bandwidth_Bps` on a line.

    scripts/peers/ucx_perftest.py -t tag_lat -s 8 -i 100000 [-x 1000] [--window 64] [--huge]

The tests that fit gpubench's: tag_lat, tag_bw, ucp_am_lat, ucp_am_bw. The program is the one beside the UCX of
GPUBENCH_UCX (scripts/setup.sh), else PATH's. The two sides find each other by TCP on loopback.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time

from compare import setting


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-t", default="tag_lat")
    parser.add_argument("-s", type=int, default=8)
    parser.add_argument("-i", type=int, default=100000)
    parser.add_argument("-x", type=int, default=1000)
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--huge", action="store_true")
    o = parser.parse_args()
    prefix = setting("GPUBENCH_UCX")
    program = os.path.join(prefix, "bin", "ucx_perftest") if prefix else ""
    if not os.access(program, os.X_OK):
        program = shutil.which("ucx_perftest") or sys.exit("ucx_perftest: there is none beside the UCX of GPUBENCH_UCX, nor on PATH")
    env = dict(os.environ)
    if prefix:
        env["LD_LIBRARY_PATH"] = ":".join([os.path.join(prefix, "lib"), *filter(None, [env.get("LD_LIBRARY_PATH")])])
    if o.huge:
        env["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
    port = str(free_port())
    arguments = ["-p", port, "-t", o.t, "-s", str(o.s), "-n", str(o.i), "-w", str(o.x)]
    if o.t.startswith("ucp_am"):
        arguments.append("-y")  # payloads are copied out, as ours are
    if o.window:
        arguments += ["-O", str(o.window)]
    server = subprocess.Popen([program, *arguments], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(50):
            client = subprocess.run([program, "127.0.0.1", *arguments, "-f", "-v"], env=env, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, timeout=100)
            if client.returncode == 0 or server.poll() is not None:
                break
            time.sleep(0.1)  # the server does not listen yet
        if client.returncode != 0:
            sys.exit(f"ucx_perftest ended with {client.returncode}\n{client.stdout}{client.stderr}")
        server.wait(timeout=20)
    finally:
        if server.poll() is None:
            server.kill()
    # -f -v: one line of commas: iterations, typical latency, average, overall (µs), bandwidth average, overall (MB/s), rates.
    fields = client.stdout.strip().splitlines()[-1].split(",")
    print("latency_s %.6e" % (float(fields[3]) * 1e-6))
    print("bandwidth_Bps %.6e" % (float(fields[5]) * 1024 * 1024))


if __name__ == "__main__":
    main()
