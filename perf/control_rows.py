"""What `atcd top` costs a daemon with SERIES series (eight symbols, many profiles; one thread): reads all rows SWEEPS times over
the control socket, while no bar closes, and prints the CPU time of the worker's thread and of the owner's per row, how long the
worker is away from its bars at a time (16 rows), and the time of a sweep. Run with Debian's Python:
    ATCD_PROGRAM=build/release/atcd /usr/bin/python3 -B perf/control_rows.py [SERIES [SWEEPS]]"""
import json
import os
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
os.environ["ATCD_PROGRAM"] = os.path.abspath(os.environ["ATCD_PROGRAM"])
from harness import Workplace, configuration, wait_for  # noqa: E402

SERIES, SWEEPS = (int(text) for text in (sys.argv[1:] + ["10000", "100"][len(sys.argv) - 1:])[:2])
SYMBOLS = 8
ROWS_AT_ONCE = 16  # as in daemon/worker_questions.cpp


def cpu_s(pid):
    """Of the process's first thread, the owner's, and of all others together: to the nanosecond."""
    times = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            times[int(thread)] = int(file.read().split()[0]) / 1e9
    return times.pop(pid), sum(times.values())


class Daemon:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def ask(self, **request):
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        return self.file.readline()

    def sweep(self):
        rows, after = 0, {}
        while after is not None:
            page = self.ask(command="series", **after)
            rows += page.count(b'"series":')
            place = page.split(b'"next":', 1)[1].split(b",", 1)[0].strip(b'"')
            after = None if place == b"null" else {"after": place.decode()}
        return rows


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", str(SYMBOLS), "--weight-limit", "1000000")
        profile, feeds = configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["*USDT"]).split("[[feed]]")
        names = [f"p{number}" for number in range(SERIES // SYMBOLS)]
        feeds = feeds.replace('intervals = ["1m"]', f'intervals = ["1h"]\nprofiles = {json.dumps(names)}')
        profiles = "".join(profile.replace('"default"', json.dumps(name)) for name in names)
        daemon = place.daemon(profiles + "[[feed]]" + feeds)
        path = place.path("atcd/main.sock")
        wait_for(lambda: os.path.exists(path), "the control socket")
        control = Daemon(path)
        wait_for(lambda: json.loads(control.ask(command="status"))["live"] == SYMBOLS * len(names), "every series is live")
        wait_for(lambda: json.loads(control.ask(command="status"))["unpublished"] == 0, "all is in Redis")
        owner, workers = cpu_s(daemon.pid)
        began, took = time.monotonic(), []
        rows = 0
        for _ in range(SWEEPS):
            at = time.monotonic()
            rows += control.sweep()
            took.append((time.monotonic() - at) * 1000)
        seconds = time.monotonic() - began
        after_owner, after_workers = cpu_s(daemon.pid)
        # What the same time costs when nobody asks.
        time.sleep(seconds)
        idle_owner, idle_workers = (after - before for after, before in zip(cpu_s(daemon.pid), (after_owner, after_workers)))
        worker_us = (after_workers - workers - idle_workers) * 1e6 / rows
        owner_us = (after_owner - owner - idle_owner) * 1e6 / rows
        print(f"{rows // SWEEPS} series, {SWEEPS} sweeps: worker {worker_us:.3f} us a row, {worker_us * ROWS_AT_ONCE:.1f} us for "
              f"{ROWS_AT_ONCE} rows; owner {owner_us:.2f} us a row; a sweep {statistics.median(took):.0f} ms (median), "
              f"{max(took):.0f} ms (most); load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
