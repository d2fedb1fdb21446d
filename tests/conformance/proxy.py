"""A recording proxy: an endpoint which passes everything on to another, and keeps the bytes.

Any client can be pointed at it, so every client is checked in the same way. It passes faults on as
they are: a connection that is dropped or a body that is cut short arrives so.
"""

import dataclasses
import http.client
import http.server
import select
import threading
import time


@dataclasses.dataclass
class Exchange:
    """One request and its answer, as they were on the wire."""

    method: str
    path: str
    headers: dict
    body: bytes
    status: int | None = None
    answer_headers: dict = dataclasses.field(default_factory=dict)
    answer: bytes = b""
    # Whether the answer came whole.
    whole: bool = False
    # When it came, by the machine's clock.
    answered_at: float = 0.0
    # What the check was told to expect; a fault was injected into it.
    injected: bool = False


class Proxy:
    """Listens on a free port of this machine, in front of `host:port`."""

    def __init__(self, host, port):
        self.upstream = (host, port)
        self.exchanges = []
        self.injecting = False
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            """A connection of this proxy."""

            owner = proxy

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def keep(self, exchange):
        """Puts an exchange on record."""
        with self._lock:
            exchange.injected = self.injecting
            self.exchanges.append(exchange)

    def taken(self):
        """What was recorded since this was last asked."""
        with self._lock:
            taken, self.exchanges = self.exchanges, []
        return taken

    def close(self):
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written apart, and the second of them waits for nothing.
    disable_nagle_algorithm = True
    owner = None

    def setup(self):
        super().setup()
        self.upstream = http.client.HTTPConnection(*self.owner.upstream, timeout=60)

    def finish(self):
        self.upstream.close()
        super().finish()

    def log_message(self, format, *args):
        """What was asked is on record; nothing is printed."""

    def renew(self):
        """Gives up a connection that the simulator has closed since it was last used, as it does after a
        minute. A client without a proxy would have noticed."""
        idle = self.upstream.sock
        if idle is not None and select.select([idle], [], [], 0)[0]:
            self.upstream.close()

    def pass_on(self):
        """One request, there and back."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.renew()
        exchange = Exchange(self.command, self.path, lower(self.headers.items()), body)
        try:
            self.upstream.request(self.command, self.path, body, dict(self.headers.items()))
            response = self.upstream.getresponse()
            exchange.status, exchange.answer_headers = response.status, lower(response.getheaders())
            try:
                exchange.answer, exchange.whole = response.read(), True
            except http.client.IncompleteRead as cut:
                exchange.answer = cut.partial
        except (OSError, http.client.HTTPException):
            exchange.status = None
        exchange.answered_at = time.time()
        self.owner.keep(exchange)
        if exchange.status is None:
            self.upstream.close()
            self.close_connection = True
            return
        self.send_response_only(exchange.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if "content-length" not in exchange.answer_headers:
            # It came in chunks. Where one is missing, the client must not take the rest for all.
            self.send_header("Content-Length", str(len(exchange.answer) + (not exchange.whole)))
        if not exchange.whole:
            self.upstream.close()
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(exchange.answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on


def lower(headers):
    """Headers by their names in lower case."""
    return {name.lower(): value for name, value in headers}
