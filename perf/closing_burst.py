"""SERIES series close at the same minute, their closing frames sent at once or spread evenly over SPREAD_MS: how long after
its frame was read each signal was handed to the connection to Redis, and how long until Redis had it. A simulated exchange and
a Redis of our own, on the same processors as the daemon. Read from what is published: received_us and published_us of each
entry, and the time in the ID that Redis gives the entry of the group's stream (a millisecond's resolution; the acknowledgement
leaves when the function ends). Prints two lines a minute, for MINUTES minutes: the delays, and the CPU time that each process
took from just before the minute's end on, which tells more than the delays where others are busy on the machine. Run with
Debian's Python:
    ATCD_PROGRAM=build/release/atcd /usr/bin/python3 -B perf/closing_burst.py [SERIES [MINUTES [SPREAD_MS]]]"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
os.environ.setdefault("ATCD_TEST_DEADLINE_S", "1800")
os.environ["ATCD_PROGRAM"] = os.path.abspath(os.environ["ATCD_PROGRAM"])
from harness import Workplace, wait_for  # noqa: E402

SERIES, MINUTES, SPREAD_MS = (int(text) for text in (sys.argv[1:] + ["10000", "3", "0"][len(sys.argv) - 1:])[:3])
GROUP = "atc:1:{binance:spot:1m:default}"
BARS = 100  # enough for every average; the engine's work on a bar does not depend on it


def configuration(simulator, client, directory, symbols):
    names = ", ".join(f"\"{symbol}\"" for symbol in symbols)
    return f"""
[[profile]]
name = "default"
history_bars = {BARS}
anchor_period = {BARS}
[[feed]]
exchange = "binance"
market = "spot"
symbols = [{names}]
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{simulator.ws_url}"
rest_url = "{simulator.rest_url}"
[redis]
url = "{client.url}"
[http]
listen = "off"
[state]
directory = "{directory}"
"""


def part(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def told(values):
    return " ".join(f"{name} {part(values, share):.2f}" for name, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("last", 1)))


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(client, symbols, close_ms):
    arrived = {}
    for identity, fields in client.xrevrange(f"{GROUP}:all", count=3 * len(symbols)):
        if int(fields["close_ms"]) == close_ms:
            arrived[fields["symbol"]] = int(identity.split("-")[0])
    pipeline = client.pipeline(transaction=False)
    for symbol in symbols:
        pipeline.hmget(f"{GROUP}:last:{symbol}", "close_ms", "received_us", "published_us", "source")
    rows = [row for row in zip(symbols, pipeline.execute()) if row[1][0] == str(close_ms) and row[1][3] == "live"]
    received = [int(row[1][1]) / 1000 for row in rows]
    handed_over = [(int(row[1][2]) - int(row[1][1])) / 1000 for row in rows]
    in_redis = [arrived[row[0]] - int(row[1][1]) / 1000 for row in rows]
    print(f"close_ms={close_ms}: {len(rows)} live signals, frames read within {max(received) - min(received):.0f} ms; from frame "
          f"read, in ms: handed over {told(handed_over)}; in Redis {told(in_redis)}", flush=True)


def main():
    symbols = [f"S{number}USDT" for number in range(SERIES)]
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", ",".join(symbols), "--weight-limit", "1000000000", "--message-limit", "0",
                                    "--update-ms", "60000", "--closing-spread-ms", str(SPREAD_MS))
        place.daemon(configuration(simulator, client, place.directory, symbols))
        wait_for(lambda: client.hget("atc:1:daemon:main", "live") == str(SERIES), "every series is live")
        print(f"every series is live; load {os.getloadavg()[0]:.1f}", flush=True)
        pids = {"daemon": int(client.hget("atc:1:daemon:main", "pid")), "redis": client.info("server")["process_id"],
                "exchange": simulator.pid, "this": os.getpid()}
        for _ in range(MINUTES):
            close_ms = (int(time.time() * 1000) // 60000 + 1) * 60000
            time.sleep(max(0, close_ms / 1000 - 1 - time.time()))  # the daemon's own work of each minute is over by then
            before = {name: cpu_s(pid) for name, pid in pids.items()}
            newest = f"{GROUP}:last:{symbols[-1]}"
            wait_for(lambda: client.hget(newest, "close_ms") == str(close_ms), "the minute ends")
            wait_for(lambda: client.xinfo_stream(f"{GROUP}:all")["last-generated-id"].split("-")[0] != "0" and
                     all(client.hget(f"{GROUP}:last:{symbol}", "close_ms") == str(close_ms) for symbol in symbols[::97]),
                     "every signal of it is in Redis")
            taken = [f"{name} {(cpu_s(pid) - before[name]) * 1e6 / SERIES:.0f}" for name, pid in pids.items()]
            time.sleep(2)  # nothing depends on it: the rest arrives meanwhile
            report(client, symbols, close_ms)
            print(f"  CPU in us per signal: {' '.join(taken)}; load {os.getloadavg()[0]:.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
