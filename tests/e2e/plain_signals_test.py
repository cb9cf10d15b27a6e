"""Published signals against the indicator written anew, plainly, from the design's text: both dialects, anchors by the
calendar (minutes, a folded interval, weeks, months), a young listing, missing bars, a corrected one, and forming bars.
Every computed field of every entry comes from the exchange's own bars since bar 0. Only the averages' last bits are
atcd's, once they are seen to be the plain ones: their order of additions is its own, and a tie with a price is decided
by it."""
import csv
import datetime
import io
import json
import math
import subprocess
import sys
from decimal import Decimal

import harness
from harness import ATCD, Workplace, series_name, stream_key, wait_for

FAMILIES = ["ema", "hma", "wma", "dema", "lsma", "kama"]
OFFSETS = {"narrow": (1, 2, 3, 4), "medium": (1, 2, 4, 6), "wide": (1, 3, 5, 7)}
SYMBOLS = ["BTCUSDT", "NEWUSDT"]
MINUTE_MS, WEEK_MS, FIRST_MONDAY_MS = 60_000, 604_800_000, 345_600_000
MIDNIGHT_MS = 1_780_272_000_000  # 2026-06-01T00:00:00Z, a Monday
LENGTH_MS = {"1m": MINUTE_MS, "10m": 10 * MINUTE_MS, "1w": WEEK_MS}
NAN = math.nan

PROFILES = {
    "default": dict(dialect="lts", robustness="wide", lengths=(8, 10, 12, 9, 11, 8), weights=(1, 0.5, 2.5, 1, 0.3, 0.1),
                    growth=0.02, decay=0.03, cutout=3, above=0.3, below=-0.05, strategy_mode=True, ma_source="hlc3",
                    history_bars=30, anchor_period=11),
    "chart": dict(dialect="pine", robustness="narrow", lengths=(5, 6, 7, 5, 9, 6), weights=(0.1, 1, 1, 2, 1, 1),
                  growth=0.5, decay=0.1, cutout=0, above=0.1, below=-0.1, strategy_mode=False, ma_source="close",
                  history_bars=21, anchor_period=4),
}


def profile_lines(name):
    p = PROFILES[name]
    each = [", ".join(f"{family} = {value}" for family, value in zip(FAMILIES, p[key])) for key in ("lengths", "weights")]
    return f"""[[profile]]
name = "{name}"
dialect = "{p["dialect"]}"
robustness = "{p["robustness"]}"
lengths = {{ {each[0]} }}
weights = {{ {each[1]} }}
lambda = {p["growth"]}
decay = {p["decay"]}
cutout = {p["cutout"]}
long_threshold = {p["above"]}
short_threshold = {p["below"]}
strategy_mode = {json.dumps(p["strategy_mode"])}
ma_source = "{p["ma_source"]}"
history_bars = {p["history_bars"]}
anchor_period = {p["anchor_period"]}
"""


# The indicator, of closes that are all there.

def nine(length, robustness):
    return [length, *(length + o for o in OFFSETS[robustness]), *(length - o for o in OFFSETS[robustness])]


def windows(x, length, value):
    return [value(x[t - length + 1:t + 1]) if t >= length - 1 and not math.isnan(x[t - length + 1]) else NAN
            for t in range(len(x))]


def sma(x, length):
    return windows(x, length, lambda w: sum(w) / length)


def wma(x, length):
    return windows(x, length, lambda w: sum(v * (j + 1) for j, v in enumerate(w)) / (length * (length + 1) / 2))


def ema(x, length, seed):
    values = [NAN] * len(x)
    for t in range(length - 1, len(x)):
        before = values[t - 1] if t >= length else seed
        values[t] = before + 2 / (length + 1) * (x[t] - before) if t >= length else seed
    return values


def dema(x, length, lts):
    first = ema(x, length, sum(x[:length]) / length)[length - 1:]
    second = (ema(first, length, sum(first[:length]) / length) if not lts and length > 1 else
              [first[0]] if first else [])
    if lts:
        for value in first[1:]:
            second.append(second[-1] + 2 / (length + 1) * (value - second[-1]))
    elif length == 1:
        second = first
    return [NAN] * (len(x) - len(first)) + [2 * a - b for a, b in zip(first, second)]


def lsma(x, length, lts):
    if length == 1:
        return [NAN] * len(x) if lts else x
    middle = (length - 1) / 2

    def line(w):
        mean = sum(w) / length
        slope = sum((j - middle) * (v - mean) for j, v in enumerate(w)) / sum((j - middle) ** 2 for j in range(length))
        return mean + slope * (middle - (1 if lts else 0))

    return windows(x, length, line)


def kama(x, length, lts):
    values, k = [], x[0] if lts else 0.0
    for t in range(len(x)):
        ratio = 0.0
        if t >= length:
            noise = sum(abs(x[j] - x[j - 1]) for j in range(t - length + 1, t + 1))
            ratio = 0.0 if noise <= (0 if lts else 1e-10) else abs(x[t] - x[t - length]) / noise
        if t >= length or not lts:
            k += (ratio * (0.666 - 0.064) + 0.064) ** 2 * (x[t] - k)
        values.append(k)
    return values


def average(family, x, length, lts):
    if len(x) < length:
        return [NAN] * len(x) if family != "kama" else kama(x, length, lts)
    if family == "ema":
        return ema(x, length, sum(x[:length]) / length)
    if family == "hma" and lts:
        raw = [2 * a - b for a, b in zip(wma(x, length // 2 or 10), wma(x, length))]
        return wma(raw, math.isqrt(length))
    if family == "hma":
        return sma(x, length)
    if family == "wma":
        return wma(x, length)
    return {"dema": dema, "lsma": lsma, "kama": kama}[family](x, length, lts)


def crossing(price, ma):
    states = [0]
    for t in range(1, len(price)):
        up = price[t] > ma[t] and price[t - 1] <= ma[t - 1]
        down = price[t] < ma[t] and price[t - 1] >= ma[t - 1]
        states.append(1 if up else -1 if down else states[-1])
    return states


def equity(start, driver, returns, p):
    values, a = [NAN] * p["cutout"], 0.0
    for t in range(p["cutout"], len(returns)):
        if t == p["cutout"]:
            e = start
        else:
            r, before = returns[t], driver[t - 1]
            a = r if before > 0 else -r if before < 0 else 0.0 if p["dialect"] == "lts" else a
            e = e * (1 - p["decay"] / 100) * (1 + a)
        e = max(e, 0.25)
        values.append(e)
    return values


def two_decimals(value, lts):
    hundredths = abs(value) * 100
    if math.isnan(value):
        return value
    return math.copysign((round(hundredths) if lts else math.floor(hundredths + 0.5)) / 100, value)


def indicator(price, source, p, averages):
    """A row of fields for each bar. `averages` gives what takes the place of a plain average."""
    lts, bars = p["dialect"] == "lts", len(price)
    growth = [float(Decimal(p["growth"] / 1000 * (t - p["cutout"])).exp()) for t in range(bars)]
    returns = [NAN] + [(price[t] - price[t - 1]) / price[t - 1] * growth[t] for t in range(1, bars)]
    layer1, layer2 = [], []
    for family, base, weight in zip(FAMILIES, p["lengths"], p["weights"]):
        up, down = [0.0] * bars, [0.0] * bars
        for length in nine(base, p["robustness"]):
            state = crossing(price, averages(family, length, average(family, source, length, lts)))
            for t, e in enumerate(equity(1, state, returns, p)):
                up[t] += state[t] * e
                down[t] += e
        layer1.append([two_decimals(a / b, lts) for a, b in zip(up, down)])
        layer2.append(equity(weight, layer1[-1], returns, p))
    above, below = (p["above"], p["below"]) if lts else (0.49, -0.49)
    published = []
    for t in range(bars):
        cuts = [(signal[t] > above) - (signal[t] < below) for signal in layer1]
        up = down = 0.0
        for cut, e in zip(cuts, layer2):
            up += cut * e[t]
            down += e[t]
        published.append(0.0 if lts and math.isnan(down) else up / down)
    if lts and p["strategy_mode"]:
        published = [0.0] + published[:-1]
    rows, trend = [], 0
    for t, value in enumerate(published):
        before, trend = trend, 1 if value > p["above"] else -1 if value < p["below"] else trend
        rows.append({"average": value, "trend": trend, "previous_trend": before, "bar_index": t})
        rows[t]["since"] = rows[t - 1]["since"] if t > 0 and before == trend else t
        for family, signal, e in zip(FAMILIES, layer1, layer2):
            rows[t][f"{family}_signal"], rows[t][f"{family}_equity"] = signal[t], e[t]
    return rows


def checked_averages(price, source, p):
    """What `average` gives, with the last bits of atcd's own; an assertion where they are no mere last bits."""
    text = "close,src\n" + "".join(f"{a!r},{b!r}\n" for a, b in zip(price, source))
    lengths = ",".join(f"{family}={length}" for family, length in zip(FAMILIES, p["lengths"]))
    done = subprocess.run([ATCD, "compute", "--dump", "--dialect", p["dialect"], "--robustness", p["robustness"],
                           "--lengths", lengths, "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))

    def take(family, length, plain):
        theirs = [float(row[f"{family.upper()}_{length}"] or "nan") for row in rows]
        for t, (a, b) in enumerate(zip(plain, theirs)):
            same = math.isnan(a) and math.isnan(b) or abs(a - b) <= 1e-11 * max(price)
            assert same, f"{family} {length} at bar {t}: {b}, plainly {a}"
        return theirs

    return take


# The calendar and the anchors.

def ordinal(open_ms, interval):
    if interval == "1M":
        date = datetime.datetime.fromtimestamp(open_ms / 1000, datetime.timezone.utc)
        return date.year * 12 + date.month
    return (open_ms - (FIRST_MONDAY_MS if interval == "1w" else 0)) // LENGTH_MS[interval]


def end_of(open_ms, interval):
    if interval != "1M":
        return open_ms + LENGTH_MS[interval]
    date = datetime.datetime.fromtimestamp(open_ms / 1000, datetime.timezone.utc) + datetime.timedelta(days=31)
    return int(date.replace(day=1).timestamp() * 1000)


def anchor_ordinal(n, series, p):
    fnv = 0xCBF29CE484222325
    for byte in series.encode():
        fnv = (fnv ^ byte) * 0x100000001B3 % 2 ** 64
    phase = fnv % p["anchor_period"]
    return (n - phase) // p["anchor_period"] * p["anchor_period"] + phase - p["history_bars"]


class Market:
    """The exchange's bars, and the runs that were computed from them."""

    def __init__(self, simulator):
        self.bars, self.runs = {}, {}
        for symbol in SYMBOLS:
            for interval in ("1m", "1w", "1M"):
                start = MIDNIGHT_MS - 600 * MINUTE_MS if interval == "1m" else 0
                self.bars[symbol, interval] = [(int(row[0]), *map(float, row[2:7]))
                                               for row in simulator.truth(symbol, interval, start)]
            folded = {}
            for bar in self.bars[symbol, "1m"]:
                folded.setdefault(bar[0] // LENGTH_MS["10m"] * LENGTH_MS["10m"], []).append(bar)
            self.bars[symbol, "10m"] = [(open_ms, part[0][1], max(b[2] for b in part), min(b[3] for b in part),
                                         part[-1][4], sum(b[5] for b in part)) for open_ms, part in folded.items()]

    def expected(self, fields):
        """The computed fields of the signal of this bar, whose own prices are taken as they are published."""
        series, interval, p = fields["series"], fields["interval"], PROFILES[fields["profile"]]
        open_ms = fields["open_ms"]
        anchor = anchor_ordinal(ordinal(open_ms, interval), series, p)
        bars = [bar for bar in self.bars[fields["symbol"], interval] if bar[0] < open_ms and ordinal(bar[0], interval) >= anchor]
        bars.append((open_ms, *(fields[name] for name in ("open", "high", "low", "close", "volume"))))
        key = (series, *((bar[0], *bar[1:5]) for bar in bars))
        if key not in self.runs:
            price = [bar[4] for bar in bars]
            source = price if p["ma_source"] == "close" else [(bar[2] + bar[3] + bar[4]) / 3 for bar in bars]
            rows = indicator(price, source, p, checked_averages(price, source, p))
            for t in range(len(bars)):  # a run's earlier bars are those of a shorter run
                self.runs[(series, *((bar[0], *bar[1:5]) for bar in bars[:t + 1]))] = rows[t]
        row = dict(self.runs[key])
        row["trend_since_ms"] = end_of(bars[row.pop("since")][0], interval)
        row.update(anchor_ms=bars[0][0], close_ms=end_of(open_ms, interval), dialect=p["dialect"],
                   next_close_ms=end_of(end_of(open_ms, interval), interval))
        return row


def check(where, fields, expected):
    for name, value in expected.items():
        found = NAN if fields[name] is None else fields[name]
        same = found == value or value != value and found != found
        assert same, f"{where}: {name} is {found}, plainly {value}"


def check_stream(market, client, symbol, interval, profile):
    """Returns how many entries were checked, their anchors and how many were corrected."""
    found = [harness.as_json(fields) for _, fields in harness.entries(client, stream_key(symbol, interval, profile))]
    of_exchange = {bar[0]: bar for bar in market.bars[symbol, interval]}
    newest = {fields["open_ms"]: fields for fields in found}
    for fields in reversed(found):  # the longest run of an anchor first
        where = f"{fields['series']} {fields['close_ms']}-{fields['rev']}"
        if fields is newest[fields["open_ms"]]:
            bar = tuple(fields[name] for name in ("open_ms", "open", "high", "low", "close", "volume"))
            assert bar == of_exchange[fields["open_ms"]], f"{where}: {bar}, not {of_exchange[fields['open_ms']]}"
        check(where, fields, market.expected(fields))
    first, last = (found[0]["open_ms"], found[-1]["open_ms"]) if found else (1, 0)
    assert list(newest) == [open_ms for open_ms in of_exchange if first <= open_ms <= last], "a bar is missing or twice"
    return len(found), len({fields["anchor_ms"] for fields in found}), len(found) - len(newest)


def main():
    with Workplace() as place:
        client = place.redis()
        # A bar of a minute every three seconds; week and month end at midnight, which slow machines have two minutes to
        # be ready for.
        simulator = place.simulator("--symbols", "1", "--symbol", "NEWUSDT,listed=2026-05-31T22:55:00Z", "--speed", "20",
                                    "--start", "2026-05-31T23:20:00Z", "--seed", "11", "--quiet-share", "0.1",
                                    "--weight-limit", "1000000")
        forming = client.pubsub(ignore_subscribe_messages=True)
        forming.psubscribe("atc:1:forming:*")
        forming.get_message(timeout=5)  # the answer to it
        text = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, SYMBOLS,
                                     feed=f"profiles = {json.dumps(list(PROFILES))}\nprovisional = true")
        text = text[text.index("[[feed]]"):].replace('intervals = ["1m"]', 'intervals = ["1m", "10m", "1w", "1M"]')
        daemon = place.daemon("".join(map(profile_lines, PROFILES)) + text)

        def published(symbol="BTCUSDT", interval="1m"):
            return min(client.xlen(stream_key(symbol, interval, profile)) for profile in PROFILES)

        wait_for(lambda: published() and published(interval="1w") and published(interval="1M"), "the first signals")
        simulator.control("correct_closing?symbol=BTCUSDT&count=1")
        wait_for(lambda: published("NEWUSDT"), "what was before the young listing is known")
        now_ms = json.loads(simulator.request("GET", "/api/v3/time"))["serverTime"]
        for ahead_ms in (max(0, MIDNIGHT_MS - now_ms), 12 * MINUTE_MS, 12 * MINUTE_MS):
            simulator.control(f"advance?ms={ahead_ms}")
            before = published("NEWUSDT")
            wait_for(lambda: published("NEWUSDT") > before, "signals go on")
        wait_for(lambda: published(interval="1M") > 1 and published(interval="1w") > 1, "a week and a month have ended")
        daemon.terminate()
        assert daemon.wait(30) == 0
        market = Market(simulator)
        corrected = 0
        for symbol in SYMBOLS:
            for interval in ("1m", "10m", "1w", "1M"):
                for profile in PROFILES:
                    count, anchors, again = check_stream(market, client, symbol, interval, profile)
                    corrected += again
                    print(f"{series_name(symbol, interval, profile)}: {count} signals of {anchors} anchors as plainly computed")
                    assert interval != "1m" or anchors >= 3, anchors
        assert corrected == len(PROFILES), corrected
        heard = []
        while message := forming.get_message(timeout=0.1):
            heard.append(json.loads(message["data"]))
        assert len(heard) > 100, len(heard)
        for fields in heard[::len(heard) // 50]:
            check(f"forming {fields['series']} {fields['close_ms']}", fields, market.expected(fields))
        print(f"of {len(heard)} forming signals 50 were checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
