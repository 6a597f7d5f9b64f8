#!/usr/bin/env python3
"""Runs tests and checks one stage after the other and closes with `N passed, N failed`.

    tools/run-tests.py [--build FOLDER] STAGE...

Stages: unit      unit tests, simulation, corpora, house rules (meson test)
        e2e       end-to-end tests (pytest) with the program of the build folder
        format    clang-format would change nothing
        lint      clang-tidy, one file a run, and cppcheck
        sim       the simulation of core/ under 20,000 seeds
        asan      builds build-asan; unit and e2e under address and undefined-behaviour sanitizers
        tsan      builds build-tsan; unit under the thread sanitizer, without the engine
        h2spec    the conformance test of HTTP/2, where there is a Go to build it with
        fuzz      builds build-fuzz; every libFuzzer target, FUZZ_SECONDS (60) in all
        soak      long runs, SOAK_MINUTES (60) in all
        fmt       not a check: lays out the C sources

A stage that cannot run counts as one failure. With MOTE_COUNTS=FILE the counts of each stage are appended
to that file as JSON lines. Exit status 0: nothing failed.
"""

import argparse
import concurrent.futures
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STAGE_SECONDS_MAX = 3600

SANITIZER_ENVIRONMENT = {
    # Guests run on stacks of their own, which the detector of use after return cannot follow.
    "ASAN_OPTIONS": "detect_stack_use_after_return=0:detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:exitcode=99",
}


class Count:
    """How many passed, failed and were skipped."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def say(text):
    print(text, flush=True)


def processors():
    return len(os.sched_getaffinity(0))


def end_group(process):
    """End a process that run() started, and what it left running."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(command, **options):
    """Exit status of a command that prints for itself; 124 when it takes too long."""
    seconds = options.pop("seconds", STAGE_SECONDS_MAX)
    environment = dict(os.environ, **options.pop("environment", {}))
    try:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **options)
    except OSError as error:
        say(f"cannot run {command[0]}: {error.strerror}")
        return 127
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        say(f"{os.path.basename(command[0])} took longer than {seconds} s and was ended")
        return 124
    finally:
        # It has a session of its own, so that what it started ends with it, whatever ended this.
        end_group(process)


def junit_count(path):
    """Counts of a JUnit file; nothing in it, or no file, is a failure."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError) as error:
        say(f"no test results: {error}")
        return Count(failed=1)
    count = Count()
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            count.failed += 1
        elif "skipped" in kinds:
            count.skipped += 1
        else:
            count.passed += 1
    if not cases:
        say("no test ran")
        count.failed = 1
    return count


def has_module(python, name):
    return subprocess.run([python, "-c", f"import {name}"], stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def python_with_pytest():
    for python in ("/usr/bin/python3", sys.executable, shutil.which("python3")):
        if python and has_module(python, "pytest"):
            return python
    return None


def meson():
    return "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"


def remove(path):
    if os.path.exists(path):
        os.remove(path)


def with_status(count, status, what):
    """A run that ended badly without a failed test is a failure of its own."""
    if status != 0 and count.failed == 0:
        say(f"{what} ended with status {status}")
        count.failed = 1
    return count


def unit(build, environment=None, slow=1):
    results = os.path.join(build, "meson-logs", "testlog.junit.xml")
    remove(results)
    command = [meson(), "test", "-C", build, "--no-rebuild", "--print-errorlogs",
               "--num-processes", str(processors()), "--timeout-multiplier", str(2 * slow)]
    status = run(command, environment=environment or {})
    return with_status(junit_count(results), status, "meson test")


def e2e(build, environment=None, options=()):
    folder = os.path.join(ROOT, "tests", "e2e")
    python = python_with_pytest()
    if python is None:
        say("no python3 with pytest: apt-get install python3-pytest")
        return Count(failed=1)
    # What guests in Rust need is built once; where it cannot be, their tests are skipped.
    run([os.path.join(ROOT, "tools", "rust-wasi.sh")], stdout=subprocess.DEVNULL, seconds=600)
    results = os.path.join(build, "e2e.junit.xml")
    remove(results)
    # Most of the time a test waits; a file's tests share nodes.
    at_once = ["-n", str(processors()), "--dist", "loadfile"] if has_module(python, "xdist") else []
    status = run([python, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", *at_once,
                  "--junitxml", results, *options, folder],
                 environment=dict(environment or {}, MOTE_BINARY=os.path.join(build, "mote"),
                                  PYTHONDONTWRITEBYTECODE="1"))
    return with_status(junit_count(results), status, "pytest")


def c_files(*folders, endings=(".c", ".h")):
    found = []
    for top in folders:
        for folder, folders_inside, names in os.walk(os.path.join(ROOT, top)):
            folders_inside[:] = [name for name in folders_inside if name not in ("target", "corpus")]
            found += [os.path.join(folder, name) for name in names if name.endswith(endings)]
    return sorted(os.path.relpath(path, ROOT) for path in found)


ALL_C = ("src", "tests", "fuzz", "sdk", "examples", "bench")


# Another version has other opinions: it is skipped, so that a newer machine can still run everything else.
PINNED = {"clang-format": "14", "clang-tidy": "14", "cppcheck": "2.10"}


def is_pinned_version(tool):
    """Whether this machine's version of a tool is the one that its rules were chosen with."""
    done = subprocess.run([tool, "--version"], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if re.search(rf"(version|Cppcheck) {re.escape(PINNED[tool])}\b", done.stdout):
        return True
    say(f"{tool}: skipped, its rules are those of version {PINNED[tool]}")
    return False


def format_check(_build):
    if not is_pinned_version("clang-format"):
        return Count(skipped=1)
    done = subprocess.run(["clang-format", "--dry-run", "-Werror"] + c_files(*ALL_C), cwd=ROOT,
                          check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    places = [line for line in done.stderr.split("\n") if ": error: " in line or ": warning: " in line]
    if done.returncode == 0:
        return Count(passed=1)
    say("\n".join(places[:20]) or done.stderr)
    say(f"{len({place.split(':')[0] for place in places})} files are laid out differently. What to do: make fmt")
    return Count(failed=1)


def fmt(_build):
    status = run(["clang-format", "-i"] + c_files(*ALL_C))
    return Count(passed=1) if status == 0 else Count(failed=1)


def clang_tidy_one(build, path):
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                           path], cwd=ROOT, check=False, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    return path, done.returncode, done.stdout.strip()


# What cppcheck cannot read, in words that it can: -D says so, -U keeps base.h from saying otherwise.
# (Suppressed besides: it takes the designator in `{.line = ++line}` for the variable, and what a callee fills
# for uninitialized; the compilers and clang-tidy do not.)
CPPCHECK_MACROS = [
    "-DCONTAINER_OF(ptr, type, member)=((type *)(void *)(ptr))", "-UCONTAINER_OF",
    "-DTAKE(ptr)=take_(&(ptr))", "-UTAKE",
    "-DAUTO(destroy)=static", "-UAUTO",
]


def clang_tidy(build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        known = {os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                 for entry in json.load(file)}
    paths = [path for path in c_files("src", endings=(".c",)) if os.path.join(ROOT, path) in known]
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(processors()) as pool:
        jobs = [pool.submit(clang_tidy_one, build, path) for path in paths]
        for number, job in enumerate(concurrent.futures.as_completed(jobs), 1):
            path, status, text = job.result()
            if status != 0:
                wrong += 1
                say(text)
            if status != 0 or number % 10 == 0 or number == len(paths):
                say(f"clang-tidy [{number}/{len(paths)}] {path}")
    return Count(failed=1) if wrong or not paths else Count(passed=1)


def cppcheck():
    status = run(["cppcheck", "--quiet", "--std=c11", "--inline-suppr", "--error-exitcode=1",
                  "--enable=warning,performance,portability", "--suppress=missingIncludeSystem",
                  "--suppress=unknownEvaluationOrder", "--suppress=ctuuninitvar"] + CPPCHECK_MACROS +
                 ["-D_GNU_SOURCE", "-I", "src", "-j", str(processors()), "src"])
    say("cppcheck: " + ("clean" if status == 0 else f"status {status}"))
    return Count(passed=1) if status == 0 else Count(failed=1)


def lint(build):
    count = clang_tidy(build) if is_pinned_version("clang-tidy") else Count(skipped=1)
    count.add(cppcheck() if is_pinned_version("cppcheck") else Count(skipped=1))
    return count


def h2spec(build):
    """h2spec counts as one: it says itself what failed."""
    status = run([sys.executable, os.path.join(ROOT, "tools", "run-h2spec.py"), "--build", build], seconds=900)
    if status == 3:
        say("h2spec: skipped, see above")
        return Count(skipped=1)
    return Count(passed=1) if status == 0 else Count(failed=1)


def build_kind(kind):
    """Build one of the side folders; its path, or None."""
    folder = os.path.join(ROOT, "build-" + kind)
    return folder if run([os.path.join(ROOT, "tools", "build.sh"), folder, kind, "test"]) == 0 else None


def asan(_build):
    build = build_kind("asan")
    if build is None:
        return Count(failed=1)
    environment = dict(SANITIZER_ENVIRONMENT, MOTE_SANITIZER="asan")
    count = unit(build, environment, slow=4)
    count.add(e2e(build, environment))
    return count


def tsan(_build):
    build = build_kind("tsan")
    if build is None:
        return Count(failed=1)
    return unit(build, dict(SANITIZER_ENVIRONMENT, MOTE_SANITIZER="tsan"), slow=8)


def fuzz_one(build, name, seconds):
    """Run one target from its committed corpus; new inputs stay in the build folder."""
    work = os.path.join(build, "fuzz-work", name)
    os.makedirs(work, exist_ok=True)
    corpus = os.path.join(ROOT, "fuzz", "corpus", name)
    done = subprocess.run(
        [os.path.join(build, "fuzz", "fuzz_" + name), f"-max_total_time={seconds}", "-timeout=10",
         "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={work}/../", work, corpus],
        cwd=build, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        env=dict(os.environ, **SANITIZER_ENVIRONMENT))
    return name, done.returncode, done.stderr


def fuzz_for(seconds_in_all):
    build = build_kind("fuzz")
    if build is None:
        return Count(failed=1)
    folder = os.path.join(build, "fuzz")
    names = sorted(name[len("fuzz_"):] for name in os.listdir(folder)
                   if name.startswith("fuzz_") and os.access(os.path.join(folder, name), os.X_OK)
                   and os.path.isfile(os.path.join(folder, name)))
    if not names:
        say("no fuzz target was built")
        return Count(failed=1)
    at_once = min(processors(), len(names))
    seconds = max(5, seconds_in_all * at_once // len(names))
    say(f"{len(names)} targets, {seconds} s each, {at_once} at once")
    count = Count()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for name, status, text in pool.map(lambda name: fuzz_one(build, name, seconds), names):
            runs = [line.split()[-1] for line in text.split("\n") if "number_of_executed_units" in line]
            say(f"fuzz_{name}: {runs[0] if runs else 'no'} runs, {'clean' if status == 0 else 'FAILED'}")
            if status != 0:
                say(text[-6000:])
                count.failed += 1
            else:
                count.passed += 1
    return count


def fuzz(_build):
    return fuzz_for(int(os.environ.get("FUZZ_SECONDS", "60")))


def simulate_for(build, seconds):
    """The simulation of core/ under seeds that no run had before, a batch at a time."""
    program = os.path.join(build, "tests", "sim", "sim")
    deadline = time.monotonic() + seconds
    seeds = 0
    while time.monotonic() < deadline:
        first = random.SystemRandom().randrange(1, 1 << 31)
        if run([program, f"--seed={first}", "--seeds=200", "--steps=2000"],
               stdout=subprocess.DEVNULL) != 0:
            return Count(failed=1)
        seeds += 200
    say(f"simulation: {seeds} new seeds, clean")
    return Count(passed=1)


SIMULATION_SEEDS = 20000


def simulation(build):
    """As many seeds as it takes to meet what is rare; those that fail say how to see it again."""
    folder = os.path.join(build, "tests", "sim")
    lanes = processors()
    each = -(-SIMULATION_SEEDS // lanes)

    def lane(number):
        return max(abs(run([os.path.join(folder, program), f"--seed={1 + number * each}", f"--seeds={each}", "--steps=600"]))
                   for program in ("sim", "sim_supervisors"))

    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        statuses = list(pool.map(lane, range(lanes)))
    return Count(passed=statuses.count(0), failed=lanes - statuses.count(0))


def soak(build):
    seconds = int(float(os.environ.get("SOAK_MINUTES", "60")) * 60)
    count = e2e(build, options=["-m", "soak"])
    count.add(simulate_for(build, seconds // 6))
    count.add(fuzz_for(seconds // 4))
    script = os.path.join(ROOT, "bench", "soak.py")
    with tempfile.NamedTemporaryFile("r", suffix=".json") as results:
        status = run([sys.executable, script, "--build", build, "--seconds", str(seconds // 2),
                      "--results", results.name], seconds=2 * seconds + 600)
        try:
            found = json.load(results)
            part = Count(found["passed"], found["failed"])
        except (ValueError, KeyError):
            part = Count(failed=1)
    count.add(with_status(part, status, "soak.py"))
    return count


STAGES = {
    "unit": ("unit tests, simulation, house rules", unit),
    "e2e": ("end-to-end tests", e2e),
    "format": ("layout of the sources", format_check),
    "lint": ("clang-tidy and cppcheck", lint),
    "sim": (f"simulation under {SIMULATION_SEEDS:,} seeds", simulation),
    "asan": ("address and undefined-behaviour sanitizers", asan),
    "tsan": ("thread sanitizer", tsan),
    "h2spec": ("conformance of HTTP/2", h2spec),
    "fuzz": ("fuzzing", fuzz),
    "soak": ("long runs", soak),
    "fmt": ("laying out the sources", fmt),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build folder of unit, e2e, lint and soak")
    parser.add_argument("stages", nargs="+", choices=sorted(STAGES), metavar="STAGE")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    total = Count()
    rows = []
    for number, name in enumerate(options.stages, 1):
        title, stage = STAGES[name]
        say(f"\n== {number}/{len(options.stages)} {name}: {title}")
        begin = time.monotonic()
        try:
            count = stage(build)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            say(f"{name} could not run: {error}")
            count = Count(failed=1)
        rows.append((name, count, time.monotonic() - begin))
        total.add(count)
        if "MOTE_COUNTS" in os.environ:
            with open(os.environ["MOTE_COUNTS"], "a", encoding="utf-8") as file:
                file.write(json.dumps({"stage": name, "passed": count.passed, "failed": count.failed,
                                       "skipped": count.skipped}) + "\n")
    if options.stages == ["fmt"]:
        return 0 if total.failed == 0 else 1
    say("")
    for name, count, seconds in rows:
        say(f"{name:8} {count} ({seconds:.0f} s)")
    say(str(total))
    return 0 if total.failed == 0 else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
