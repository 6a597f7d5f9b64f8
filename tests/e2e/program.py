"""The program under test: run it once, or as a node that serves."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

import client
from waiting import SLOW, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_SECONDS_MAX = 120 * SLOW
STOP_SECONDS_MAX = 45 * SLOW

# What a sanitizer, or an invariant of the program, says when it finds something.
FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|\bBUG\b|\bINVARIANT"
                    r"|panicked at|terminated by signal")


def binary():
    """Path of the program: $MOTE_BINARY, or the one in build/."""
    path = os.environ.get("MOTE_BINARY") or os.path.join(ROOT, "build", "mote")
    assert os.access(path, os.X_OK), f"{path} is no program: `make` builds it, MOTE_BINARY names it"
    return os.path.abspath(path)


class Lines:
    """The lines of a stream, read by a thread so that its writer never waits."""

    def __init__(self, stream):
        self.lines = []
        self.changed = threading.Condition()
        self.stream = stream
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        with self.stream:
            for line in self.stream:
                with self.changed:
                    self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                    self.changed.notify_all()

    def all(self):
        with self.changed:
            return list(self.lines)

    def having(self, *words):
        """The lines that hold every one of these words."""
        return [line for line in self.all() if all(word in line for word in words)]

    def wait_for(self, *words, count=1, seconds=15):
        """Wait until `count` lines hold every one of these words; returns them."""
        with self.changed:
            def enough():
                found = [line for line in self.lines if all(word in line for word in words)]
                return found if len(found) >= count else None
            found = self.changed.wait_for(enough, seconds * SLOW)
            assert found, (f"{count} lines with {words} did not come; there is:\n"
                           + "\n".join(self.lines[-60:]))
            return found


class Finished:
    """A program that has ended."""

    def __init__(self, status, out, err):
        self.status, self.out_bytes, self.err_bytes = status, out, err
        self.out = out.decode("utf-8", "backslashreplace")
        self.err = err.decode("utf-8", "backslashreplace")

    def __repr__(self):
        return f"<status {self.status}\n--- out\n{self.out[:4000]}\n--- err\n{self.err[:4000]}>"


class Home:
    """Folders of the tests' own, so that nothing of the user's is read or written."""

    def __init__(self, cache):
        # Short: a unix socket's path has 107 bytes at most.
        self.folder = tempfile.mkdtemp(prefix="mote-e2e-")
        self.cache = cache
        os.mkdir(self.path("runtime"), 0o700)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, content):
        """Write a file below the folder; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def environment(self, **changes):
        environment = dict(os.environ, HOME=self.folder, XDG_RUNTIME_DIR=self.path("runtime"),
                           XDG_CACHE_HOME=self.cache, LC_ALL="C")
        environment.update(changes)
        return {name: value for name, value in environment.items() if value is not None}

    def start(self, *arguments, environment=None, **options):
        """Start the program without waiting for it."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, "cwd": self.folder, **options}
        return subprocess.Popen([binary(), *arguments], env=self.environment(**(environment or {})),
                                **options)

    def run(self, *arguments, stdin=None, seconds=RUN_SECONDS_MAX, **options):
        """Run the program to its end."""
        process = self.start(*arguments, stdin=subprocess.DEVNULL if stdin is None else
                             subprocess.PIPE, **options)
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end; it said {out!r} {err!r}") from None
        finished = Finished(process.returncode, out, err)
        assert not FAULTS.search(finished.err), finished
        return finished

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


# Of `mote stats`: what must come back to its value after start-up when all work is done.
def baseline_of(stats):
    engine = stats["engine"]
    return {
        "processes": stats["processes"]["now"],
        "reserved": engine["reserved"],
        "core_instances": engine["core_instances"],
        "component_instances": engine["component_instances"],
        "memories": engine["memories"],
        "tables": engine["tables"],
        "stacks": engine["stacks"],
        "timers": stats["timers"],
        "connections": stats["connections"]["now"],
        "buffered_bytes": stats["connections"]["buffered_bytes"],
        "descriptors": stats["descriptors"]["now"],
        "component_processes": sum(one["processes"] for one in stats["components"]),
    }


class Node:
    """A serving program. Made by the `serve` fixture, which also ends it."""

    def __init__(self, home, manifest, options=(), environment=None, name="mote", admin=None,
                 preexec=None, file="mote.toml"):
        self.home = home
        self.admin = admin or "unix:" + home.path("runtime", "mote", name + ".sock")
        self.manifest = home.write(file, manifest)
        self.process = home.start("serve", "-f", file, *options, environment=environment,
                                  preexec_fn=preexec)
        self.out, self.log = Lines(self.process.stdout), Lines(self.process.stderr)
        self.addresses = []
        try:
            self._wait_ready(manifest.count("[[serve]]"))
            self.baseline = self.settled()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.address = self.addresses[0]

    def _wait_ready(self, listeners):
        def ready():
            self.addresses = [line[len("listening on "):] for line in self.out.all()
                              if line.startswith("listening on ")]
            ended = self.process.poll()
            assert ended is None, f"mote serve ended with {ended}:\n" + self.log_text()
            return len(self.addresses) == listeners
        wait_until(ready, 60, lambda: "the ready line; log:\n" + self.log_text())

    def log_text(self):
        return "\n".join(self.log.all()[-100:])

    # -- asking

    def connect(self, index=0, **options):
        return client.Connection(self.addresses[index], **options)

    def request(self, method, target, headers=(), body=None, **options):
        return client.fetch(self.address, method, target, headers, body, **options)

    def get(self, target, headers=(), **options):
        return self.request("GET", target, headers, **options)

    def post(self, target, body, headers=(), **options):
        return self.request("POST", target, headers, body, **options)

    def ask_admin(self, target):
        return client.fetch(self.admin, "GET", target)

    def stats(self):
        return self.ask_admin("/v1/stats").json()

    def processes(self):
        return self.ask_admin("/v1/processes").json()

    def wait_processes(self, count):
        """Wait until so many processes live."""
        wait_until(lambda: self.stats()["processes"]["now"] == count,
                   what=lambda: f"{count} processes, there are {self.processes()}")

    def spawned(self):
        """How many processes there have ever been."""
        return self.stats()["processes"]["spawned"]

    def wait_spawned(self, count):
        """Wait until so many have begun. Unlike wait_processes() it misses none that ends soon."""
        wait_until(lambda: self.spawned() >= count, what=lambda: f"{count} processes, there were {self.spawned()}")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    # -- baseline

    def settled(self):
        """The counts once two readings in a row agree."""
        last = [None]

        def same():
            before, last[0] = last[0], baseline_of(self.stats())
            return before == last[0]
        wait_until(same, what="counts that stand still")
        return last[0]

    def check_baseline(self):
        """Everything that was taken since start-up was given back. Less than then is no leak: what a schedule had
        just begun, or a connection that was about to end, may have been there when it was counted."""
        now = [None]

        def more():
            return {key: (now[0][key], was) for key, was in self.baseline.items() if now[0][key] > was}

        def back():
            now[0] = baseline_of(self.stats())
            return not more()

        def difference():
            return f"baseline (now, then): {more()}\n{self.processes()}\n" + self.log_text()
        wait_until(back, 15, difference)

    # -- ending

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds=STOP_SECONDS_MAX):
        """Wait for the end; returns the exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("mote serve did not end; log:\n" + self.log_text()) from None
        self.log.thread.join(10)
        self.out.thread.join(10)
        return status

    def is_running(self):
        return self.process.poll() is None

    def finish(self):
        """The end of a test: nothing is left over, and a SIGTERM ends it well."""
        try:
            if self.is_running():
                self.check_baseline()
                self.terminate()
                assert self.wait() == 0, self.log_text()
        finally:
            if self.is_running():
                self.process.kill()
                self.process.wait()
        # What a guest prints is its own: one in Rust panics as this program would.
        faults = [line for line in self.log.all() if FAULTS.search(line) and " INFO guest component=" not in line]
        assert not faults, "\n".join(self.log.all())
