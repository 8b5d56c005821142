"""A WSGI application for gunicorn: gunicorn -w 2 -b HOST:PORT gunicorn_app:app; environment: RELEASE, EXECUTION_LOG."""

import os
import time
from urllib.parse import parse_qs

RELEASE = os.environ.get("RELEASE", "unnamed")
EXECUTION_LOG = os.environ.get("EXECUTION_LOG")
LOG = os.open(EXECUTION_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666) if EXECUTION_LOG else None


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if LOG is not None:
            os.write(LOG, body.split(b"\n", 1)[0] + b"\n")
    elif path == "/pid":
        body = b"%d\n" % os.getpid()
    else:
        if path == "/slow":
            time.sleep(float(parse_qs(environ["QUERY_STRING"]).get("d", ["10s"])[0].rstrip("s")))
        body = RELEASE.encode() + b"\n"
    start_response("200 OK", [("X-Release", RELEASE), ("Content-Length", str(len(body)))])
    return [body]
