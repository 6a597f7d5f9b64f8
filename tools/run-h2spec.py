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


def try_it(h2spec, build, folder):
    results = os.path.join(folder, "junit.xml")
    subprocess.run(["wat2wasm", os.path.join(ROOT, "tests", "guests", "h2spec.wat"),
                    "-o", os.path.join(folder, "h2spec.wasm")], check=True, stdin=subprocess.DEVNULL)
    with open(os.path.join(folder, "mote.toml"), "w", encoding="utf-8") as file:
        file.write(MANIFEST)
    os.mkdir(os.path.join(folder, "runtime"), 0o700)
    environment = dict(os.environ, HOME=folder, XDG_RUNTIME_DIR=os.path.join(folder, "runtime"))
    with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
        node = subprocess.Popen([os.path.join(build, "mote"), "serve", "-f", "mote.toml"], cwd=folder, text=True,
                                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        try:
            line = node.stdout.readline()
            port = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if port is None:
                log.seek(0)
                print(f"no ready line but: {line!r}\n{log.read()}")
                return 1
            done = subprocess.run([h2spec, "generic", "http2", "hpack", "-h", "127.0.0.1", "-p", port.group(1),
                                   "-o", "2", "--junit-report", results], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True, timeout=600, check=False)
        finally:
            node.terminate()
            ended = node.wait(timeout=60)
    failed, passed = failed_cases(results)
    failed -= SPEAKS_HTTP1
    if failed:
        print(done.stdout.split("Failures:")[-1])
    print(f"h2spec: {passed} passed, {len(failed)} failed", flush=True)
    return 1 if failed or ended or passed < CASES_MIN else 0


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
