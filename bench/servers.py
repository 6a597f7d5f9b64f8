"""The servers that are measured, each in a folder of its own on loopback, and the load on them.
Everything is ended by the handle it was started with."""

import collections
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import proc

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60


class Trouble(Exception):
    """Something that the reader of the benchmark has to put right."""


def end(process):
    """Ask a process to end, then make it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def raise_descriptors():
    """Our own soft limit to the hard one; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Mote:
    """`mote serve` of a copy of one of the examples, or of another folder of apps. `change` gets the text of its
    manifest and returns the one to serve."""

    def __init__(self, mote, example, folder, change=lambda text: text, *, apps="examples"):
        self.folder = os.path.join(folder, example)
        shutil.copytree(os.path.join(ROOT, apps, example), self.folder)
        self.environment = dict(os.environ, XDG_RUNTIME_DIR=folder,
                                XDG_CACHE_HOME=os.path.join(folder, "cache"))
        os.makedirs(self.environment["XDG_CACHE_HOME"], mode=0o700, exist_ok=True)
        self.mote = mote
        self.socket = os.path.join(folder, example + ".sock")
        manifest = os.path.join(self.folder, "mote.toml")
        # Of its own sources: what `change` names instead is not built.
        built = subprocess.run([mote, "build", "--force", self.folder], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, env=self.environment, check=False)
        if built.returncode != 0:
            raise Trouble(f"mote build {example}: {built.stdout}{built.stderr}")
        with open(manifest, encoding="utf-8") as file:
            text = change(file.read())
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(f'{text}\n[admin]\nlisten = "unix:{self.socket}"\n')
        self.process = subprocess.Popen(
            [mote, "serve", "-f", manifest, "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        self.pid = self.process.pid
        self._room = ""
        self._room_said = threading.Event()
        self.log = collections.deque(maxlen=30)
        self._reader = threading.Thread(target=self._keep_log, daemon=True)
        self._reader.start()
        line = self.process.stdout.readline().decode()
        found = re.match(r"listening on (https?)://127\.0\.0\.1:(\d+)", line)
        if not found:
            end(self.process)
            raise Trouble(f"mote serve {example} did not start: {line}{self.last_lines()}")
        self.scheme, self.port = found.group(1), int(found.group(2))

    def _keep_log(self):
        for line in self.process.stderr:
            text = line.decode(errors="replace")
            self.log.append(text)
            found = re.search(r"room for .*", text)
            if found:
                self._room = found.group(0).strip().rstrip('"')
                self._room_said.set()

    def room(self):
        """What the node says that it carries, and why not more. The log is written by a thread of its own, so
        its lines may come later than the one on standard output that ended the start."""
        if not self._room_said.wait(START_SECONDS_MAX):
            raise Trouble(f"the server did not say how much room it has: {self.last_lines()}")
        return self._room

    def last_lines(self):
        return "".join(self.log)

    def processors_of(self):
        """Processes whose CPU counts."""
        return [self.pid]

    def stats(self):
        """What `mote stats --json` says, or None while the node does not answer."""
        shown = subprocess.run([self.mote, "stats", "--socket", self.socket, "--json"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               env=self.environment, check=False)
        return json.loads(shown.stdout) if shown.returncode == 0 else None

    def url(self, path="/"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self):
        return end(self.process)


def without_access_log(text):
    """The manifest with the same silence as nginx's `access_log off`."""
    return text + '\n[log]\naccess = false\n'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


NGINX_CONFIGURATION = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport{listen};
        {server}
    }}
}}
"""
NGINX_HELLO = 'location / { default_type text/plain; return 200 "hello\\n"; }'


def find_nginx():
    program = os.environ.get("NGINX") or shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.access(program, os.X_OK):
        raise Trouble("no nginx to compare with: NGINX=$(tools/nginx.sh)")
    return program


class Nginx:
    """nginx that answers a constant, the least that an HTTP server can do, or what `server` says; `listen`: more
    words of that line of its configuration."""

    def __init__(self, program, folder, server=NGINX_HELLO, listen=""):
        self.folder = os.path.join(folder, "nginx")
        os.makedirs(self.folder)
        # Its workers may belong to another user, who must get in here.
        os.chmod(folder, 0o755)
        os.chmod(self.folder, 0o777)
        self.port = free_port()
        self.scheme = "https" if "ssl" in listen else "http"
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(NGINX_CONFIGURATION.format(folder=self.folder, port=self.port, listen=listen, server=server))
        self.process = subprocess.Popen([program, "-p", self.folder, "-c", path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                break
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    end(self.process)
                    text = self.process.stderr.read().decode(errors="replace")
                    raise Trouble(f"{program} did not start: {text or error}") from error
                time.sleep(0.02)

    def processors_of(self):
        return proc.children_of(self.process.pid)  # The master only waits.

    def url(self, path="/"):
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def stop(self):
        return end(self.process)


class Load:
    """What one run of wrk has seen."""

    UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}

    def __init__(self, text):
        self.requests = self._number(text, r"(\d+) requests in")
        self.per_second = self._number(text, r"Requests/sec:\s+([\d.]+)")
        found = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
        if self.requests is None or self.per_second is None or found is None:
            raise Trouble(f"wrk said something unexpected:\n{text}")
        self.p99_ms = float(found.group(1)) * self.UNITS[found.group(2)]
        wrong = re.search(r"(Non-2xx or 3xx responses.*|Socket errors.*)", text)
        if wrong:
            raise Trouble(f"wrk: {wrong.group(1)}")

    @staticmethod
    def _number(text, pattern):
        found = re.search(pattern, text)
        return float(found.group(1)) if found else None


def wrk(url, seconds, connections=64, threads=2):
    """Load one server. Raises Trouble when an answer is not 2xx or a connection fails."""
    done = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"wrk ended with status {done.returncode}: {done.stdout}{done.stderr}")
    return Load(done.stdout)


def head(path):
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


class Spinners:
    """Connections that ask for GET /spin again and again, as long as the context lasts."""

    def __init__(self, server, count):
        self.server, self.count = server, count
        self.answers = collections.Counter()
        self._over = threading.Event()

    def __enter__(self):
        self._sockets = [self.server.connect() for _ in range(self.count)]
        self._threads = [threading.Thread(target=self._spin, args=(sock,), daemon=True)
                         for sock in self._sockets]
        for thread in self._threads:
            thread.start()
        return self

    def _spin(self, sock):
        try:
            while not self._over.is_set():
                sock.sendall(head("/spin"))
                data = sock.recv(65536)
                if not data:
                    raise OSError("hung up")
                self.answers[data[9:12].decode(errors="replace")] += 1
        except OSError as error:
            if not self._over.is_set():
                self.answers[str(error)] += 1

    def __exit__(self, *_):
        self._over.set()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()
        return False
