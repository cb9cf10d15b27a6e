"""A long interval that is added where a short one's history goes back far enough: its bars are folded from that, the
exchange is asked for less, and its signals have the bits that they would have had. Where the exchange tells other bars than
the stored ones add up to, it is asked for all."""
import csv
import io
import json
import shutil
import signal
import subprocess
import sys

import harness
from harness import ATCD, Workplace, stream_key, wait_for

SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
LENGTH_MS = 300_000
OPTIONS = ["--history-bars", "1100", "--anchor-period", "1000"]
FAMILIES = ["ema", "hma", "wma", "dema", "lsma", "kama"]


def configuration(simulator, redis_url, directory, intervals, history_bars=1100):
    text = harness.configuration(simulator.ws_url, simulator.rest_url, redis_url, directory, SYMBOLS)
    text = text.replace("history_bars = 60", f"history_bars = {history_bars}")
    text = text.replace("anchor_period = 60", "anchor_period = 1000")
    return text.replace('intervals = ["1m"]', f"intervals = {json.dumps(intervals)}")


def fewest(client, interval):
    return min(client.xlen(stream_key(symbol, interval)) for symbol in SYMBOLS)


def check_bits(simulator, client, symbol):
    found = harness.entries(client, stream_key(symbol, "5m"))
    anchor_ms = min(int(fields["anchor_ms"]) for _, fields in found)
    rows = simulator.truth(symbol, "5m", anchor_ms - 400 * LENGTH_MS)
    text = "open_ms,close_ms,close\n" + "".join(f"{row[0]},{row[1]},{row[5]!r}\n" for row in rows)
    done = subprocess.run([ATCD, "compute", "--live-anchors", f"binance:spot:{symbol}:5m:default", *OPTIONS, "--extra",
                           "time,trend,bar_index,anchor_ms,previous_trend,trend_since_ms", "-"],
                          input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = {row[0]: line for row, line in zip(rows, csv.DictReader(io.StringIO(done.stdout)))}
    bars = {row[0]: row for row in rows}
    opens = [int(fields["open_ms"]) for _, fields in found]
    assert opens == list(range(opens[0], opens[-1] + 1, LENGTH_MS)), f"{symbol}: a bar is missing, or not in order"
    for entry, fields in found:
        open_ms = int(fields["open_ms"])
        line = lines[open_ms]
        wanted = {"average": line["Average_Signal"], **{name: line[name] for name in
                  ("trend", "bar_index", "anchor_ms", "previous_trend", "trend_since_ms")}}
        for family in FAMILIES:
            wanted[f"{family}_signal"] = line[f"{family.upper()}_Signal"]
            wanted[f"{family}_equity"] = line[f"{family.upper()}_S"]
        got = {name: fields[name] for name in wanted}
        assert got == wanted, f"{symbol} {entry}: {got}, computed offline {wanted}"
        prices = [float(fields[name]) for name in ("open", "high", "low", "close")]
        assert prices == bars[open_ms][2:6], f"{symbol} {entry}: {prices}, the exchange has {bars[open_ms]}"
    return len(found)


def added_interval(place, simulator, directory, number, before=lambda: None):
    """Runs with minutes, adds five of them, and gives the client and how many requests that took."""
    client = place.redis(name=f"redis-{number}")
    minutes = configuration(simulator, client.url, directory, ["1m"])
    name = f"daemon-{number}"
    daemon = place.daemon(minutes, name=name)
    wait_for(lambda: fewest(client, "1m") >= 1, "signals of minutes")
    before()
    asked = simulator.status()["rest_requests"]
    with open(place.path(f"{name}.toml"), "w") as file:
        file.write(configuration(simulator, client.url, directory, ["1m", "5m"]))
    daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: fewest(client, "5m") >= 1, "signals of five minutes")
    asked = simulator.status()["rest_requests"] - asked
    wait_for(lambda: fewest(client, "5m") >= 4, "more signals of five minutes")
    daemon.terminate()
    assert daemon.wait(60) == 0
    return client, asked


OKX = """
[[profile]]
name = "default"
history_bars = 1100
anchor_period = 1000
[[feed]]
exchange = "okx"
market = "swap"
symbols = ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]
intervals = ["{interval}"]
rest_share = 1.0
websocket_url = "{sim.ws_url}"
rest_url = "{sim.rest_url}"
[redis]
url = "{redis}"
[http]
listen = "off"
[state]
directory = "{directory}"
"""


def another_instruments_minutes():
    """The name became another instrument's ten hours ago: the exchange tells the same newest bars as are stored, but none from
    before that, and what is stored of it is not folded."""
    with Workplace() as place:
        simulator = place.simulator("--exchange", "okx", "--symbols", "BTCUSDT,ETHUSDT", "--speed", "60", "--seed", "72",
                                    "--weight-limit", "1000000")
        client = place.redis()
        with open(place.path("warm.toml"), "w") as file:
            text = OKX.format(interval="1m", sim=simulator, redis="redis://127.0.0.1:1", directory=place.directory)
            file.write(text.replace("history_bars = 1100", "history_bars = 11000"))
        done = subprocess.run([ATCD, "warm", "--config", place.path("warm.toml")], capture_output=True, text=True)
        assert done.returncode == 0, done
        listed_ms = simulator.status()["now_ms"] - 10 * 3_600_000
        simulator.control(f"replace?symbol=BTC-USDT&listed_ms={listed_ms}")
        place.daemon(OKX.format(interval="5m", sim=simulator, redis=client.url, directory=place.directory))
        group = "atc:1:{okx:swap:5m:default}"
        wait_for(lambda: all(client.xlen(f"{group}:stream:{symbol}-USDT-SWAP") >= 2 for symbol in ("BTC", "ETH")),
                 "signals of both")
        lines = place.log_lines("daemon", "event=folded") + place.log_lines("daemon", "event=fold_refused")
        assert len(lines) == 1 and "event=folded" in lines[0] and "ETH-USDT-SWAP" in lines[0], lines
        newest = client.hgetall(f"{group}:last:BTC-USDT-SWAP")
        assert int(newest["anchor_ms"]) >= listed_ms - LENGTH_MS, f"computed from bars before its listing: {newest}"
        print("the minutes of another instrument are not folded")


def main():
    another_instruments_minutes()
    with Workplace() as place:
        simulator = place.simulator("--symbols", "3", "--speed", "60", "--seed", "71", "--weight-limit", "1000000")
        # More than a week of minutes in one folder, what they need for themselves in the other.
        for directory, bars in (("week", 11_000), ("day", 1100)):
            path = place.path(f"{directory}.toml")
            with open(path, "w") as file:
                file.write(configuration(simulator, "redis://127.0.0.1:1", place.path(directory), ["1m"], bars))
            done = subprocess.run([ATCD, "warm", "--config", path], capture_output=True, text=True)
            assert done.returncode == 0, done
        shutil.copytree(place.path("week"), place.path("other-week"))

        _, plain = added_interval(place, simulator, place.path("day"), 1)
        assert not place.log_lines("daemon-1", "event=folded"), "a day of minutes is no week of fives"
        client, folded = added_interval(place, simulator, place.path("week"), 2)
        lines = place.log_lines("daemon-2", "event=folded")
        assert len(lines) == len(SYMBOLS), lines
        assert folded <= plain - len(SYMBOLS), f"{folded} requests, {plain} without the history of minutes"
        count = sum(check_bits(simulator, client, symbol) for symbol in SYMBOLS)
        print(f"{folded} requests instead of {plain}; {count} signals, equal bits")

        # A restart takes up what was folded as if it had been asked for.
        daemon = place.daemon(configuration(simulator, client.url, place.path("week"), ["1m", "5m"]), name="daemon-3")
        reached = fewest(client, "5m")
        wait_for(lambda: fewest(client, "5m") >= reached + 2, "signals go on")
        assert not place.log_lines("daemon-3", "event=folded"), "what is there is not folded again"
        for symbol in SYMBOLS:
            check_bits(simulator, client, symbol)
        verified = subprocess.run([ATCD, "verify", "--config", place.path("daemon-3.toml"), "--rest"], capture_output=True,
                                  text=True)
        assert verified.returncode == 0, verified

        # While that one keeps the streams of fives going: the exchange corrects some of them and not their minutes. One at
        # least lies among those that are compared, wherever the blocks of minutes end.
        for minutes_ago in (250, 500, 750, 1000):
            simulator.control(f"correct?symbol=ETHUSDT&bars_ago={minutes_ago // 5}")

        def correct():
            """A minute, told to who hears minutes, and a five that is too old to be compared."""
            simulator.control("correct?symbol=BNBUSDT&bars_ago=1000")
            wait_for(lambda: place.log_lines("daemon-4", "event=late_correction"), "the minute is told otherwise")

        client, _ = added_interval(place, simulator, place.path("other-week"), 4, correct)
        folded = place.log_lines("daemon-4", "event=folded")
        assert len(folded) == 1 and "BTCUSDT" in folded[0], folded
        refused = place.log_lines("daemon-4", "event=fold_refused")
        assert len(refused) == 1 and "ETHUSDT" in refused[0], refused
        for symbol in SYMBOLS:
            check_bits(simulator, client, symbol)
        daemon.terminate()
        assert daemon.wait(60) == 0
        print("what the exchange tells otherwise is not folded, and the signals are those of its bars")
    return 0


if __name__ == "__main__":
    sys.exit(main())
