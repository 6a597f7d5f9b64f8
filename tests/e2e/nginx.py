"""nginx to compare with: Debian's, on a socket in a folder of its own."""

import os
import subprocess

from program import ROOT, Lines
from waiting import wait_until

# What arrives whole at `location /` goes to a server behind, so that all of a request is read before it is answered.
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    keepalive_timeout 3600s;
    client_max_body_size 10m;
    large_client_header_buffers 4 32k;
    ignore_invalid_headers off;
    underscores_in_headers on;
    merge_slashes off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream behind {{ server unix:{folder}/behind.sock; keepalive 4; }}
    server {{
        listen unix:{folder}/nginx.sock;
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host behind;
            proxy_ignore_client_abort on;
        }}
    }}
    server {{
        listen unix:{folder}/behind.sock;
        location / {{ default_type text/plain; return 200 "behind\\n"; }}
    }}
}}
"""


def program():
    """Path of an nginx, or None: none is here, and none can be fetched."""
    found = subprocess.run([os.path.join(ROOT, "tools", "nginx.sh")], capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL)
    return found.stdout.strip() if found.returncode == 0 else None


class Nginx:
    """One that runs. `address` is as of a node."""

    def __init__(self, path, folder):
        # Its workers may belong to another user, who must get in here.
        os.chmod(folder, 0o755)
        configuration = os.path.join(folder, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(folder=folder))
        self.socket = os.path.join(folder, "nginx.sock")
        self.address = "unix:" + self.socket
        self.process = subprocess.Popen([path, "-p", folder, "-e", "stderr", "-c", configuration],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.log = Lines(self.process.stderr)
        try:
            wait_until(self._listens, 60, lambda: "nginx; it said:\n" + "\n".join(self.log.all()))
        except BaseException:
            self.stop()
            raise

    def _listens(self):
        assert self.process.poll() is None, "nginx ended:\n" + "\n".join(self.log.all())
        return os.path.exists(self.socket)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
