"""Starts what an end-to-end test needs (Redis, the simulator, the daemon), each in a temporary directory, and stops
all of it. Waiting is always for a condition with a deadline."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import redis

ATCD = os.environ["ATCD_PROGRAM"]
# Sanitizers slow everything down; a deadline is no statement about speed.
DEADLINE_S = float(os.environ.get("ATCD_TEST_DEADLINE_S", "120"))
# Debian 12's redis-py would end a reader with an AttributeError where Redis resets an idle connection: see the example.
redis.UnixDomainSocketConnection.host, redis.UnixDomainSocketConnection.port = "the Unix socket", 0


def wait_for(condition, what, deadline_s=DEADLINE_S):
    """Returns the first true value of condition(); fails with `what` at the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(0.05)


class Workplace:
    """A temporary directory and the processes started in it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="atcd-e2e-")
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for name, process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if kind is not None:
                print(f"---- last lines of {name} ----")
                print("".join(open(self.path(f"{name}.log"), errors="replace").readlines()[-40:]))
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def spawn(self, name, arguments, env=None, **options):
        log = open(self.path(f"{name}.log"), "ab")
        # Control sockets are made here: several tests run at the same time, each with its own daemons.
        options["env"] = {**(env or os.environ), "XDG_RUNTIME_DIR": self.directory}
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                                   **options)
        self.processes.append((name, process))
        return process

    def redis(self, name="redis", extra=(), env=None):
        socket = self.path(f"{name}.sock")
        self.spawn(name, ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no",
                          "--dir", self.directory, *extra], env=env)
        client = redis.Redis(unix_socket_path=socket, decode_responses=True)

        def ready():
            try:
                return client.ping()
            except redis.exceptions.ConnectionError:
                return False

        wait_for(ready, "redis-server answers")
        client.url = f"unix://{socket}"
        return client

    def simulator(self, *arguments, name="simulator"):
        process = self.spawn(name, [ATCD, "simulate", "--listen", "127.0.0.1:0", *arguments])

        def listening():
            assert process.poll() is None, "the simulator ended: " + open(self.path(f"{name}.log"), errors="replace").read()
            for line in open(self.path(f"{name}.log"), errors="replace"):
                if "event=listening" in line and line.endswith("\n"):
                    return dict(part.split("=", 1) for part in line.split() if "=" in part)
            return None

        return Simulator(wait_for(listening, "the simulator listens"), process.pid)

    def daemon(self, config, name="daemon"):
        path = self.path(f"{name}.toml")
        with open(path, "w") as file:
            file.write(config)
        return self.spawn(name, [ATCD, "run", "--config", path])

    def log_lines(self, name, text):
        return [line for line in open(self.path(f"{name}.log"), errors="replace") if text in line]


# What a test that holds for every exchange takes for each: the market that it configures.
EXCHANGES = {"binance": "spot", "bybit": "linear", "okx": "spot"}


class Simulator:
    def __init__(self, urls, pid):
        self.pid = pid
        self.ws_url, self.rest_url = urls["ws_url"], urls["rest_url"]
        self.urls = urls

    def request(self, method, target):
        connection = http.client.HTTPConnection(self.rest_url.split("//")[1], timeout=DEADLINE_S)
        connection.request(method, target)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        if response.status != 200:
            raise AssertionError(f"{method} {target}: {response.status} {body}")
        return body

    def control(self, target):
        return self.request("POST", f"/sim/{target}")

    def status(self):
        return json.loads(self.request("GET", "/sim/status"))

    def symbols(self):
        """As the exchange writes them."""
        return list(self.status()["closing_frames"])

    def truth(self, symbol, interval, from_ms):
        """Every closed bar from from_ms on, whatever REST says: [open_ms, close_ms, open, high, low, close, volume]."""
        rows = []
        while True:
            page = json.loads(self.request("GET", f"/sim/klines?symbol={symbol}&interval={interval}&from_ms={from_ms}"))
            rows += page
            if len(page) < 10_000:
                return rows
            from_ms = page[-1][1]

    def klines(self, symbol, interval, start_ms, end_ms):
        """Every row from start_ms to end_ms, oldest first, asked for page by page, in Binance's form."""
        if self.urls["exchange"] == "bybit":
            return self.bybit_klines(symbol, interval, start_ms, end_ms)
        rows = []
        while True:
            page = json.loads(self.request("GET", f"/api/v3/klines?symbol={symbol}&interval={interval}"
                                                  f"&startTime={start_ms}&endTime={end_ms}&limit=1000"))
            rows += page
            if len(page) < 1000:
                return rows
            start_ms = page[-1][0] + 1

    def bybit_klines(self, symbol, interval, start_ms, end_ms):
        assert interval == "1m", interval
        rows = []
        while True:
            answer = json.loads(self.request("GET", f"/v5/market/kline?category=spot&symbol={symbol}&interval=1"
                                                    f"&start={start_ms}&end={end_ms}&limit=1000"))
            page = answer["result"]["list"]  # the newest, newest first
            rows = [[int(row[0]), *row[1:6], int(row[0]) + 59_999] for row in reversed(page)] + rows
            if len(page) < 1000:
                return rows
            end_ms = rows[0][0] - 1


def configuration(ws_url, rest_url, redis_url, directory, symbols, feed="", redis_keys="", http="off"):
    """A configuration with one feed of 1m bars and short periods; `feed` and `redis_keys` are more lines of theirs.
    Tests run side by side, so that no HTTP port may be fixed."""
    return f"""
[[profile]]
name = "default"
history_bars = 60
anchor_period = 60
[[feed]]
exchange = "binance"
market = "spot"
symbols = {json.dumps(symbols)}
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{ws_url}"
rest_url = "{rest_url}"
{feed}
[http]
listen = "{http}"
[redis]
url = "{redis_url}"
keep = 100000
{redis_keys}
[state]
directory = "{directory}"
"""


def series_name(symbol, interval="1m", profile="default", market="binance:spot"):
    return f"{market}:{symbol}:{interval}:{profile}"


def stream_key(symbol, interval="1m", profile="default", market="binance:spot"):
    return f"atc:1:{{{market}:{interval}:{profile}}}:stream:{symbol}"


def run(*arguments):
    """What a command of atcd came to."""
    return subprocess.run([ATCD, *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def entries(client, key):
    """The whole stream as (id, fields), oldest first."""
    return client.xrange(key)


def signal_schema():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/signal.schema.json")
    with open(path) as file:
        return json.load(file)


def as_json(fields):
    """A stream's or hash's fields as the JSON of the same signal would have them."""
    properties = signal_schema()["properties"]
    texts = {"series", "exchange", "market", "symbol", "interval", "profile", "config", "dialect", "instance", "source"}
    assert set(fields) <= set(properties), f"not in the schema: {set(fields) - set(properties)}"
    return {name: text if name in texts else json.loads(text) if text else None for name, text in fields.items()}
