"""From exec to READY=1 with what an earlier run left: SERIES series of BARS bars each, a simulated exchange and a Redis of
our own. Prints the median. The first start, from nothing, takes as long as the exchange's limits have it (ten minutes for 10,000
series of 1,500 bars); what it leaves is kept in FOLDER where one is named, and taken from there the next time. With
--without-snapshot the engines are computed from the history at each start; several programs, separated by commas, take turns.
Run with Debian's Python:
    ATCD_PROGRAM=build/release/atcd /usr/bin/python3 -B perf/warm_start.py [--without-snapshot] [SERIES [BARS [RUNS [FOLDER]]]]"""
import os
import shutil
import signal
import socket
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
os.environ.setdefault("ATCD_TEST_DEADLINE_S", "1800")
PROGRAMS = [os.path.abspath(program) for program in os.environ["ATCD_PROGRAM"].split(",")]
os.environ["ATCD_PROGRAM"] = PROGRAMS[0]
from harness import ATCD, Workplace, wait_for  # noqa: E402

WITHOUT_SNAPSHOT = "--without-snapshot" in sys.argv
sys.argv = [text for text in sys.argv if text != "--without-snapshot"]
SERIES, BARS, RUNS = (int(text) for text in (sys.argv[1:] + ["10000", "1500", "5"][len(sys.argv) - 1:])[:3])
KEPT = sys.argv[4] if len(sys.argv) > 4 else None


def configuration(simulator, client, directory, symbols):
    names = ", ".join(f"\"{symbol}\"" for symbol in symbols)
    return f"""
[[profile]]
name = "default"
history_bars = {BARS // 2}
anchor_period = {BARS // 2}
[[feed]]
exchange = "binance"
market = "spot"
symbols = [{names}]
intervals = ["1h"]
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


def start_and_wait_for_ready(place, config, name, program=ATCD):
    """Seconds from exec to READY=1."""
    path = place.path("notify")
    if os.path.exists(path):
        os.unlink(path)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(path)
    notify.settimeout(600)
    with open(place.path(f"{name}.toml"), "w") as file:
        file.write(config)
    began = time.monotonic()
    process = place.spawn(name, [program, "run", "--config", place.path(f"{name}.toml")],
                          env={**os.environ, "NOTIFY_SOCKET": path})
    while b"READY=1" not in notify.recv(4096):
        pass
    return process, time.monotonic() - began


def processor_s(process):
    """What it has used so far, user and system."""
    with open(f"/proc/{process.pid}/stat") as file:
        return sum(int(ticks) for ticks in file.read().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")


def latest(client, symbols):
    pipeline = client.pipeline(transaction=False)
    for symbol in symbols:
        pipeline.hget(f"atc:1:{{binance:spot:1h:default}}:last:{symbol}", "close_ms")
    return pipeline.execute()


def fill(place, client, config, symbols):
    """The first run: from nothing to every series live and published."""
    first, _ = start_and_wait_for_ready(place, config, "first")
    began = time.monotonic()
    wait_for(lambda: client.hget("atc:1:daemon:main", "live") == str(SERIES), "every series is live")
    print(f"first start, with nothing: every series live after {time.monotonic() - began:.1f} s")
    wait_for(lambda: all(latest(client, symbols)), "every series has a latest")
    first.terminate()
    assert first.wait(120) == 0
    if KEPT:
        client.save()
        shutil.copytree(place.path("history"), os.path.join(KEPT, "history"))
        shutil.copy(place.path("dump.rdb"), KEPT)


def main():
    symbols = [f"S{number}USDT" for number in range(SERIES)]
    with Workplace() as place:
        filled = KEPT and os.path.exists(os.path.join(KEPT, "dump.rdb"))
        if filled:
            shutil.copytree(os.path.join(KEPT, "history"), place.path("history"))
            shutil.copy(os.path.join(KEPT, "dump.rdb"), place.directory)
        client = place.redis()
        simulator = place.simulator("--symbols", ",".join(symbols), "--weight-limit", "1000000000", "--message-limit", "0",
                                    "--update-ms", "60000")
        config = configuration(simulator, client, place.directory, symbols)
        if not filled:
            fill(place, client, config, symbols)
        size = sum(os.path.getsize(place.path(os.path.join("history", name))) for name in os.listdir(place.path("history")))
        print(f"on disk: {size / 1e6:.0f} MB")
        taken = {program: [] for program in PROGRAMS}
        used = {program: [] for program in PROGRAMS}
        for run, program in enumerate(PROGRAMS * RUNS):
            if WITHOUT_SNAPSHOT:
                for name in ("snapshot", "snapshot.previous"):
                    if os.path.exists(place.path(f"history/{name}")):
                        os.remove(place.path(f"history/{name}"))
            client.delete(*[f"atc:1:{{binance:spot:1h:default}}:last:{symbol}" for symbol in symbols])
            began = time.monotonic()
            daemon, seconds = start_and_wait_for_ready(place, config, f"run{run}", program)
            missing = latest(client, symbols).count(None)
            wait_for(lambda: all(latest(client, symbols)), "every latest is there")
            if missing:  # what takes longer than five seconds does not keep the service from being up
                seconds = time.monotonic() - began
            taken[program].append(seconds)
            used[program].append(processor_s(daemon))
            print(f"run {run}: READY and every latest there after {seconds:.3f} s, {used[program][-1]:.2f} s of processor time; "
                  f"{missing} missing at READY")
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
        for program, seconds in taken.items():
            print(f"{program}: {SERIES} series of {BARS} bars{', no snapshot' if WITHOUT_SNAPSHOT else ''}: warm after "
                  f"{statistics.median(seconds):.3f} s (median of {RUNS}, {min(seconds):.3f} to {max(seconds):.3f}), "
                  f"{statistics.median(used[program]):.2f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
