"""The exchange goes wrong in every way that the simulator knows: ATCD_FAULTS faults (62 where that is not set), drawn from
a seed, while bars close twice a second. Every closed bar is in its stream once, in order, with the exchange's prices and
the bits of offline computing; a bar that the exchange corrected ends with what it was corrected to."""
import csv
import io
import json
import os
import random
import subprocess
import sys
import time

import harness
from harness import ATCD, Workplace, entries, wait_for

FAULTS = int(os.environ.get("ATCD_FAULTS", "62"))
SEED = int(os.environ.get("ATCD_SEED", "20261127"))
EXCHANGE = os.environ.get("ATCD_EXCHANGE", "binance")
MARKET = harness.EXCHANGES[EXCHANGE]
INTERVALS = ["1m", "3m"]
LENGTH_MS = {"1m": 60_000, "3m": 180_000}
PROFILE = "history_bars = 120\nanchor_period = 40\n"
OPTIONS = ["--history-bars", "120", "--anchor-period", "40"]
FAMILIES = ["ema", "hma", "wma", "dema", "lsma", "kama"]


def series_name(symbol, interval):
    return f"{EXCHANGE}:{MARKET}:{symbol}:{interval}:default"


def stream_key(symbol, interval):
    return f"atc:1:{{{EXCHANGE}:{MARKET}:{interval}:default}}:stream:{symbol}"


def configuration(simulator, client, directory, symbols):
    return f"""
threads = 2
[[profile]]
name = "default"
{PROFILE}
[[feed]]
exchange = "{EXCHANGE}"
market = "{MARKET}"
symbols = {json.dumps(symbols)}
intervals = {json.dumps(INTERVALS)}
rest_share = 1.0
websocket_url = "{simulator.ws_url}"
rest_url = "{simulator.rest_url}"
[redis]
url = "{client.url}"
keep = 100000
[http]
listen = "off"
[state]
directory = "{directory}"
"""


class Campaign:
    """The faults: each a method that makes it happen and, where it lasts, ends it; each waits for what it has done."""

    def __init__(self, place, simulator, client, symbols):
        self.place, self.simulator, self.client, self.symbols = place, simulator, client, symbols
        self.corrected = set()  # symbols whose bars may have more than one revision
        self.random = random.Random(SEED)
        count = lambda most: self.random.randint(1, most)
        frames = lambda kind, most=1, more="": lambda symbol: self.until_done(f"{kind}?symbol={symbol}&count={count(most)}{more}")
        cut = lambda how: lambda symbol: self.control(f"cut?how={how}")
        # Those after which atcd connects anew: it waits longer each time when they come one on the other.
        self.disconnecting = {
            "cut close": cut("close"), "cut reset": cut("reset"), "cut shutdown": cut("shutdown"),
            "silence for ever": self.silence_for_ever, "not UTF-8": frames("corrupt", 1, "&byte=255"),
            "oversize": frames("oversize"), "turned away 503": lambda symbol: self.turned_away("503"),
            "turned away reset": lambda symbol: self.turned_away("reset"),
            "turned away hang": lambda symbol: self.turned_away("hang"), "refused": self.refused, "delisted": self.delisted,
            "early data": self.early_data}
        self.others = {
            "stall": lambda symbol: self.lasting(f"stall?ms={count(2000)}"),
            "silence": lambda symbol: self.lasting(f"silence?ms={count(2000)}"),
            "duplicate": frames("duplicate", 20), "truncate": frames("truncate", 20), "corrupt": frames("corrupt", 20),
            "large": frames("oversize", 3, "&bytes=900000"),
            "withheld": frames("withhold_closing", 3), "delayed": frames("delay_closing", 3, "&ms=20000"),
            "behind the next": frames("delay_closing", 2, "&ms=90000"), "differing": frames("differ_closing", 3),
            "corrected": self.correct, "halted": self.halted,
            "clock ahead": lambda symbol: self.clock(count(30_000)),
            "clock behind": lambda symbol: self.clock(-count(30_000))}
        for how, seconds in (("500", 0), ("429", 1), ("418", 1), ("403", 1), ("empty", 0), ("truncated", 0), ("html", 0),
                             ("cut", 0), ("hang", 2), ("stale", 0), ("halved", 0)):
            self.others[f"REST {how}"] = lambda symbol, how=how, seconds=seconds: self.rest(how, seconds)
        self.happened = {}
        self.last_disconnect = 0

    def control(self, target):
        self.simulator.control(target)

    def until_done(self, target):
        self.control(target)
        wait_for(lambda: self.simulator.status()["faults_due"] == 0, f"{target} happens")

    def lasting(self, target):
        """It ends by itself: when the frames come again shows in what is published."""
        self.control(target)

    def lines(self, text):
        return len(self.place.log_lines("daemon", text))

    def silence_for_ever(self, symbol):
        before = self.lines("event=disconnected")
        self.control("silence?ms=86400000&pings=no")
        wait_for(lambda: self.lines("event=disconnected") > before, "the silence is noticed")

    def turned_away(self, how):
        """For as long as it takes atcd to come: it waits longer after each failure. Who hangs is let go after two seconds."""
        before = self.lines("event=connect_failed")
        self.control(f"turn_away?ms=2000&how={how}")
        self.control("cut?how=reset")

        def failed():
            self.control(f"turn_away?ms=2000&how={how}")
            return self.lines("event=connect_failed") > before

        wait_for(failed, "a connect fails")
        self.control("turn_away?ms=1")

    def refused(self, symbol):
        before = self.lines("event=subscription_refused")
        self.control(f"refuse?symbol={symbol}")
        self.control("cut?how=close")
        wait_for(lambda: self.lines("event=subscription_refused") > before, "the subscription is refused")
        self.control("allow")

    def delisted(self, symbol):
        self.control(f"delist?symbol={symbol}")
        before = self.lines("event=subscription_refused")
        self.control("cut?how=close")
        wait_for(lambda: self.lines("event=subscription_refused") > before, "the subscription is refused")
        self.control("relist")

    def early_data(self, symbol):
        self.control("early_data?count=1")
        self.control("cut?how=close")
        wait_for(lambda: self.simulator.status()["faults_due"] == 0, "frames come before the answer")

    def correct(self, symbol):
        self.corrected.add(symbol)
        self.until_done(f"correct_closing?symbol={symbol}&count={self.random.randint(1, 2)}")

    def halted(self, symbol):
        begun = self.simulator.status()["now_ms"]
        self.control(f"halt?symbol={symbol}")
        bars = self.random.randint(1, 8)
        wait_for(lambda: self.simulator.status()["now_ms"] > begun + bars * 60_000, "the halt lasts")
        self.control("resume")

    def clock(self, ms):
        """With it an interruption, so that REST is asked meanwhile. An exchange whose clock is ahead for long may make a
        running bar final, which its closing frame then corrects."""
        if ms > 0:
            self.corrected.update(self.symbols)
        before = self.simulator.status()["rest_requests"]
        self.control(f"jump_clock?ms={ms}")
        self.hole()
        wait_for(lambda: self.simulator.status()["rest_requests"] > before, "REST is asked")
        self.control("jump_clock?ms=0")

    def rest(self, how, seconds):
        self.control(f"rest?how={how}&seconds={seconds}&count={self.random.randint(1, 4)}")
        for _ in range(20):
            if self.simulator.status()["faults_due"] == 0:
                return
            self.hole()
            until_ms = self.simulator.status()["now_ms"] + 2 * LENGTH_MS["1m"]
            wait_for(lambda: self.simulator.status()["now_ms"] > until_ms, "every hole has been made")
            target = self.target()
            wait_for(lambda: self.simulator.status()["faults_due"] == 0 or not self.behind(target), "REST is asked, or need not be")
        raise AssertionError("20 holes in every series, and REST is not asked")

    def hole(self):
        """Bars of every symbol that only REST can bring."""
        for symbol in self.symbols:
            self.control(f"withhold_closing?symbol={symbol}")

    def target(self):
        """The newest bar that has closed, by series."""
        now_ms = self.simulator.status()["now_ms"]
        newest = {}
        for symbol in self.symbols:
            for interval in INTERVALS:
                rows = self.simulator.truth(symbol, interval, now_ms - 20 * LENGTH_MS[interval])
                newest[(symbol, interval)] = rows[-1][1] if rows else 0
        return newest

    def behind(self, target):
        """Series whose stream has not reached its target."""
        found = []
        for (symbol, interval), close_ms in target.items():
            last = self.client.xrevrange(stream_key(symbol, interval), count=1)
            if not last or int(last[0][1]["close_ms"]) < close_ms:
                found.append(f"{symbol} {interval}")
        return found

    def first_round(self):
        """Every kind once. The long silence lies in the middle of those that end connections: after a connection that lived
        so long atcd comes back at once."""
        ends, others = list(self.disconnecting), list(self.others)
        self.random.shuffle(ends)
        self.random.shuffle(others)
        middle, long = len(ends) // 2, ends.index("silence for ever")
        ends[middle], ends[long] = ends[long], ends[middle]
        share = len(others) / len(ends)
        for number, kind in enumerate(ends):
            yield from others[round(number * share):round((number + 1) * share)]
            yield kind

    def later(self):
        # In the long run only: see above.
        ends = FAULTS > 100 and self.random.random() < 0.1
        return self.random.choice(list(self.disconnecting if ends else self.others))

    def run(self):
        first = list(self.first_round())
        for number in range(FAULTS):
            kind = first[number] if number < len(first) else self.later()
            symbol = self.random.choice(self.symbols)
            begun = time.monotonic()
            {**self.disconnecting, **self.others}[kind](symbol)
            # Also of a fault that has only begun: bars that end after it come out.
            until_ms = self.simulator.status()["now_ms"] + LENGTH_MS["1m"]
            wait_for(lambda: self.simulator.status()["now_ms"] > until_ms, "a minute of the exchange")
            target = self.target()
            wait_for(lambda: not self.behind(target), f"recovery after fault {number}, {kind} of {symbol}: {target}")
            self.happened[kind] = self.happened.get(kind, 0) + 1
            print(f"fault {number}: {kind} of {symbol}, {time.monotonic() - begun:.1f} s", flush=True)
        if FAULTS < len(first):
            return
        never = {name for name, count in self.simulator.status()["faults"].items() if count == 0}
        # The first two are no faults; a bar that is corrected late is correction_test.py's.
        assert never == {"advance", "play", "correct", "replace"}, f"not done: {never}"


def computed(symbol, interval, rows):
    text = "open_ms,close_ms,close\n" + "".join(f"{row[0]},{row[1]},{row[5]!r}\n" for row in rows)
    command = [ATCD, "compute", "--live-anchors", series_name(symbol, interval), *OPTIONS,
               "--extra", "time,trend,bar_index,anchor_ms,previous_trend,trend_since_ms", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {row[0]: line for row, line in zip(rows, csv.DictReader(io.StringIO(done.stdout)))}


def check(simulator, client, symbol, interval, may_be_revised):
    """Of one series: how many bars and how many of them revised."""
    found = entries(client, stream_key(symbol, interval))
    first_ms = int(found[0][1]["open_ms"])
    anchor_ms = min(int(fields["anchor_ms"]) for _, fields in found)
    rows = simulator.truth(symbol, interval, anchor_ms - 400 * LENGTH_MS[interval])
    lines = computed(symbol, interval, rows)
    wanted = [row for row in rows if row[0] >= first_ms]
    latest, previous = {}, ""
    for entry, fields in found:
        close_ms, rev = (int(part) for part in entry.split("-"))
        where = f"{series_name(symbol, interval)} {entry}"
        assert int(fields["close_ms"]) == close_ms and int(fields["rev"]) == rev, where
        assert rev == 0 or previous == f"{close_ms}-{rev - 1}", f"{where} follows {previous}"
        assert rev == 0 or may_be_revised, f"{where}: nobody corrected it"
        latest[int(fields["open_ms"])] = (where, fields)
        previous = entry
    last_ms = int(found[-1][1]["open_ms"])
    wanted = [row for row in wanted if row[0] <= last_ms]
    assert list(latest) == [row[0] for row in wanted], \
        f"{series_name(symbol, interval)}: missing {sorted({row[0] for row in wanted} - set(latest))}, " \
        f"not the exchange's {sorted(set(latest) - {row[0] for row in wanted})}"
    for row in wanted:
        where, fields = latest[row[0]]
        for name, value in zip(("open", "high", "low", "close", "volume"), row[2:]):
            # A correction by frame corrects prices; the volume is that of the same frame.
            assert float(fields[name]) == float(value), f"{where}: {name} {fields[name]}, the exchange has {value}"
        line = lines[row[0]]
        expected = {"average": line["Average_Signal"], **{name: line[name] for name in
                    ("trend", "bar_index", "anchor_ms", "previous_trend", "trend_since_ms")}}
        for family in FAMILIES:
            expected[f"{family}_signal"] = line[f"{family.upper()}_Signal"]
            expected[f"{family}_equity"] = line[f"{family.upper()}_S"]
        for name, text in expected.items():
            assert fields[name] == text, f"{where}: {name} is {fields[name]}, computed offline {text}"
    return len(wanted), len(found) - len(wanted)


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", EXCHANGE, "--symbols", "6", "--speed", "120", "--seed", "61",
                                    "--weight-limit", "1000000", "--message-limit", "0")
        symbols = simulator.symbols()
        daemon = place.daemon(configuration(simulator, client, place.directory, symbols))
        wait_for(lambda: min(client.xlen(stream_key(symbol, interval)) for symbol in symbols for interval in INTERVALS) >= 2,
                 "the first signals of every series")
        campaign = Campaign(place, simulator, client, symbols)
        campaign.run()
        daemon.terminate()
        assert daemon.wait(60) == 0
        bars = revised = 0
        for symbol in symbols:
            for interval in INTERVALS:
                count, more = check(simulator, client, symbol, interval, symbol in campaign.corrected)
                bars, revised = bars + count, revised + more
        done = ", ".join(f"{kind} {count}" for kind, count in sorted(campaign.happened.items()))
        print(f"{EXCHANGE}, {FAULTS} faults ({done}): {bars} bars in {len(symbols) * len(INTERVALS)} series once, in order, "
              f"equal bits; {revised} revisions")
    return 0


# Of the faults, where no exchange is asked for: of the first one's every kind comes at least once.
SHARES = {"binance": 0.6, "bybit": 0.2, "okx": 0.2}


def every_exchange():
    for number, (exchange, share) in enumerate(SHARES.items()):
        env = {**os.environ, "ATCD_EXCHANGE": exchange, "ATCD_FAULTS": str(round(FAULTS * share)),
               "ATCD_SEED": str(SEED + number)}
        subprocess.run([sys.executable, "-B", __file__], env=env, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main() if "ATCD_EXCHANGE" in os.environ else every_exchange())
