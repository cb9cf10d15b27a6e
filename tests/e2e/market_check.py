"""What three simulated symbols under two profiles must look like in Redis: every closed bar once and in order, each
signal the bits that `atcd compute --live-anchors` gives on the simulator's history. Short periods, so that anchors
change during a test."""
import csv
import io
import json
import subprocess
import threading

import jsonschema
import redis

import harness
from harness import ATCD

EXCHANGE = "binance"  # whose formats are spoken; its market is spot
SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
MINUTE_MS = 60_000
FAMILIES = ["ema", "hma", "wma", "dema", "lsma", "kama"]
PROFILES = {
    # name: (configuration, options of atcd compute)
    "default": ("history_bars = 120\nanchor_period = 40\n", ["--history-bars", "120", "--anchor-period", "40"]),
    "quick": ("dialect = \"pine\"\nlengths = { ema = 10, hma = 12, wma = 14, dema = 9, lsma = 11, kama = 8 }\n"
              "families = [\"ema\", \"hma\", \"wma\", \"dema\", \"kama\"]\n"
              "robustness = \"narrow\"\nhistory_bars = 90\nanchor_period = 25\n",
              ["--history-bars", "90", "--anchor-period", "25", "--dialect", "pine", "--robustness", "narrow",
               "--families", "ema,hma,wma,dema,kama",
               "--lengths", "ema=10,hma=12,wma=14,dema=9,lsma=11,kama=8"]),
}


def configuration(simulator, client, directory, threads=2):
    profiles = "".join(f"[[profile]]\nname = \"{name}\"\n{text}\n" for name, (text, _) in PROFILES.items())
    symbols = ", ".join(f"\"{symbol}\"" for symbol in SYMBOLS)
    return f"""threads = {threads}
{profiles}
[[feed]]
exchange = "{EXCHANGE}"
market = "spot"
symbols = [{symbols}]
intervals = ["1m"]
profiles = ["default", "quick"]
rest_share = 1.0
websocket_url = "{simulator.ws_url}"
rest_url = "{simulator.rest_url}"
[redis]
url = "{client.url}"
keep = 100000
[http]
listen = "off"
[state]
directory = "{directory}"
"""


class Subscriber(threading.Thread):
    """What a bot hears: every push, in order of arrival."""

    END = "atc:1:signal:the end"

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.pubsub = client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.psubscribe("atc:1:signal:*")
        self.heard = []

    def run(self):
        while True:
            try:
                message = self.pubsub.get_message(timeout=0.2)
            except redis.exceptions.ConnectionError:
                return  # the test has ended, Redis with it
            if message and message["channel"] == self.END:
                return
            if message:
                self.heard.append((message["channel"], message["data"]))

    def finish(self):
        """Returns when all that was pushed up to now is heard."""
        self.client.publish(self.END, "")
        self.join(harness.DEADLINE_S)
        assert not self.is_alive(), "the subscriber does not hear the end"


def series_name(symbol, profile):
    return f"{EXCHANGE}:spot:{symbol}:1m:{profile}"


def stream_key(symbol, profile):
    return f"atc:1:{{{EXCHANGE}:spot:1m:{profile}}}:stream:{symbol}"


def verify(config, *arguments):
    return harness.run("verify", "--config", config, *arguments)


def expected_rows(simulator, symbol, profile, first_anchor_ms, last_open_ms):
    rows = simulator.klines(symbol, "1m", first_anchor_ms - 400 * MINUTE_MS, last_open_ms)
    text = "open_ms,close_ms,close\n" + "".join(f"{row[0]},{row[6] + 1},{row[4]}\n" for row in rows)
    command = [ATCD, "compute", "--live-anchors", series_name(symbol, profile), *PROFILES[profile][1],
               "--extra", "time,trend,bar_index,anchor_ms,previous_trend,trend_since_ms", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    computed = {}
    for row, line in zip(rows, csv.DictReader(io.StringIO(done.stdout))):
        computed[row[0]] = line
    return rows, computed


def check_stream(simulator, client, symbol, profile):
    """Returns how many entries and anchors were checked."""
    found = harness.entries(client, stream_key(symbol, profile))
    last = client.hgetall(f"atc:1:{{{EXCHANGE}:spot:1m:{profile}}}:last:{symbol}")
    assert last["close_ms"] >= found[-1][1]["close_ms"]
    return check_entries(simulator, found, symbol, profile)


def check_entries(simulator, found, symbol, profile):
    """As check_stream, of entries wherever they come from."""
    anchors = {int(fields["anchor_ms"]) for _, fields in found}
    rows, computed = expected_rows(simulator, symbol, profile, min(anchors), int(found[-1][1]["open_ms"]))
    at = {row[0]: row for row in rows}
    expected_open_ms = int(found[0][1]["open_ms"])
    validator = jsonschema.Draft202012Validator(harness.signal_schema())
    for entry_id, fields in found:
        where = f"{series_name(symbol, profile)} {entry_id}"
        open_ms = int(fields["open_ms"])
        assert open_ms == expected_open_ms, f"{where}: bar {expected_open_ms} is missing or out of order"
        expected_open_ms += MINUTE_MS
        assert entry_id == f"{open_ms + MINUTE_MS}-0", where
        bar = at[open_ms]
        for name, text in (("open", bar[1]), ("high", bar[2]), ("low", bar[3]), ("close", bar[4]), ("volume", bar[5])):
            assert float(fields[name]) == float(text), f"{where}: {name} {fields[name]}, the exchange has {text}"
        line = computed[open_ms]
        wanted = {"average": line["Average_Signal"], "trend": line["trend"], "bar_index": line["bar_index"],
                  "anchor_ms": line["anchor_ms"], "previous_trend": line["previous_trend"],
                  "trend_since_ms": line["trend_since_ms"]}
        for family in FAMILIES:
            wanted[f"{family}_signal"] = line[f"{family.upper()}_Signal"]
            wanted[f"{family}_equity"] = line[f"{family.upper()}_S"]
        # Shortest round-trip text on both sides: equal text is equal bits.
        for name, text in wanted.items():
            assert fields[name] == text, f"{where}: {name} is {fields[name]}, computed offline {text}"
        validator.validate(harness.as_json(fields))
    return len(found), len(anchors)


def check_pushes(client, heard):
    """Every entry of source live was pushed once and in order, and nothing else was."""
    validator = jsonschema.Draft202012Validator(harness.signal_schema())
    seen = {}
    pushed = set()
    for channel, data in heard:
        message = json.loads(data)
        validator.validate(message)
        close_ms = message["close_ms"]
        pushed.add((message["symbol"], message["profile"], close_ms))
        assert close_ms > seen.get(channel, 0), f"{channel}: {close_ms} pushed twice or out of order"
        seen[channel] = close_ms
        assert message["source"] == "live", message
        fields = client.xrange(stream_key(message["symbol"], message["profile"]), f"{close_ms}-0", f"{close_ms}-0")
        assert fields and float(fields[0][1]["average"]) == message["average"], f"{channel}: no such entry"
    live = {(symbol, profile, int(fields["close_ms"])) for symbol in SYMBOLS for profile in PROFILES
            for _, fields in harness.entries(client, stream_key(symbol, profile)) if fields["source"] == "live"}
    assert live == pushed, f"live but not pushed: {live - pushed}, pushed but not live: {pushed - live}"
    return len(heard)


def fewest_bars(client):
    """Of the streams, the length of the shortest."""
    return min(client.xlen(stream_key(symbol, profile)) for symbol in SYMBOLS for profile in PROFILES)
