"""Bars built from trades: what is published equals the exchange's own bars, also where trades are lost or told twice, where
nothing is traded and where the connection is cut; REST is asked only about what can't be proven. And signals have the
bits that `atcd compute` gives on the exchange's bars."""
import concurrent.futures
import csv
import io
import json
import signal
import socket
import subprocess
import sys

import harness
from harness import ATCD, EXCHANGES, Workplace, wait_for

MINUTE_MS = 60_000
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SHIBUSDT"]
INTERVALS = {"1m": 1, "2m": 2, "5m": 5}
NUMBERS_ITS_TRADES = {"binance": True, "bybit": False, "okx": True}


class Feed:
    """The names of one exchange's streams and symbols."""

    def __init__(self, exchange):
        self.exchange, self.market = exchange, EXCHANGES[exchange]
        self.symbols = [symbol.replace("USDT", "-USDT") if exchange == "okx" else symbol for symbol in SYMBOLS]

    def series(self, symbol, interval):
        return f"{self.exchange}:{self.market}:{symbol}:{interval}:default"

    def stream_key(self, symbol, interval):
        return f"atc:1:{{{self.exchange}:{self.market}:{interval}:default}}:stream:{symbol}"

    def configuration(self, simulator, client, place, intervals, source):
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, self.symbols,
                                       feed=f'source = "{source}"')
        return (config.replace('exchange = "binance"', f'exchange = "{self.exchange}"')
                .replace('market = "spot"', f'market = "{self.market}"')
                .replace('intervals = ["1m"]', f"intervals = {json.dumps(intervals)}"))


def check_bars(feed, simulator, client, symbol, interval):
    found = harness.entries(client, feed.stream_key(symbol, interval))
    opens = [int(fields["open_ms"]) for _, fields in found]
    length_ms = INTERVALS[interval] * MINUTE_MS
    bars = {}
    for row in simulator.truth(symbol, "1m", opens[0]):
        price = row[2:7]
        bar = bars.setdefault(row[0] // length_ms * length_ms, [price[0], price[1], price[2], 0, 0])
        bar[1], bar[2], bar[3], bar[4] = max(bar[1], price[1]), min(bar[2], price[2]), price[3], bar[4] + price[4]
    bars = {open_ms: bar for open_ms, bar in bars.items() if open_ms <= opens[-1]}
    assert opens == sorted(bars), f"{symbol} {interval}: a bar is missing or twice"
    for _, fields in found:
        published = [float(fields[name]) for name in ("open", "high", "low", "close", "volume")]
        expected = bars[int(fields["open_ms"])]
        assert published == expected, f"{symbol} {interval} {fields['open_ms']}: {published}, the exchange has {expected}"
        assert fields["rev"] == "0", fields
    return found


def check_signals(feed, simulator, symbol, interval, found):
    """To the last bit: equal texts are equal bits."""
    rows = simulator.truth(symbol, interval, min(int(fields["anchor_ms"]) for _, fields in found) - 200 * MINUTE_MS)
    text = "open_ms,close_ms,close\n" + "".join(f"{row[0]},{row[1]},{row[5]!r}\n" for row in rows)
    done = subprocess.run([ATCD, "compute", "--live-anchors", feed.series(symbol, interval), "--history-bars", "60",
                           "--anchor-period", "60", "--extra", "time,trend,bar_index,anchor_ms", "-"],
                          input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    computed = {row[0]: line for row, line in zip(rows, csv.DictReader(io.StringIO(done.stdout)))}
    for entry, fields in found:
        line = computed[int(fields["open_ms"])]
        for name, column in (("average", "Average_Signal"), ("trend", "trend"), ("bar_index", "bar_index"),
                             ("anchor_ms", "anchor_ms"), ("kama_equity", "KAMA_S")):
            assert fields[name] == line[column], f"{symbol} {entry}: {name} {fields[name]}, offline {line[column]}"


def run(exchange, quiet_share, intervals):
    feed = Feed(exchange)
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", exchange, "--symbols", "20", "--speed", "120", "--seed", "5",
                                    "--quiet-share", quiet_share, "--weight-limit", "1000000")
        daemon = place.daemon(feed.configuration(simulator, client, place, intervals, "trades"))

        def bars():
            return min(client.xlen(feed.stream_key(symbol, "1m")) for symbol in feed.symbols)

        wait_for(lambda: client.hgetall("atc:1:daemon:main").get("live") == str(len(SYMBOLS) * len(intervals)),
                 "every series is live")
        assert simulator.status()["subscriptions"] == len(SYMBOLS), "one stream a symbol carries all intervals"
        reached = bars()
        wait_for(lambda: bars() >= reached + 12, "bars built from trades, after those in which the subscription began")
        if quiet_share == "0":
            asked, reached = simulator.status()["rest_requests"], bars()
            wait_for(lambda: bars() >= reached + 10, "bars built from trades, whole ones")
            asked = simulator.status()["rest_requests"] - asked
            assert asked <= 2, f"{asked} REST requests while nothing was missing"
        for symbol in feed.symbols:
            if NUMBERS_ITS_TRADES[exchange]:
                simulator.control(f"withhold_closing?symbol={symbol}&count=2")
            simulator.control(f"duplicate?symbol={symbol}&count=9")
        reached = bars()
        wait_for(lambda: bars() >= reached + 8, "bars after trades were lost and told twice")
        for symbol in feed.symbols:
            simulator.control(f"truncate?symbol={symbol}&count=1")
        reached = bars()
        wait_for(lambda: bars() >= reached + 8, "bars after frames that can't be understood")
        simulator.control("cut?how=reset")
        reached = bars()
        wait_for(lambda: bars() >= reached + 12, "bars after a cut")
        daemon.terminate()
        assert daemon.wait(30) == 0

        for symbol in feed.symbols:
            for interval in intervals:
                found = check_bars(feed, simulator, client, symbol, interval)
                check_signals(feed, simulator, symbol, interval, found)
                quiet = sum(1 for _, fields in found if float(fields["volume"]) == 0)
                live = sum(1 for _, fields in found if fields["source"] == "live")
                print(f"{feed.series(symbol, interval)}: {len(found)} bars are the exchange's, {quiet} of them without a "
                      f"trade, {live} closed while live")
                assert (quiet > 0) == (quiet_share != "0"), quiet
                assert live > 0, "none was closed while live"
        kinds = {fields["event"] for _, fields in client.xrange("atc:1:events")}
        assert not kinds & {"correction", "late_correction", "conflict"}, kinds
        if NUMBERS_ITS_TRADES[exchange]:
            assert place.log_lines("daemon", "event=trades"), "the log says that trades were lost"


def reload(exchange):
    """Another source in the configuration: the series goes on, its bars come from there."""
    feed = Feed(exchange)
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", exchange, "--symbols", "20", "--speed", "120", "--seed", "5",
                                    "--weight-limit", "1000000")
        daemon = place.daemon(feed.configuration(simulator, client, place, ["1m"], "klines"))
        key = feed.stream_key(feed.symbols[0], "1m")

        def closing_frames():
            return simulator.status()["closing_frames"][feed.symbols[0]]

        wait_for(lambda: client.xlen(key) >= 3, "bars of the exchange's")
        for source in ("trades", "klines", "trades"):
            with open(place.path("daemon.toml"), "w") as file:
                file.write(feed.configuration(simulator, client, place, ["1m"], source))
            told = len(place.log_lines("daemon", "event=source"))
            daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: len(place.log_lines("daemon", "event=source")) == told + len(SYMBOLS), "the source changes")
            wait_for(lambda: client.hgetall("atc:1:daemon:main").get("live") == str(len(SYMBOLS)), "live again")
            wait_for(lambda: simulator.status()["subscriptions"] == len(SYMBOLS), "the other streams are given up")
            sent, reached = closing_frames(), client.xlen(key)
            wait_for(lambda: client.xlen(key) >= reached + 10, f"bars from {source}")
            assert (closing_frames() > sent) == (source == "klines"), (source, sent, closing_frames())
        daemon.terminate()
        assert daemon.wait(30) == 0
        for symbol in feed.symbols:
            found = check_bars(feed, simulator, client, symbol, "1m")
            check_signals(feed, simulator, symbol, "1m", found)
            print(f"{feed.series(symbol, '1m')}: {len(found)} bars are the exchange's, whatever they were made of")
        kinds = {fields["event"] for _, fields in client.xrange("atc:1:events")}
        assert not kinds & {"correction", "late_correction", "conflict"}, kinds


def halt(exchange):
    """The exchange has no bars while it halts a symbol, and none is invented."""
    feed = Feed(exchange)
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", exchange, "--symbols", "20", "--speed", "120", "--seed", "5",
                                    "--weight-limit", "1000000")
        daemon = place.daemon(feed.configuration(simulator, client, place, ["1m"], "trades"))
        halted, other = feed.symbols[0], feed.symbols[1]

        def bars(symbol):
            return client.xlen(feed.stream_key(symbol, "1m"))

        wait_for(lambda: bars(halted) >= 1, "the first bars")
        reached = bars(halted)
        wait_for(lambda: bars(halted) >= reached + 10, "bars from trades")
        simulator.control(f"halt?symbol={halted}")
        reached = bars(other)
        wait_for(lambda: bars(other) >= reached + 20, "bars of the others meanwhile")
        simulator.control(f"resume?symbol={halted}")
        reached = bars(halted)
        wait_for(lambda: bars(halted) >= reached + 10, "bars after the halt")
        daemon.terminate()
        assert daemon.wait(30) == 0
        found = check_bars(feed, simulator, client, halted, "1m")
        check_signals(feed, simulator, halted, "1m", found)
        opens = [int(fields["open_ms"]) for _, fields in found]
        holes = [after - before for before, after in zip(opens, opens[1:]) if after - before > MINUTE_MS]
        assert len(holes) == 1, "no bar is there of the halt"
        print(f"{feed.series(halted, '1m')}: {len(found)} bars are the exchange's, none of {holes[0] // MINUTE_MS - 1} "
              "minutes of a halt")


def listen(simulator, stream):
    """A websocket of somebody else's, never read: the simulator corrects the bars of streams that somebody hears."""
    host, port = simulator.ws_url.split("//")[1].split(":")
    other = socket.create_connection((host, int(port)))
    other.sendall((f"GET /ws/{stream} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    assert b" 101 " in other.recv(4096)
    return other


def comparison():
    """A bar that the exchange tells otherwise than we built it is found, although no frame says so."""
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "1", "--speed", "20", "--seed", "5", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"],
                                       feed='source = "trades"')
        place.daemon(config)
        other = listen(simulator, "btcusdt@kline_1m")

        def bars():
            return client.xlen(Feed("binance").stream_key("BTCUSDT", "1m"))

        wait_for(lambda: bars() >= 1, "the first bar")
        reached = bars()
        wait_for(lambda: bars() >= reached + 6, "bars built from trades")
        assert json.loads(simulator.control("correct?symbol=BTCUSDT&bars_ago=4"))["corrected"] == 1

        def told():
            return [fields for _, fields in client.xrange("atc:1:events")
                    if fields["event"] in ("late_correction", "correction")]

        events = wait_for(told, "the difference is found")
        assert len(events) == 1, events
        print("compared:", events[0]["event"], events[0]["detail"])
        other.close()


def main():
    """Three parts at a time: most of each is waiting for bars."""
    parts = [(comparison,), (reload, "bybit"), (halt, "okx")]
    for exchange in EXCHANGES:
        parts.append((run, exchange, "0", list(INTERVALS)))
        # A longer bar of the simulator opens at the price that a quiet minute holds; of trades it begins with the first.
        parts.append((run, exchange, "0.2", ["1m"]))
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for part in [pool.submit(*part) for part in parts]:
            part.result()
    return 0


if __name__ == "__main__":
    sys.exit(main())
