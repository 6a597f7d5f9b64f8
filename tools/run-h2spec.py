#!/usr/bin/env python3
"""Serves a small guest and has h2spec try it: all of HTTP/2 and HPACK that it knows.

    tools/run-h2spec.py --build FOLDER

Status 0: all passed; 3: h2spec cannot be had."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

MANIFEST = """[node]
name = "h2spec"
[[serve]]
listen = "127.0.0.1:0"
[serve.routes]
"GET /" = "h2spec#hello"
"POST /" = "h2spec#hello"
[[serve]]
listen = "127.0.0.1:0"
[serve.tls]
certificate = "certificate.pem"
key = "key.pem"
[serve.routes]
"GET /" = "h2spec#hello"
"POST /" = "h2spec#hello"
[components.h2spec]
source = "h2spec.wasm"
"""


# Fewer would mean that it did not try everything.
CASES_MIN = 144

# A listener without TLS speaks HTTP/1 as well: what is no preface is answered in HTTP/1, and then closed.
SPEAKS_HTTP1 = {("http2/3.5", "Sends invalid connection preface")}


def failed_cases(results):
    """Package and name of each case that failed, and how many passed."""
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failed = {(case.get("package"), case.get("classname")) for case in cases
              if {child.tag for child in case} & {"failure", "error"}}
    return failed, len(cases) - len(failed)


def prepare(folder):
    """What the node needs, in a folder of its own."""
    subprocess.run(["wat2wasm", os.path.join(ROOT, "tests", "guests", "h2spec.wat"),
                    "-o", os.path.join(folder, "h2spec.wasm")], check=True, stdin=subprocess.DEVNULL)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "300", "-subj", "/CN=localhost", "-keyout", os.path.join(folder, "key.pem"),
                    "-out", os.path.join(folder, "certificate.pem")], check=True, stdin=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    os.chmod(os.path.join(folder, "key.pem"), 0o600)
    with open(os.path.join(folder, "mote.toml"), "w", encoding="utf-8") as file:
        file.write(MANIFEST)
    os.mkdir(os.path.join(folder, "runtime"), 0o700)


def try_address(h2spec, address, results):
    """Whether h2spec is content with a listener."""
    secure, port = re.fullmatch(r"http(s?)://127\.0\.0\.1:(\d+)", address).groups()
    options = ["-t", "-k"] if secure else []
    done = subprocess.run([h2spec, "generic", "http2", "hpack", "-h", "127.0.0.1", "-p", port, "-o", "2", *options,
                           "--junit-report", results], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          timeout=600, check=False)
    failed, passed = failed_cases(results)
    if not secure:
        failed -= SPEAKS_HTTP1
    if failed:
        print(done.stdout.split("Failures:")[-1])
    print(f"h2spec, {'TLS' if secure else 'prior knowledge'}: {passed} passed, {len(failed)} failed", flush=True)
    return not failed and passed >= CASES_MIN


def try_it(h2spec, build, folder):
    prepare(folder)
    environment = dict(os.environ, HOME=folder, XDG_RUNTIME_DIR=os.path.join(folder, "runtime"))
    with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
        node = subprocess.Popen([os.path.join(build, "mote"), "serve", "-f", "mote.toml"], cwd=folder, text=True,
                                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            lines = [node.stdout.readline().strip() for _ in range(MANIFEST.count("[[serve]]"))]
            if not all(line.startswith("listening on http") for line in lines):
                log.seek(0)
                print(f"no ready lines but: {lines}\n{log.read()}")
                return 1
            good = [try_address(h2spec, line.split()[-1], os.path.join(folder, "junit.xml")) for line in lines]
        finally:
            node.terminate()
            ended = node.wait(timeout=60)
    return 0 if all(good) and ended == 0 else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    found = subprocess.run([os.path.join(ROOT, "tools", "h2spec.sh")], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        return found.returncode
    with tempfile.TemporaryDirectory(prefix="mote-h2spec-") as folder:
        return try_it(found.stdout.strip(), os.path.abspath(options.build), folder)


if __name__ == "__main__":
    sys.exit(main())
