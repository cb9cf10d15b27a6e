"""One bar 0 for ever (`anchor` of a profile): days back, whose bars are all fetched, within a slot rather than at its
begin; and one that is yet to come, before which nothing is published. Every signal has the bits that `atcd compute`
gives on the bars since, over a clean end, kills, a lost snapshot and a Redis that lost everything."""
import csv
import datetime
import io
import json
import os
import signal
import subprocess
import sys

import harness
from harness import ATCD, Workplace, stream_key, wait_for

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
MINUTE_MS = 60_000
BARS_BACK = 6 * 1440 + 17  # several pages, and a long way that is gone in pieces
BARS_AHEAD = 25
FAMILIES = ["ema", "hma", "wma", "dema", "lsma", "kama"]


def utc(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def configuration(simulator, client, directory, anchors):
    profiles = "".join(f"[[profile]]\nname = \"{name}\"\nlengths = {{ ema = 9, hma = 9, wma = 9, dema = 9, lsma = 9, kama = 9 }}\n"
                       f"anchor = \"{utc(ms)}\"\n" for name, ms in anchors.items())
    text = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, directory, SYMBOLS,
                                 feed=f"profiles = [{', '.join(chr(34) + name + chr(34) for name in anchors)}]")
    return profiles + text[text.index("[[feed]]"):]


def check(simulator, client, symbol, profile, anchor_ms):
    """Returns the numbers of the first and the last bar."""
    found = harness.entries(client, stream_key(symbol, profile=profile))
    first_ms = -(-anchor_ms // MINUTE_MS) * MINUTE_MS  # the first slot that begins at the anchor or after it
    rows = simulator.klines(symbol, "1m", first_ms, int(found[-1][1]["open_ms"]))
    assert rows[0][0] == first_ms, (rows[0], first_ms)
    text = "open_ms,close_ms,close\n" + "".join(f"{row[0]},{row[6] + 1},{row[4]}\n" for row in rows)
    done = subprocess.run([ATCD, "compute", "--lengths", "ema=9,hma=9,wma=9,dema=9,lsma=9,kama=9", "--extra", "time,trend", "-"],
                          input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    computed = list(csv.DictReader(io.StringIO(done.stdout)))
    index = (int(found[0][1]["open_ms"]) - first_ms) // MINUTE_MS
    for (entry, fields), index in zip(found, range(index, len(rows))):
        where = f"{symbol} {profile} {entry}"
        assert int(fields["open_ms"]) == first_ms + index * MINUTE_MS, f"{where}: a bar is missing or out of order"
        assert (int(fields["bar_index"]), int(fields["anchor_ms"])) == (index, first_ms), where
        line = computed[index]
        wanted = {"average": line["Average_Signal"], "trend": line["trend"]}
        for family in FAMILIES:
            wanted[f"{family}_signal"] = line[f"{family.upper()}_Signal"]
            wanted[f"{family}_equity"] = line[f"{family.upper()}_S"]
        for name, value in wanted.items():
            assert fields[name] == value, f"{where}: {name} is {fields[name]}, computed offline {value}"
    assert index == len(rows) - 1, (index, len(rows))
    return int(found[0][1]["bar_index"]), index


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "2", "--speed", "60", "--seed", "91", "--weight-limit", "1000000")
        now_ms = simulator.status()["now_ms"]
        anchors = {"since": now_ms // MINUTE_MS * MINUTE_MS - BARS_BACK * MINUTE_MS + 30_000,
                   "soon": now_ms // MINUTE_MS * MINUTE_MS + BARS_AHEAD * MINUTE_MS}
        config = configuration(simulator, client, place.directory, anchors)

        def bars(profile):
            return min(client.xlen(stream_key(symbol, profile=profile)) for symbol in SYMBOLS)

        def goes_on(by, what):
            reached = bars("since")
            wait_for(lambda: bars("since") >= reached + by, what)

        def check_all():
            for profile, anchor_ms in anchors.items():
                first, last = zip(*(check(simulator, client, symbol, profile, anchor_ms) for symbol in SYMBOLS))
                print(f"{profile}: bars {min(first)} to {max(last)} once and in order, equal bits")

        daemon = place.daemon(config)
        goes_on(3, "signals since the anchor of days ago")
        assert bars("soon") == 0, "signals before their bar 0"
        state = json.loads(client.hget("atc:1:state:main", "binance:spot:BTCUSDT:1m:soon"))["state"]
        assert state == "WARMING", state
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(60) == 0
        daemon = place.daemon(config)
        goes_on(2, "signals after a clean end")
        daemon.kill()
        daemon.wait()
        for name in ("snapshot", "snapshot.previous"):
            if os.path.exists(place.path(f"history/{name}")):
                os.remove(place.path(f"history/{name}"))
        daemon = place.daemon(config)
        goes_on(2, "signals after a kill and without a snapshot")
        wait_for(lambda: bars("soon") >= 10, "signals since the anchor that was to come")
        check_all()
        client.flushall()
        goes_on(5, "signals after Redis lost everything")
        daemon.terminate()
        assert daemon.wait(60) == 0
        check_all()
        verified = subprocess.run([ATCD, "verify", "--config", place.path("daemon.toml")], capture_output=True, text=True)
        assert verified.returncode == 0, verified
        print(verified.stdout.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
