"""Lambda, as far as a function sees it: runs `bootstrap` behind a Runtime API, and ends it when its time is over."""

import http.server
import json
import os
import queue
import subprocess
import threading
import uuid

ARN = "arn:aws:lambda:us-east-1:123456789012:function:patchfleet"
END = object()


class Sandbox:
    """One process of the function, and its Runtime API. It serves one event after another."""

    def __init__(self, binary, environment, log):
        self.events, self.answers = queue.Queue(), queue.Queue()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        host, port = self.server.server_address
        environment = environment | {"AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"}
        self.process = subprocess.Popen([binary], env=environment, stdin=subprocess.DEVNULL, stderr=log)
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        """A process that ends by itself has given its last answer."""
        self.process.wait()
        self.answers.put((None, END, None))

    def handler(sandbox):  # noqa: N805
        """The Runtime API."""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                identity, body, deadline = sandbox.events.get()
                self.send_response(200)
                self.send_header("lambda-runtime-aws-request-id", identity)
                self.send_header("lambda-runtime-deadline-ms", str(deadline))
                self.send_header("lambda-runtime-invoked-function-arn", ARN)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                *_, identity, kind = self.path.split("/")
                sandbox.answers.put((identity, kind, body))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

        return Handler

    def serve(self, identity, body, deadline, seconds):
        """What became of an event within so many seconds: `response` or `error` with its text, or nothing."""
        self.events.put((identity, body, deadline))
        try:
            answered, kind, body = self.answers.get(timeout=seconds)
        except queue.Empty:
            return None, None
        assert kind is END or answered == identity, (answered, identity)
        return kind, body

    def kill(self):
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()


class Function:
    """A function of a stack. `clock` is that of the programs, `limit` its time in seconds of that clock."""

    def __init__(self, binary, environment, clock, limit, log=subprocess.DEVNULL):
        self.binary, self.clock, self.limit, self.log = binary, clock, limit, log
        self.environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "AWS_REGION": "us-east-1"}
        self.environment |= {"AWS_LAMBDA_FUNCTION_NAME": "patchfleet", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
        self.environment |= {"AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_ACCESS_KEY_ID": "AKIDFUNCTION"}
        self.environment |= {"AWS_SECRET_ACCESS_KEY": "none"} | clock.environment() | environment
        self.idle, self.busy, self.lock = [], [], threading.Lock()
        # What was asked and answered, and how long it took in seconds of the clock.
        self.turns = []

    def invoke(self, event):
        """Lambda's answer to an invocation that waits for it."""
        identity, began = str(uuid.uuid4()), self.clock.now()
        deadline = (began + self.limit * 1_000_000_000) // 1_000_000
        with self.lock:
            sandbox = self.idle.pop() if self.idle else Sandbox(self.binary, self.environment, self.log)
            self.busy.append(sandbox)
        kind, body = sandbox.serve(identity, json.dumps(event).encode(), deadline, self.limit / self.clock.speed)
        self.turns.append((event, kind, body, (self.clock.now() - began) / 1e9))
        with self.lock:
            self.busy.remove(sandbox)
            self.idle += [sandbox] if kind in ("response", "error") else []
        if kind in ("response", "error"):
            return answer(body, None if kind == "response" else "Unhandled")
        sandbox.kill()
        if kind is END:
            return failure("Runtime.ExitError", f"RequestId: {identity} Error: Runtime exited")
        words = f"RequestId: {identity} Error: Task timed out after {self.limit:.2f} seconds"
        return failure("Sandbox.Timedout", words)

    def die(self):
        """What serves an event is killed, whatever it does, and answers nothing more."""
        with self.lock:
            for sandbox in self.busy:
                sandbox.process.kill()

    def close(self):
        """Ends every process. None of them serves an event."""
        for sandbox in self.idle:
            sandbox.kill()


def answer(body, error=None):
    """An answer of Lambda's Invoke."""
    return {"StatusCode": 200, "Payload": body} | ({"FunctionError": error} if error else {})


def failure(kind, message):
    """The answer for a function error."""
    return answer(json.dumps({"errorType": kind, "errorMessage": message}).encode(), "Unhandled")
