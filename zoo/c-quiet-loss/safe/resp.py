"""A Redis client in a few lines: Redis(url)("SET", "key", "value"). Answers are str, int, None or lists of them."""

import socket
import threading
from urllib.parse import urlsplit


class Redis:
    def __init__(self, url):
        parts = urlsplit(url)
        self.lock = threading.Lock()
        self.stream = socket.create_connection((parts.hostname, parts.port or 6379)).makefile("rwb")
        if parts.password:
            self("AUTH", parts.password)
        self("SELECT", parts.path.strip("/") or "0")

    def __call__(self, *words):
        encoded = [str(word).encode() for word in words]
        with self.lock:
            self.stream.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
            self.stream.flush()
            return self.reply()

    def reply(self):
        line = self.stream.readline()
        kind, rest = line[:1], line[1:-2].decode()
        if kind == b"-":
            raise RuntimeError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self.stream.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest
