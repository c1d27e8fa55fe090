#!/usr/bin/env python3
"""What balancing should gain in PIC with the geometric distribution, from the particles' known paths alone: the time of a
step goes by the PE with the most particles, so the largest over the mean, averaged over the steps, is the time over that
of even loads. Balanced, chares are placed anew (heaviest first, each to the PE with the least) by the particles that they
had since the last sync point. What moving them costs is left out; it prints how many particles move.

    scripts/peers/pic_balance.py [--cells 998] [--rho 0.99] [--strips 16] [--pes 2] [--steps 100] [--warmup 20] [--every 5,10,20,50]

The command that it predicts: gpubench run pic --model charm --blocks STRIPS,1 --balance none,greedy -i STEPS -x WARMUP
"""

import argparse


def strips(o, step):
    """The share of all particles in each strip of columns after so many steps, of a column each."""
    columns = [o.rho**x for x in range(o.cells)]
    loads = [0.0] * o.strips
    for x, n in enumerate(columns):
        loads[(((x + step) % o.cells + 1) * o.strips - 1) // o.cells] += n
    return [n / sum(columns) for n in loads]


def greedy(loads, pes):
    places, load, count = [0] * len(loads), [0.0] * pes, [0] * pes
    for i in sorted(range(len(loads)), key=lambda i: -loads[i]):
        places[i] = min(range(pes), key=lambda p: (load[p], count[p]))
        load[places[i]] += loads[i]
        count[places[i]] += 1
    return places


def imbalance(o, loads, every):
    """Largest over mean, averaged over the timed steps, and the share of the particles that moves in them."""
    places = [i * o.pes // o.strips for i in range(o.strips)]
    since, total, moved = [0.0] * o.strips, 0.0, 0.0
    for step, now in enumerate(loads):
        load = [0.0] * o.pes
        for i, n in enumerate(now):
            load[places[i]] += n
            since[i] += n
        if step >= o.warmup:
            total += max(load) * o.pes
        if every and (step + 1) % every == 0:
            new = greedy(since, o.pes)
            if step >= o.warmup:
                moved += sum(n for i, n in enumerate(now) if new[i] != places[i])
            places, since = new, [0.0] * o.strips
    return total / o.steps, moved


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("cells", 998), ("strips", 16), ("pes", 2), ("steps", 100), ("warmup", 20)):
        parser.add_argument("--" + name, type=int, default=default)
    parser.add_argument("--rho", type=float, default=0.99)
    parser.add_argument("--every", default="5,10,20,50")
    o = parser.parse_args()
    loads = [strips(o, step) for step in range(o.warmup + o.steps)]
    alone, _ = imbalance(o, loads, 0)
    print("| balancing | largest over mean load | gain | moved, in times all particles |\n| --- | --- | --- | --- |")
    print(f"| none | {alone:.3f} | 1 | 0 |")
    for every in (int(e) for e in o.every.split(",")):
        even, moved = imbalance(o, loads, every)
        print(f"| greedy, every {every} | {even:.3f} | {alone / even:.3f} | {moved:.2f} |")


if __name__ == "__main__":
    main()
