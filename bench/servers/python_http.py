"""A threaded http.server. Usage: python_http.py [HOST:PORT]; environment: ADDRESS, RELEASE, EXECUTION_LOG.

It has no signal handling: SIGTERM ends it at once, as it ends most small Python programs.
"""

import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

RELEASE = os.environ.get("RELEASE", "unnamed")
EXECUTION_LOG = os.environ.get("EXECUTION_LOG")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and body leave in one segment

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/slow":
            time.sleep(float(parse_qs(url.query).get("d", ["10s"])[0].rstrip("s")))
        self.answer((str(os.getpid()) if url.path == "/pid" else RELEASE).encode() + b"\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if LOG is not None:
            os.write(LOG, body.split(b"\n", 1)[0] + b"\n")
        self.answer(body)

    def answer(self, body):
        self.send_response(200)
        self.send_header("X-Release", RELEASE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512


if __name__ == "__main__":
    LOG = os.open(EXECUTION_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666) if EXECUTION_LOG else None
    address = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ADDRESS", "127.0.0.1:8080")
    host, _, port = address.rpartition(":")
    Server((host.strip("[]"), int(port)), Handler).serve_forever()
