"""A web server that serves one file, and fails as asked."""

import base64
import hashlib
import http.server
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Served:
    """What is served, and how.

    Attributes:
        content: The file.
        cut: For each request in turn, after how many bytes the connection is closed; then never.
        ranges: Whether it serves parts.
        status: An error to answer with.
        md5: Whether it tells the MD5 of the content, and of which.
        asked: The Range of each request so far.
    """

    content: bytes
    cut: list[int] = field(default_factory=list)
    ranges: bool = True
    status: int | None = None
    md5_of: bytes | None = None
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(served: Served):
    """Serves on a free port of this machine; yields `served` with its `url`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            if served.status:
                return self.send_error(served.status)
            begin, size = 0, len(served.content)
            if wanted and served.ranges:
                begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if begin >= size:
                    return self.send_error(416)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
            else:
                self.send_response(200)
            self.send_header("Content-Length", str(size - begin))
            if served.md5_of is not None:
                digest = base64.b64encode(hashlib.md5(served.md5_of).digest()).decode()
                self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={digest}")
            self.end_headers()
            end = begin + served.cut.pop(0) if served.cut else size
            self.wfile.write(served.content[begin:end])

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        served.url = f"http://127.0.0.1:{server.server_port}/emnist_all.sqlite.lzma"
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
