"""Authorities and certificates for tests, made by the openssl command in a folder of their own."""

import os
import shutil
import subprocess
import tempfile

CONFIG = """
[ca]
default_ca = own
[own]
dir = {folder}
database = $dir/index.txt
serial = $dir/serial
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
organizationName = optional
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


class Authority:
    """Signs certificates. `path` is its own."""

    def __init__(self, name="Test Authority"):
        self.folder = tempfile.mkdtemp(prefix="mote-pki-")
        self.path = self.file("ca.pem")
        self._write("index.txt", "")
        self._write("serial", "1000\n")
        self._write("ca.conf", CONFIG.format(folder=self.folder))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.file("ca.key"), "-out", self.path, "-days", "3650",
                "-subj", f"/CN={name}")

    def _write(self, name, text):
        with open(self.file(name), "w", encoding="ascii") as file:
            file.write(text)

    def file(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, *hosts, subject=None, begin=None, end=None, days=365):
        """Make `name`.pem and `name`.key; returns their paths. `begin`, `end`: YYYYMMDDHHMMSSZ."""
        certificate, key = self.file(name + ".pem"), self.file(name + ".key")
        names = ",".join(f"DNS:{host}" for host in hosts)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", key, "-out", self.file(name + ".csr"), "-subj", subject or f"/CN={name}",
                *(["-addext", "subjectAltName=" + names] if names else []))
        openssl("ca", "-batch", "-notext", "-config", self.file("ca.conf"), "-in", self.file(name + ".csr"),
                "-out", certificate,
                *(["-startdate", begin] if begin else []),
                *(["-enddate", end] if end else ["-days", str(days)]))
        os.chmod(key, 0o600)
        return certificate, key

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)
