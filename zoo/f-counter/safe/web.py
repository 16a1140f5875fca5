"""A threaded HTTP server: routes map ("GET", "/notes/{id}") to view(request, id=...) -> status, body[, headers]."""

import json
import re
import sys
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port, routes):
    table = [
        (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + r"\Z"), view)
        for (method, path), view in routes.items()
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # head and body leave in one piece

        def handle_any(self):
            path, _, self.query = self.path.partition("?")
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.json = json.loads(data) if data[:1] in (b"{", b"[") else None
            status, body, headers = 404, {"error": "not found"}, {}
            for method, pattern, view in table:
                found = pattern.match(path)
                if found and method == self.command:
                    try:
                        status, body, headers = (*view(self, **found.groupdict()), {})[:3]
                    except Exception:
                        traceback.print_exc(file=sys.stderr)
                        status, body = 500, {"error": "internal error"}
                    break
            data = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
            kind = "text/plain" if isinstance(body, str) else "application/json"
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    Server(("127.0.0.1", int(port)), Handler).serve_forever()
