"""A symbol becomes another instrument: the exchange's list shows another contract size or listing time, while the daemon
runs and while it is away. What was held is set aside, and the stream goes on after its head with gap_from_ms, from bars of
the new instrument alone, also where the daemon is killed right then. The exchange's clock moves on request only. The symbols
are configured by their common names."""
import json
import os
import signal
import sys
import time

from harness import Workplace, entries, run, wait_for

MINUTE_MS = 60_000
BTC, ETH = "BTC-USDT-SWAP", "ETH-USDT-SWAP"
CONFIGURATION = """
[[profile]]
name = "default"
history_bars = 60
anchor_period = 60
[[feed]]
exchange = "okx"
market = "swap"
symbols = {symbols}
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{sim.ws_url}"
rest_url = "{sim.rest_url}"
[redis]
url = "{redis.url}"
[http]
listen = "off"
[state]
directory = "{directory}"
"""


def stream(client, symbol):
    return [fields for _, fields in entries(client, f"atc:1:{{okx:swap:1m:default}}:stream:{symbol}")]


def new_histories(client):
    return [fields for _, fields in client.xrange("atc:1:events") if fields["event"] == "new_history"]


class Trial:
    def __init__(self, place):
        self.place, self.client = place, place.redis()
        # Within a minute, so that each step ends one; ours, by which a start reckons how far back its bars reach.
        self.simulator = place.simulator("--exchange", "okx", "--symbols", "2", "--speed", "0", "--start",
                                         time.strftime("%Y-%m-%dT%H:%M:20Z", time.gmtime()), "--seed", "7",
                                         "--weight-limit", "1000000")
        self.starts = 0

    def start(self, symbols=("BTC/USDT:USDT", "ETH/USDT")):
        self.starts += 1
        self.name = f"daemon-{self.starts}"
        config = CONFIGURATION.format(sim=self.simulator, redis=self.client, directory=self.place.directory,
                                      symbols=json.dumps(symbols))
        self.daemon = self.place.daemon(config, name=self.name)
        self.wait_live()

    def now_ms(self):
        return self.simulator.status()["now_ms"]

    def closed_ms(self, symbol):
        bars = stream(self.client, symbol)
        return int(bars[-1]["close_ms"]) if bars else 0

    def wait_live(self):
        wait_for(lambda: len(self.place.log_lines(self.name, "detail=LIVE")) >= 2, "both series are live")

    def minutes(self, count):
        for _ in range(count):
            self.simulator.control(f"advance?ms={MINUTE_MS}")
            closed_ms = self.now_ms() // MINUTE_MS * MINUTE_MS
            wait_for(lambda: self.closed_ms(BTC) == self.closed_ms(ETH) == closed_ms, f"the bars that closed at {closed_ms}")

    def replace(self, symbol, what, told):
        """Another instrument, seen by the running daemon; `told`: of its event."""
        before = len(new_histories(self.client))
        self.simulator.control(f"replace?symbol={symbol.removesuffix('-SWAP')}&{what}")
        since = self.client.xrevrange("atc:1:events", count=1)[0][0]
        self.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: len(new_histories(self.client)) == before + 1, "the daemon has seen it")
        self.check_told(symbol, told)
        wait_for(lambda: any(fields["event"] == "state" and fields["detail"] == "LIVE" and symbol in fields["series"]
                             for _, fields in self.client.xrange("atc:1:events", f"({since}")), "it is live again")

    def check_told(self, symbol, told):
        event = new_histories(self.client)[-1]
        assert event["series"] == f"okx:swap:{symbol}:1m:default" and told in event["detail"], event

    def check_gaps(self, symbol, heads):
        """The gaps are after these heads of the stream, and nowhere else is a bar missing."""
        bars = stream(self.client, symbol)
        for before, after in zip(bars, bars[1:]):
            adjoins = int(after["open_ms"]) == int(before["close_ms"])
            assert "gap_from_ms" in after or adjoins, (symbol, before, after)
            assert after.get("gap_from_ms", before["close_ms"]) == before["close_ms"], (symbol, before, after)
        found = [int(bar["gap_from_ms"]) for bar in bars if "gap_from_ms" in bar]
        assert found == heads, (symbol, found, heads)
        return bars


def main():
    with Workplace() as place:
        trial = Trial(place)
        client, simulator = trial.client, trial.simulator
        trial.start()
        trial.minutes(5)
        catalogue = json.loads(client.hget("atc:1:catalogue", f"okx:swap:{BTC}:1m:default"))
        assert catalogue["symbol"] == BTC and catalogue["common_symbol"] == "BTC/USDT:USDT", catalogue

        # A list that says the same is no change.
        trial.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: place.log_lines(trial.name, "event=reload"), "the configuration was read again")
        trial.minutes(2)
        assert not new_histories(client)

        # A listing time that is corrected: to a later one, from which on all the bars are, seen by a running daemon and at a
        # start, and to an earlier one. Nothing is set aside.
        for minutes, starts in ((2000, False), (1000, True), (3000, False)):
            listed_ms = trial.now_ms() - minutes * MINUTE_MS
            simulator.control(f"replace?symbol=BTC-USDT&listed_ms={listed_ms}")
            if starts:
                trial.daemon.terminate()
                assert trial.daemon.wait(30) == 0
                trial.start()
            else:
                reloads = len(place.log_lines(trial.name, "event=reload"))
                trial.daemon.send_signal(signal.SIGHUP)
                wait_for(lambda: len(place.log_lines(trial.name, "event=reload")) > reloads, "the list was read again")
            trial.minutes(2)
            assert not new_histories(client), new_histories(client)
            trial.check_gaps(BTC, [])
        print("a listing time that is corrected: the history goes on")

        # Another contract size, seen by a running daemon: the next bar, which closes live, says that it begins anew.
        heads = {BTC: [], ETH: [trial.closed_ms(ETH)]}
        trial.replace(ETH, "contract_size=10", "contract size is 10, it was 1")
        trial.minutes(3)
        bars = trial.check_gaps(ETH, heads[ETH])
        assert bars[-3]["source"] == "live" and bars[-3]["gap_from_ms"], bars[-3]
        trial.check_gaps(BTC, [])
        print("another contract size: the next bar says gap_from_ms, the other series goes on")

        # Another listing time, and a kill right then: the snapshot is of the instrument before. REST has its bars still.
        trial.daemon.send_signal(signal.SIGUSR1)
        wait_for(lambda: os.path.exists(place.path("history/snapshot")), "a snapshot")
        heads[BTC].append(trial.closed_ms(BTC))
        listed_ms = trial.now_ms() - 45 * MINUTE_MS
        trial.replace(BTC, f"listed_ms={listed_ms}", f"listing time is {listed_ms}")

        def written():
            lines = run("history", "list", "--directory", place.directory).stdout.splitlines()
            return [line for line in lines if line.startswith(f"okx:swap:{BTC}:1m ") and int(line.split()[1]) >= 40]

        wait_for(written, "the new history is on the disk")
        trial.daemon.kill()
        trial.daemon.wait()
        trial.start()
        assert place.log_lines(trial.name, "event=snapshot_refused"), "the snapshot is of another instrument"
        trial.minutes(3)
        bars = trial.check_gaps(BTC, heads[BTC])
        for bar in bars[-3:]:
            assert int(bar["anchor_ms"]) + MINUTE_MS > listed_ms, (bar["anchor_ms"], listed_ms)
        print("another listing time: no bar from before it, also after a kill")

        # The same seen at a start, of an instrument that was listed after the stream's head.
        trial.daemon.terminate()
        assert trial.daemon.wait(30) == 0
        heads[BTC].append(trial.closed_ms(BTC))
        simulator.control(f"advance?ms={60 * MINUTE_MS}")
        listed_ms = trial.now_ms() - 45 * MINUTE_MS
        simulator.control(f"replace?symbol=BTC-USDT&listed_ms={listed_ms}")
        trial.start(["*/USDT:USDT", "ETH/USTD"])  # by a pattern, so that nothing begins before the list
        wait_for(lambda: len(new_histories(client)) == 3, "the daemon has seen it")
        trial.check_told(BTC, f"listing time is {listed_ms}")
        trial.minutes(3)
        bars = trial.check_gaps(BTC, heads[BTC])
        first = next(bar for bar in bars if bar.get("gap_from_ms") == str(heads[BTC][-1]))
        assert int(first["anchor_ms"]) + MINUTE_MS > listed_ms, first
        trial.check_gaps(ETH, heads[ETH])
        print(f"seen at a start: signals go on {(int(first['close_ms']) - heads[BTC][-1]) // MINUTE_MS} bars later")

        # The daemon and `check` say the same of a symbol that is not listed.
        reason = "okx swap does not list ETH/USTD (near is ETH/USDT"
        assert place.log_lines(trial.name, reason), place.log_lines(trial.name, "unknown_symbol")
        config = place.path(f"{trial.name}.toml")
        checked = run("check", "--connect", "--config", config)
        assert checked.returncode == 1 and reason in checked.stderr, checked.stderr
        assert "2 symbols, 2 series" in checked.stdout, checked.stdout

        trial.daemon.terminate()
        assert trial.daemon.wait(30) == 0
        assert len(new_histories(client)) == 3, new_histories(client)
        for options in ([], ["--rest"]):
            done = run("verify", "--config", config, *options)
            assert done.returncode == 0, done.stdout + done.stderr
            unknown = sum(len([bar for bar in stream(client, symbol) if int(bar["close_ms"]) <= heads[symbol][-1]])
                          for symbol in (BTC, ETH))
            assert f", {unknown} could not be recomputed" in done.stdout, (unknown, done.stdout)
            print("verify", *options, "says:", done.stdout.strip())
        listed = run("history", "list", "--directory", place.directory).stdout
        aside = [sum(f"okx:swap:{symbol}:1m@set-aside-" in line for line in listed.splitlines()) for symbol in (BTC, ETH)]
        assert aside == [2, 1], listed
        done = run("history", "check", "--directory", place.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        for number in range(1, trial.starts + 1):
            errors = [line for line in place.log_lines(f"daemon-{number}", "level=error") if "ETH/USTD" not in line]
            assert not errors, errors
    return 0


if __name__ == "__main__":
    sys.exit(main())
