"""The simulated OKX to Redis: spot and swap, one interval with a name of its own, a connection that is cut. Every closed
bar once and in order, with the prices and volumes that the exchange's REST has. Three days, which OKX opens nobody knows
when, are folded from its days."""
import json
import sys

from harness import Workplace, entries, wait_for

CONFIGURATION = """
[[profile]]
name = "default"
history_bars = 60
anchor_period = 60
[[feed]]
exchange = "okx"
market = "swap"
symbols = ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]
intervals = ["1m", "1h", "3d"]
rest_share = 1.0
websocket_url = "{sim.ws_url}"
rest_url = "{sim.rest_url}"
[[feed]]
exchange = "okx"
market = "spot"
symbols = ["*-USDT"]
top = 2
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{sim.ws_url}"
rest_url = "{sim.rest_url}"
[redis]
url = "{redis.url}"
[http]
listen = "off"
[state]
directory = "{directory}"
"""
BARS = {"1m": "1m", "1h": "1H"}
STEP_MS = {"1m": 60_000, "1h": 3_600_000}


def rest_rows(simulator, symbol, bar, from_ms, to_ms):
    """From the bar that opens at from_ms to that which opens at to_ms, oldest first, asked for page by page."""
    rows = []
    while True:
        answer = simulator.request("GET", f"/api/v5/market/candles?instId={symbol}&bar={bar}"
                                          f"&before={from_ms - 1}&after={to_ms + 1}&limit=300")
        page = json.loads(answer)["data"]  # the newest, newest first
        rows = list(reversed(page)) + rows
        if len(page) < 300:
            return rows
        to_ms = int(page[-1][0]) - 1


def check_stream(simulator, client, key):
    """Every slot from the first to the last once, as REST has it. How many."""
    bars = [fields for _, fields in entries(client, key)]
    symbol, interval = bars[0]["symbol"], bars[0]["interval"]
    opens = [int(bar["open_ms"]) for bar in bars]
    assert all(b - a == STEP_MS[interval] for a, b in zip(opens, opens[1:])), (key, opens)
    rows = rest_rows(simulator, symbol, BARS[interval], opens[0], opens[-1])
    published = [[bar["open_ms"]] + [float(bar[name]) for name in ("open", "high", "low", "close", "volume")]
                 for bar in bars]
    assert published == [[row[0]] + [float(cell) for cell in row[1:6]] for row in rows], key
    return len(bars)


def check_three_days(simulator, client, symbol):
    """The one that closed last, from the days that REST has."""
    bar = entries(client, f"atc:1:{{okx:swap:3d:default}}:stream:{symbol}")[-1][1]
    open_ms, day_ms = int(bar["open_ms"]), 86_400_000
    assert open_ms % (3 * day_ms) == 0 and int(bar["close_ms"]) == open_ms + 3 * day_ms, bar
    rows = rest_rows(simulator, symbol, "1Dutc", open_ms, open_ms + 2 * day_ms)
    days = [[float(cell) for cell in row[1:6]] for row in rows]
    assert len(days) == 3, days
    folded = [days[0][0], max(day[1] for day in days), min(day[2] for day in days), days[-1][3],
              sum(day[4] for day in days)]
    assert [float(bar[name]) for name in ("open", "high", "low", "close", "volume")] == folded, (bar, folded)


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", "okx", "--symbols", "4", "--speed", "240", "--seed", "7")
        place.daemon(CONFIGURATION.format(sim=simulator, redis=client, directory=place.directory))
        watched = "atc:1:{okx:swap:1m:default}:stream:BTC-USDT-SWAP"
        wait_for(lambda: client.xlen(watched) >= 10, "the first signals")
        simulator.control("cut?how=reset")
        wait_for(lambda: client.xlen(watched) >= 70, "signals go on after a cut")
        def all_streams():
            keys = sorted(client.keys("atc:1:{*}:stream:*"))
            return keys if len(keys) == 8 else None

        series = wait_for(all_streams, "each of the eight series has a signal")
        for symbol in ("BTC-USDT-SWAP", "ETH-USDT-SWAP"):
            check_three_days(simulator, client, symbol)
        for key in series:
            if ":3d:" in key:
                continue
            print(f"{key}: {check_stream(simulator, client, key)} bars as REST has them")
        assert not place.log_lines("daemon", "level=error"), place.log_lines("daemon", "level=error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
