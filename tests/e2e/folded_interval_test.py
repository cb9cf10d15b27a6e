"""An interval that the exchange does not offer: published bars are what its shorter bars add up to, whatever happens to the
connection, from an empty history and after a restart."""
import json
import subprocess
import sys

import harness
from harness import ATCD, Workplace, stream_key, wait_for

MINUTE_MS = 60_000
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
# 2m is folded from the 1m that is subscribed anyway, 10m too; their REST rows come from 1m and 5m.
INTERVALS = {"1m": 1, "2m": 2, "10m": 10}


def expected_bars(simulator, symbol, interval, first_open_ms, last_open_ms):
    length_ms = INTERVALS[interval] * MINUTE_MS
    bars = {}
    for row in simulator.klines(symbol, "1m", first_open_ms, last_open_ms + length_ms - 1):
        open_ms = row[0] // length_ms * length_ms
        price = [float(text) for text in row[1:6]]
        if open_ms not in bars:
            bars[open_ms] = price
        else:
            bar = bars[open_ms]
            bars[open_ms] = [bar[0], max(bar[1], price[1]), min(bar[2], price[2]), price[3], bar[4] + price[4]]
    return bars


def check(simulator, client, symbol, interval):
    found = harness.entries(client, stream_key(symbol, interval))
    opens = [int(fields["open_ms"]) for _, fields in found]
    length_ms = INTERVALS[interval] * MINUTE_MS
    bars = expected_bars(simulator, symbol, interval, opens[0], opens[-1])
    assert opens == sorted(bars), f"{symbol} {interval}: a bar is missing or twice"
    for _, fields in found:
        open_ms = int(fields["open_ms"])
        published = [float(fields[name]) for name in ("open", "high", "low", "close", "volume")]
        assert published == bars[open_ms], f"{symbol} {interval} {open_ms}: {published}, not {bars[open_ms]}"
        assert int(fields["close_ms"]) == open_ms + length_ms
        assert fields["rev"] == "0", fields
    return found


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "2", "--speed", "600", "--seed", "11", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, SYMBOLS)
        config = config.replace('intervals = ["1m"]', f"intervals = {json.dumps(list(INTERVALS))}")

        def bars(interval):
            return min(client.xlen(stream_key(symbol, interval)) for symbol in SYMBOLS)

        daemon = place.daemon(config)
        wait_for(lambda: bars("10m") >= 3, "bars of ten minutes")
        simulator.control("cut?how=reset")
        reached = bars("10m")
        wait_for(lambda: bars("10m") >= reached + 3, "bars of ten minutes after a cut")
        status = json.loads(simulator.request("GET", "/sim/status"))
        assert status["subscriptions"] == len(SYMBOLS), f"one stream a symbol carries all intervals: {status}"
        daemon.terminate()
        assert daemon.wait(30) == 0
        daemon = place.daemon(config, name="second")
        reached = bars("10m")
        wait_for(lambda: bars("10m") >= reached + 4, "bars of ten minutes after a restart")
        daemon.terminate()
        assert daemon.wait(30) == 0

        for symbol in SYMBOLS:
            for interval in INTERVALS:
                found = check(simulator, client, symbol, interval)
                live = sum(1 for _, fields in found if fields["source"] == "live")
                assert live > 0, f"{symbol} {interval}: no bar was closed while live"
                print(f"{symbol} {interval}: {len(found)} bars are the fold of the exchange's minutes, {live} of them live")
        for options in ([], ["--rest"]):
            done = subprocess.run([ATCD, "verify", "--config", place.path("daemon.toml"), *options], capture_output=True,
                                  text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            print("verify", *options, "says:", done.stdout.strip())
        done = subprocess.run([ATCD, "check", "--connect", "--config", place.path("daemon.toml")], capture_output=True,
                              text=True)
        assert "6 series" in done.stdout + done.stderr, done.stdout + done.stderr
    return 0


if __name__ == "__main__":
    sys.exit(main())
