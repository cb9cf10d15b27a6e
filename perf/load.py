"""The daemon under a steady load, for profiles and for pairs of programs. closing: every second all SERIES series close at once (a
minute of the exchange a second). forming: each of SERIES series has a frame of its running bar every 20 ms of real time, and one
bar a minute. A simulated exchange and a Redis of our own run on the same processors. Prints the daemon's process once every
series is live, and after SECONDS what it took: its CPU time a closed bar or a frame, of the user's side and of the kernel's.
    ATCD_PROGRAM=build/release/atcd /usr/bin/python3 -B perf/load.py closing|forming [SERIES [SECONDS]]"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
os.environ.setdefault("ATCD_TEST_DEADLINE_S", "600")
os.environ["ATCD_PROGRAM"] = os.path.abspath(os.environ["ATCD_PROGRAM"])
import harness  # noqa: E402
from harness import Workplace, wait_for  # noqa: E402

UPDATE_MS = {"closing": 60000, "forming": 20}
SPEED = {"closing": 60, "forming": 1}


def cpu_s(pid):
    """Of user and kernel."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13]]


def main():
    kind, series, seconds = (sys.argv[1:] + ["closing", "500", "20"][len(sys.argv) - 1:])[:3]
    if kind not in SPEED:
        sys.exit(f"the load is \"{kind}\": it must be closing or forming")
    symbols = [f"S{number}USDT" for number in range(int(series))]
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", ",".join(symbols), "--weight-limit", "1000000000", "--message-limit", "0",
                                    "--update-ms", str(UPDATE_MS[kind]), "--speed", str(SPEED[kind]))
        daemon = place.daemon(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, symbols))
        wait_for(lambda: client.hget("atc:1:daemon:main", "live") == series, "every series is live")
        print(f"daemon={daemon.pid}", flush=True)
        key = "atc:1:{binance:spot:1m:default}:all"
        bars, before, begun = client.xinfo_stream(key)["entries-added"], cpu_s(daemon.pid), time.monotonic()
        time.sleep(float(seconds))  # what is measured is this time
        bars, lasted_s = client.xinfo_stream(key)["entries-added"] - bars, time.monotonic() - begun
        user, kernel = (after - earlier for after, earlier in zip(cpu_s(daemon.pid), before))
        count = bars if kind == "closing" else int(series) * lasted_s * 1000 / UPDATE_MS[kind]
        print(f"{kind}: {count:.0f} {'bars' if kind == 'closing' else 'frames due'} in {lasted_s:.1f} s; CPU in us of each: user "
              f"{user * 1e6 / count:.2f}, kernel {kernel * 1e6 / count:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
