"""What so many series of 1m take: the daemon's memory, the state directory, Redis' memory and append-only file. A simulated
exchange (Bybit's formats, whose limits let 10,000 series begin in minutes), a Redis and a state directory of our own; the market
runs faster than real time, so that what a bar costs is told by many bars. Prints what deploy/capacity.md is made from. Run with Debian's
Python:
    ATCD_PROGRAM=build/release/atcd /usr/bin/python3 -B perf/capacity.py [SERIES...]"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
os.environ.setdefault("ATCD_TEST_DEADLINE_S", "900")
os.environ["ATCD_PROGRAM"] = os.path.abspath(os.environ["ATCD_PROGRAM"])
from harness import ATCD, Workplace, wait_for  # noqa: E402

KEEP = 500
BARS_A_DAY = 1440
# So many bars are watched, at so many times real time: few where there are many series, since two processors do it all.
WATCHED = {100: (700, 300), 1000: (120, 60), 10000: (3, 1)}
ALL = "atc:1:{bybit:linear:1m:default}:all"


def configuration(simulator, client, directory, symbols):
    names = ", ".join(f"\"{symbol}\"" for symbol in symbols)
    return f"""
[[feed]]
exchange = "bybit"
market = "linear"
symbols = [{names}]
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{simulator.ws_url}"
rest_url = "{simulator.rest_url}"
[redis]
url = "{client.url}"
keep = {KEEP}
[state]
directory = "{directory}"
[log]
level = "warning"
"""


def memory(pid):
    """Bytes of a process: its own memory now, and the most that was resident."""
    status = open(f"/proc/{pid}/status").read()
    return tuple(int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) * 1024 for name in ("RssAnon", "VmHWM"))


def on_disk(path):
    """Bytes of the disk, without the holes of files."""
    if os.path.isfile(path):
        return os.stat(path).st_blocks * 512
    return sum(on_disk(os.path.join(path, name)) for name in os.listdir(path))


class Look:
    """What there is at one moment."""

    def __init__(self, client, state):
        info = client.info()
        self.added = client.xinfo_stream(ALL)["entries-added"]
        self.redis = info["used_memory"]
        self.append_only = info["aof_current_size"]
        self.blocks = os.path.getsize(os.path.join(state, "history", "blocks"))


def measure(series):
    watched, speed = WATCHED.get(series, (max(20, 100_000 // series), 10))
    symbols = [f"S{number}USDT" for number in range(series)]
    with Workplace() as place:
        client = place.redis(extra=("--appendonly", "yes", "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0"))
        empty = client.info()["used_memory"]
        simulator = place.simulator("--exchange", "bybit", "--symbols", ",".join(symbols), "--speed", str(speed),
                                    "--message-limit", "0", "--weight-limit", "1000000000", "--update-ms", "60000",
                                    "--closing-spread-ms", "1000")
        state = place.path("state")
        os.mkdir(state)
        began = time.monotonic()
        daemon = place.daemon(configuration(simulator, client, state, symbols))
        wait_for(lambda: client.hget("atc:1:daemon:main", "live") == str(series), "every series is live")
        wait_for(lambda: client.exists(ALL) and client.xinfo_stream(ALL)["entries-added"] >= 2 * series, "each has two signals")
        warm_s = time.monotonic() - began
        first = Look(client, state)
        wait_for(lambda: client.xinfo_stream(ALL)["entries-added"] >= first.added + watched * series, "the bars are watched")
        last = Look(client, state)
        anonymous, most = memory(daemon.pid)
        streams = client.xlen(ALL) + sum(client.xlen(f"atc:1:{{bybit:linear:1m:default}}:stream:{symbol}") for symbol in symbols)
        daemon.terminate()
        assert daemon.wait(300) == 0
        state_bytes, tails = on_disk(state), on_disk(os.path.join(state, "history", "tails"))
        held = sum(int(row.split()[1]) for row in subprocess.run([ATCD, "history", "list", "--directory", state],
                                                                capture_output=True, text=True, check=True).stdout.splitlines()
                   if row.startswith("bybit:"))
    signals = last.added - first.added
    entry = (last.redis - empty) / streams * 2 if streams else 0  # one in the series' stream, one in the group's
    append_only = (last.append_only - first.append_only) / signals
    print(f"series {series}: live after {warm_s:.0f} s; {signals} signals watched; memory {anonymous / 1e6:.1f} MB "
          f"({anonymous / series:.0f} bytes a series), at most {most / 1e6:.1f} MB resident; "
          f"disk {state_bytes / 1e6:.1f} MB with {held / series:.0f} bars a series ({state_bytes / series:.0f} bytes a series, "
          f"of that tails {tails / series:.0f}); blocks {last.blocks - first.blocks} bytes more, {last.blocks} in all; "
          f"Redis {(last.redis - empty) / 1e6:.1f} MB with {streams / series / 2:.0f} bars a series: {entry:.0f} bytes a bar; "
          f"append-only file {append_only:.0f} bytes a signal, {append_only * BARS_A_DAY * series / 1e9:.2f} GB a day", flush=True)


def main():
    for series in [int(text) for text in sys.argv[1:]] or sorted(WATCHED):
        measure(series)
    return 0


if __name__ == "__main__":
    sys.exit(main())
