"""Step Functions, as far as the function calls it: StartExecution, passed on to whoever runs state machines."""

import http.server
import json
import threading


class Starts:
    """Listens on a free port. `start` is given the parameters and gives the answer; what it raises is the answer's error."""

    def __init__(self, start):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_POST(self):
                given = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["x-amz-target"] == "AWSStepFunctions.StartExecution", self.headers["x-amz-target"]
                try:
                    status, answer = 200, start(**given)
                except Exception as error:  # noqa: BLE001
                    of = getattr(error, "response", {"Error": {"Code": "InternalError", "Message": repr(error)}})["Error"]
                    status, answer = 400, {"__type": of["Code"], "message": of["Message"]}
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/x-amz-json-1.0")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()
