"""`atcd verify --rest --follow` shares its address with daemons and bots: it asks an exchange for its list of symbols once, not
with each round."""
import http.client
import http.server
import sys
import threading

import harness
from harness import Workplace, stream_key, wait_for


class Proxy(http.server.ThreadingHTTPServer):
    """Hands every request to the simulator, and keeps what was asked for."""

    def __init__(self, address):
        self.target, self.asked = address, []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        connection = http.client.HTTPConnection(self.server.target, timeout=harness.DEADLINE_S)
        connection.request("GET", self.path)
        answer = connection.getresponse()
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "60", "--seed", "3", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        place.daemon(config)
        wait_for(lambda: client.xlen(stream_key("BTCUSDT")) > 3, "the first signals")
        proxy = Proxy(simulator.rest_url.split("//")[1])
        with open(place.path("verify.toml"), "w") as file:
            file.write(config.replace(simulator.rest_url, f"http://127.0.0.1:{proxy.server_port}"))
        done = harness.run("verify", "--config", place.path("verify.toml"), "--rest", "--follow", "--seconds", "6")
        assert done.returncode == 0, done
        bars = [path for path in proxy.asked if "klines" in path]
        lists = [path for path in proxy.asked if "exchangeInfo" in path]
        assert len(bars) > 3, proxy.asked
        assert len(lists) == 1, proxy.asked
        print(f"{len(bars)} rounds with bars, one list; {done.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
