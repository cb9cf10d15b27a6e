"""A long life in a short time: the simulated exchange at 60 times real time goes wrong, Redis is killed and comes back, the
configuration is reloaded with other symbols, one after the other in an order drawn from a seed, for as long as it is told. After
each of them comes a calm window. What the daemon takes (memory, descriptors, threads) is sampled twice a second; the verdict, a
line each, is soak_verdict.py's of the calm windows and that of what is in Redis. A failed one ends with status 1. Then, or with
--keep, logs and samples (CSV) are kept.
    ATCD_PROGRAM=build/dev/atcd ATCD_BAD_DISK_LIBRARY=build/dev/tests/libbad_disk.so /usr/bin/python3 -B tests/e2e/soak.py"""
import argparse
import csv
import os
import random
import shutil
import signal
import sys
import threading
import time

SEED = int(os.environ.setdefault("ATCD_SEED", "20261128"))
import feed_faults_test  # noqa: E402
import redis_faults_test  # noqa: E402
import soak_verdict  # noqa: E402
from feed_faults_test import INTERVALS, stream_key  # noqa: E402
from harness import Workplace, entries, wait_for  # noqa: E402

SPEED = 60
STAYING, EXTRAS = 8, 3  # symbols that are always configured; of the others one at a time is
CALM_S = 6.0
SAMPLE_PERIOD_S = 0.5
# What takes most memory is the first to happen: the warm-up is to have seen it. What takes a minute is the last.
LARGEST = ["oversize", "large"]
SLOW = ["silence for ever", "REST 418", "REST 429", "turned away hang", "refused", "delisted"]


class Sampler(threading.Thread):
    """Reads /proc of one process until it is told to stop; `doing` says what happens meanwhile."""

    COLUMNS = ["at_s", "doing", "resident_kb", "anonymous_kb", "mapped_files_kb", "threads", "descriptors", "sockets"]

    def __init__(self, pid, path):
        super().__init__(daemon=True)
        self.pid, self.path = pid, path
        self.begun = time.monotonic()
        self.doing = "start"
        self.samples = []
        self.stopped = threading.Event()

    def run(self):
        with open(self.path, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(self.COLUMNS)
            while not self.stopped.wait(SAMPLE_PERIOD_S):
                try:
                    sample = self.sample()
                except (FileNotFoundError, ProcessLookupError):
                    return  # it has ended
                self.samples.append(sample)
                out.writerow([sample[name] for name in self.COLUMNS])
                file.flush()

    def sample(self):
        with open(f"/proc/{self.pid}/status") as file:
            status = dict(line.rstrip().split(":", 1) for line in file)
        kb = lambda name: int(status[name].split()[0])
        kinds = []
        for descriptor in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                kinds.append(os.readlink(f"/proc/{self.pid}/fd/{descriptor}"))
            except FileNotFoundError:
                pass  # closed meanwhile
        return {"at_s": round(time.monotonic() - self.begun, 2), "doing": self.doing, "resident_kb": kb("VmRSS"),
                "anonymous_kb": kb("RssAnon"), "mapped_files_kb": kb("RssFile"), "threads": int(status["Threads"]),
                "descriptors": len(kinds), "sockets": sum(kind.startswith("socket:") for kind in kinds)}

    def window(self, from_s, to_s):
        seen = [sample for sample in self.samples if from_s <= sample["at_s"] <= to_s]
        least = {name: min(sample[name] for sample in seen) for name in self.COLUMNS if name != "doing"}
        return soak_verdict.Window((from_s + to_s) / 2, least["anonymous_kb"], least["resident_kb"], least["descriptors"],
                                   least["threads"])


class MarketClock:
    """When, on this machine's clock, the exchange's clock showed a time: from the quickest of some readings."""

    def __init__(self, simulator):
        readings = []
        for _ in range(20):
            before = time.time()
            market_ms = simulator.status()["now_ms"]
            after = time.time()
            readings.append((after - before, (before + after) / 2 * 1000 - market_ms / SPEED))
        self.offset_ms = min(readings)[1]

    def real_ms(self, market_ms):
        return market_ms / SPEED + self.offset_ms


class Soak:
    def __init__(self, place, duration_s):
        self.place, self.duration_s = place, duration_s
        self.random = random.Random(SEED)
        names = [f"S{number}USDT" for number in range(STAYING + EXTRAS)]
        self.simulator = place.simulator("--symbols", ",".join(names), "--speed", str(SPEED), "--seed", "71", "--weight-limit",
                                         "1000000", "--message-limit", "0")
        self.clock = MarketClock(self.simulator)
        self.staying, self.extras = names[:STAYING], names[STAYING:]
        self.extra, self.followed = self.extras[0], {self.extras[0]}
        self.redis_faults = redis_faults_test.Faults(
            place, [stream_key(symbol, interval) for symbol in self.staying for interval in INTERVALS])
        self.daemon = self.start_daemon()
        self.redis_faults.daemon = self.daemon
        self.campaign = feed_faults_test.Campaign(place, self.simulator, self.client, self.staying)
        self.windows, self.happened = [], {}

    @property
    def client(self):
        return self.redis_faults.client

    def configuration(self, more=""):
        symbols = [*self.staying, self.extra]
        return feed_faults_test.configuration(self.simulator, self.client, self.place.directory, symbols) + more

    def start_daemon(self):
        daemon = self.place.daemon(self.configuration())
        wait_for(lambda: self.redis_faults.fewest_bars() >= 2, "the first signals of every series")
        return daemon

    def reload(self, more=""):
        with open(self.place.path("daemon.toml"), "w") as file:
            file.write(self.configuration(more))
        self.daemon.send_signal(signal.SIGHUP)

    def other_symbol(self):
        """One symbol leaves, another comes, or comes again: then what closed meanwhile comes too."""
        gone, self.extra = self.extra, self.extras[(self.extras.index(self.extra) + 1) % len(self.extras)]
        self.followed.add(self.extra)
        self.reload()
        keys = [stream_key(self.extra, interval) for interval in INTERVALS]
        wait_for(lambda: all(self.client.exists(key) for key in keys), f"signals of {self.extra}")
        listed = lambda: {name.split(":")[2] for name in self.client.hkeys("atc:1:catalogue")}
        wait_for(lambda: gone not in listed() and self.extra in listed(), f"{gone} leaves, {self.extra} is there")

    def refused_reload(self):
        before = self.campaign.lines("event=reload_refused")
        self.reload("no_such_key = 1\n")
        wait_for(lambda: self.campaign.lines("event=reload_refused") > before, "the reload is refused")
        self.reload()

    def decks(self):
        """What may happen, by who breaks it; forgets is left out, for the streams must be whole from their beginning."""
        exchange = {**self.campaign.disconnecting, **self.campaign.others}
        first = [kind for kind in exchange if kind not in LARGEST + SLOW]
        self.random.shuffle(first)
        redis = [fault for fault in self.redis_faults.kinds if fault != self.redis_faults.forgets]
        return ([(kind, exchange[kind]) for kind in LARGEST + first + SLOW],
                [("Redis " + fault.__name__, lambda symbol, fault=fault: fault()) for fault in redis],
                [("reload", lambda symbol: self.other_symbol())] * 3 + [("refused reload", lambda symbol: self.refused_reload())])

    def order(self):
        """Exchange, Redis, exchange, reload, and again, for ever; each deck is drawn anew when it is through."""
        exchange, redis, reloads = (self.endless(deck) for deck in self.decks())
        while True:
            for deck in (exchange, redis, exchange, reloads):
                yield next(deck)

    def endless(self, deck):
        while True:
            yield from deck
            deck = self.random.sample(deck, len(deck))

    def recovered(self):
        """Also of a fault that has only begun: bars that end after it are there, in every series that is followed."""
        until_ms = self.simulator.status()["now_ms"] + 60_000
        wait_for(lambda: self.simulator.status()["now_ms"] > until_ms, "a minute of the exchange")
        self.campaign.client, self.campaign.symbols = self.client, [*self.staying, self.extra]
        target = self.campaign.target()
        wait_for(lambda: not self.campaign.behind(target), f"recovery: {target}")
        self.campaign.symbols = self.staying
        wait_for(lambda: self.client.hget("atc:1:daemon:main", "live") == str((STAYING + 1) * len(INTERVALS)), "every series is live")

    def calm(self):
        begun_s, begun_ms = time.monotonic() - self.sampler.begun, time.time() * 1000
        self.sampler.doing = "calm"
        time.sleep(CALM_S)  # what is measured is this time
        window = self.sampler.window(begun_s, time.monotonic() - self.sampler.begun)
        self.windows.append((begun_ms, time.time() * 1000, window))

    def run(self):
        self.sampler = Sampler(self.daemon.pid, self.place.path("samples.csv"))
        self.sampler.start()
        for kind, fault in self.order():
            begun = time.monotonic()
            self.sampler.doing = kind
            fault(self.random.choice(self.staying))
            self.sampler.doing = f"recovery from {kind}"
            self.recovered()
            self.happened[kind] = self.happened.get(kind, 0) + 1
            elapsed_s = time.monotonic() - self.sampler.begun
            print(f"{elapsed_s:.0f} s: {kind}, {time.monotonic() - begun:.1f} s", flush=True)
            self.calm()
            if time.monotonic() - self.sampler.begun >= self.duration_s:
                break
        self.lasted_s = time.monotonic() - self.sampler.begun
        self.sampler.stopped.set()
        self.sampler.join()

    def verdict(self):
        self.daemon.terminate()
        status = self.daemon.wait(60)
        self.read_lags()
        return [self.published(status), *soak_verdict.judge([window for _, _, window in self.windows], self.lasted_s)]

    def read_lags(self):
        """From a bar's close to its signal published, of those that closed in a calm window."""
        lags = []
        for symbol in [*self.staying, *self.followed]:
            for interval in INTERVALS:
                for _, fields in entries(self.client, stream_key(symbol, interval)):
                    if fields["source"] == "live":
                        closed_ms = self.clock.real_ms(int(fields["close_ms"]))
                        lags.append((closed_ms, int(fields["published_us"]) / 1000 - closed_ms,
                                     (int(fields["published_us"]) - int(fields["received_us"])) / 1000))
        lags.sort()
        with open(self.place.path("lag.csv"), "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["window_at_s", "signals", "close_to_published_p50_ms", "p99_ms", "frame_to_published_p50_ms", "p99_ms"])
            for from_ms, to_ms, window in self.windows:
                inside = [lag for lag in lags if from_ms <= lag[0] < to_ms]
                window.lags_ms = [lag[1] for lag in inside]
                parts = [[lag[number] for lag in inside] for number in (1, 2)]
                out.writerow([f"{window.at_s:.1f}", len(inside),
                              *(f"{soak_verdict.percentile(part, share):.3f}" for part in parts for share in (0.5, 0.99) if part)])

    def published(self, status):
        """Every stream is complete, in order, the exchange's prices and the bits of offline computing; the group streams have
        each signal once; and the daemon, when it was told to end, did."""
        bars = revised = 0
        problems = [] if status == 0 else [f"the daemon ended with status {status}"]
        problems += [line.strip() for line in self.place.log_lines("daemon", "event=conflict")[:3]]
        for interval in INTERVALS:
            in_streams = 0
            for symbol in [*self.staying, *sorted(self.followed)]:
                in_streams += self.client.xlen(stream_key(symbol, interval))
                may_be_revised = symbol not in self.staying or symbol in self.campaign.corrected
                try:
                    count, more = feed_faults_test.check(self.simulator, self.client, symbol, interval, may_be_revised)
                    bars, revised = bars + count, revised + more
                except AssertionError as error:
                    problems.append(str(error)[:400])
            group = f"atc:1:{{binance:spot:{interval}:default}}:all"
            told = [(fields["symbol"], fields["close_ms"], fields["rev"]) for _, fields in entries(self.client, group)]
            if len(set(told)) != len(told) or len(told) != in_streams:
                problems.append(f"{group} has {len(told)} entries, {len(set(told))} different ones, the streams {in_streams}")
        series = len(INTERVALS) * (STAYING + len(self.followed))
        return soak_verdict.Line("published once", not problems, "; ".join(problems) or
                                 f"{bars} bars of {series} series complete, in order, equal bits; {revised} revisions")


def kept(place, folder):
    """Where logs and samples lie from now on."""
    target = os.path.join(folder, time.strftime("soak-%Y%m%dT%H%M%S"))
    os.makedirs(target, exist_ok=True)
    for name in os.listdir(place.directory):
        if name.endswith((".log", ".csv", ".toml")):
            shutil.copy(place.path(name), target)
    return target


def arguments():
    parser = argparse.ArgumentParser(description="The daemon under faults for long; ends with a verdict, a line each.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--market-hours", type=float, default=24.0, help=f"at {SPEED} times real time")
    length.add_argument("--seconds", type=float, help="of real time")
    parser.add_argument("--keep", action="store_true", help="logs and samples also after a passed verdict")
    parser.add_argument("--keep-in", metavar="FOLDER", default=os.path.dirname(os.path.abspath(os.environ["ATCD_PROGRAM"])))
    read = parser.parse_args()
    read.duration_s = read.seconds if read.seconds is not None else read.market_hours * 3600 / SPEED
    if not read.duration_s > 0:
        parser.error(f"the length is {read.duration_s:g} s: it must be above 0")
    return read


def main():
    options = arguments()
    random.seed(SEED)
    with Workplace() as place:
        lines, soak = [], None
        try:
            soak = Soak(place, options.duration_s)
            soak.run()
            lines = soak.verdict()
        except AssertionError as error:
            lines = [soak_verdict.Line("campaign", False, str(error)[:1000])]
        passed = all(line.passed for line in lines)
        if soak and soak.happened:
            print("broken: " + ", ".join(f"{kind} {count}" for kind, count in sorted(soak.happened.items())))
        if not passed or options.keep:
            print(f"logs and samples: {kept(place, options.keep_in)}")
        for line in lines:
            print(line)
        lasted_s = getattr(soak, "lasted_s", 0)
        print(f"verdict: {'passed' if passed else 'FAILED'} after {lasted_s:.0f} s, {lasted_s * SPEED / 3600:.1f} market hours")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
