#!/usr/bin/env python3
"""Runs every program of this folder on the core and on the BEAM, and compares what each process has received.

    compare.py BEAM_RUN FOLDER [--seeds N] [--repeats N] [--plant]

What a receiver got from one sender must be the same, in the same order; from several senders, in any. So every run of a
program, on either side, must give the same rows. With --plant the core plays programs in which nobody traps exits, to see
the differences found. Exit status: 0 equal, 1 not, 2 it could not be tried.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

SECONDS_MAX = 250


def runs_of(command):
    """[(program, {(receiver, sender): [what, ...]})] of a runner's output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:2])} ended with status {done.returncode}")
    runs = []
    for line in done.stdout.splitlines():
        if line.startswith("run "):
            runs.append((line[4:], {}))
        elif line.count("\t") == 2:
            receiver, sender, what = line.split("\t")
            runs[-1][1].setdefault((receiver, sender), []).append(what)
    return runs


def variants(runs):
    """{program: {rows as text: how many runs gave them}}"""
    found = {}
    for program, rows in runs:
        text = "\n".join(f"  {receiver} < {sender}: {', '.join(whats)}" for (receiver, sender), whats in sorted(rows.items()))
        counts = found.setdefault(program, {})
        counts[text] = counts.get(text, 0) + 1
    return found


def without_traps(programs, folder):
    """Copies of the programs in which nobody traps exits."""
    copies = []
    for path in programs:
        copies.append(os.path.join(folder, os.path.basename(path)))
        with open(path, encoding="utf-8") as file, open(copies[-1], "w", encoding="utf-8") as copy:
            copy.writelines(line for line in file if line.strip() != "trap")
    return copies


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("beam_run")
    parser.add_argument("folder")
    parser.add_argument("--seeds", default="200")
    parser.add_argument("--repeats", default="3")
    parser.add_argument("--plant", action="store_true")
    options = parser.parse_args()
    escript = shutil.which("escript")
    if escript is None:
        print("escript is missing: tools/setup.sh test installs it (Debian: erlang-base)", file=sys.stderr)
        return 2
    folder = os.path.join(options.folder, "programs")
    programs = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    with tempfile.TemporaryDirectory() as temporary:
        played = without_traps(programs, temporary) if options.plant else programs
        ours = variants(runs_of([options.beam_run, options.seeds] + played))
    theirs = variants(runs_of([escript, os.path.join(options.folder, "run.escript"), options.repeats] + programs))
    failed = 0
    for program in map(os.path.basename, programs):
        if len(theirs[program]) == 1 and ours[program].keys() == theirs[program].keys() and list(theirs[program]) != [""]:
            continue
        failed += 1
        print(f"{program}: not the same")
        for side, found in (("mote", ours[program]), ("BEAM", theirs[program])):
            for text, count in found.items():
                print(f" {side}, {count} runs:\n{text}")
    print(f"{len(programs)} programs, {failed} differ")
    return 1 if failed > 0 or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
