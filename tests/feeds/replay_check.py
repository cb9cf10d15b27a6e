"""Compares `atcd replay --bars` with an independent reading of the same recordings.

usage: replay_check.py ATCD MARKET RECORDING..."""
import gzip
import json
import subprocess
import sys


def expected_bars(path):
    """Closed klines, each series and open time once, in the order of the frames."""
    bars = {}
    for line in gzip.open(path, "rt"):
        frame = json.loads(line)
        event = frame.get("data", frame) if isinstance(frame, dict) else None
        if isinstance(event, dict) and event.get("e") == "kline" and event["k"]["x"]:
            k = event["k"]
            prices = [float(k[name]) for name in "ohlcv"]
            bars.setdefault((k["s"], k["i"], k["t"]), [k["T"] + 1] + prices)
    return [list(key) + rest for key, rest in bars.items()]


def replayed_bars(atcd, market, path):
    command = [atcd, "replay", "--exchange", "binance", "--market", market, "--bars", path]
    rows = [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
    names = ["symbol", "interval", "open_ms", "close_ms", "open", "high", "low", "close", "volume"]
    assert all(list(row) == names for row in rows), "names and their order"
    return [[row[name] for name in names] for row in rows]


def main(atcd, market, *paths):
    for path in paths:
        expected, replayed = expected_bars(path), replayed_bars(atcd, market, path)
        if expected != replayed:
            sys.exit(f"{path}: expected {expected}, but atcd replay gave {replayed}")
        print(f"{len(expected)} closed bars in {path}")


main(*sys.argv[1:])
