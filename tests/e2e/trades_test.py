"""Bars built from trades: what is published equals the exchange's own bars, also where trades are lost, where nothing is
traded and where the connection is cut; REST is asked only about what can't be proven."""
import json
import socket
import sys

import harness
from harness import Workplace, wait_for

MINUTE_MS = 60_000
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SHIBUSDT"]
INTERVALS = {"1m": 1, "2m": 2, "5m": 5}


def stream_key(symbol, interval):
    return f"atc:1:{{binance:spot:{interval}:default}}:stream:{symbol}"


def check(simulator, client, symbol, interval):
    found = harness.entries(client, stream_key(symbol, interval))
    opens = [int(fields["open_ms"]) for _, fields in found]
    length_ms = INTERVALS[interval] * MINUTE_MS
    bars = {}
    for row in simulator.klines(symbol, "1m", opens[0], opens[-1] + length_ms - 1):
        price = [float(text) for text in row[1:6]]
        bar = bars.setdefault(row[0] // length_ms * length_ms, [price[0], price[1], price[2], 0, 0])
        bar[1], bar[2], bar[3], bar[4] = max(bar[1], price[1]), min(bar[2], price[2]), price[3], bar[4] + price[4]
    assert opens == sorted(bars), f"{symbol} {interval}: a bar is missing or twice"
    for _, fields in found:
        published = [float(fields[name]) for name in ("open", "high", "low", "close", "volume")]
        expected = bars[int(fields["open_ms"])]
        assert published == expected, f"{symbol} {interval} {fields['open_ms']}: {published}, the exchange has {expected}"
        assert fields["rev"] == "0", fields
    return found


def run(quiet_share, intervals):
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "20", "--speed", "120", "--seed", "5", "--quiet-share", quiet_share,
                                    "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, SYMBOLS,
                                       feed='source = "trades"')
        config = config.replace('intervals = ["1m"]', f"intervals = {json.dumps(intervals)}")
        daemon = place.daemon(config)

        def bars():
            return min(client.xlen(stream_key(symbol, "1m")) for symbol in SYMBOLS)

        def status():
            return json.loads(simulator.request("GET", "/sim/status"))

        wait_for(lambda: client.hgetall("atc:1:daemon:main").get("live") == str(len(SYMBOLS) * len(intervals)),
                 "every series is live")
        assert status()["subscriptions"] == len(SYMBOLS), "one stream a symbol carries all intervals"
        reached = bars()
        wait_for(lambda: bars() >= reached + 12, "bars built from trades, after those in which the subscription began")
        if quiet_share == "0":
            asked, reached = status()["rest_requests"], bars()
            wait_for(lambda: bars() >= reached + 10, "bars built from trades, whole ones")
            asked = status()["rest_requests"] - asked
            assert asked <= 2, f"{asked} REST requests while nothing was missing"
        for symbol in SYMBOLS:
            simulator.control(f"withhold_closing?symbol={symbol}&count=2")
        reached = bars()
        wait_for(lambda: bars() >= reached + 8, "bars after trades were lost")
        simulator.control("cut?how=reset")
        reached = bars()
        wait_for(lambda: bars() >= reached + 12, "bars after a cut")
        daemon.terminate()
        assert daemon.wait(30) == 0

        for symbol in SYMBOLS:
            for interval in intervals:
                found = check(simulator, client, symbol, interval)
                quiet = sum(1 for _, fields in found if float(fields["volume"]) == 0)
                live = sum(1 for _, fields in found if fields["source"] == "live")
                print(f"{symbol} {interval}: {len(found)} bars are the exchange's, {quiet} of them without a trade, "
                      f"{live} closed while live")
                assert (quiet > 0) == (quiet_share != "0"), quiet
                assert live > 0, "none was closed while live"
        kinds = {fields["event"] for _, fields in client.xrange("atc:1:events")}
        assert not kinds & {"correction", "late_correction", "conflict"}, kinds
        assert place.log_lines("daemon", "event=trades"), "the log says that trades were lost"


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
            return client.xlen(stream_key("BTCUSDT", "1m"))

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
    run("0", list(INTERVALS))
    # A longer bar of the simulator opens at the price that a quiet minute holds; of trades it begins with the first.
    run("0.2", ["1m"])
    comparison()
    return 0


if __name__ == "__main__":
    sys.exit(main())
