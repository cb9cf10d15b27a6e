"""A symbol becomes another instrument: the exchange's list shows another listing time, while the daemon runs, and another
contract size, while it is away. What was held is set aside, the signals go on after the stream's head with gap_from_ms, from
bars of the new instrument alone; a value that is missing or told for the first time changes nothing. The symbols are
configured by their common names."""
import json
import signal
import subprocess
import sys

from harness import ATCD, Workplace, entries, wait_for

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
symbols = ["BTC/USDT:USDT", "ETH/USDT"{more}]
intervals = ["1m"]
rest_share = 1.0
websocket_url = "{sim.ws_url}"
rest_url = "{sim.rest_url}"
[redis]
url = "{redis.url}"
[state]
directory = "{directory}"
"""


def stream(client, symbol):
    return [fields for _, fields in entries(client, f"atc:1:{{okx:swap:1m:default}}:stream:{symbol}")]


def gaps(client, symbol):
    return [(int(fields["gap_from_ms"]), int(fields["close_ms"])) for fields in stream(client, symbol)
            if fields.get("gap_from_ms")]


def new_histories(client):
    return [fields for _, fields in client.xrange("atc:1:events") if fields["event"] == "new_history"]


def run(*arguments):
    return subprocess.run([ATCD, *arguments], capture_output=True, text=True)


def check_stream(client, symbol, replaced_after):
    """`replaced_after`: how many entries there were when the instrument changed, at least. The entry that goes on."""
    bars = stream(client, symbol)
    closes = [int(bar["close_ms"]) for bar in bars]
    assert closes == sorted(set(closes)), symbol
    (gap_from_ms, close_ms), = gaps(client, symbol)
    at = closes.index(close_ms)
    assert at >= replaced_after and gap_from_ms == closes[at - 1], (symbol, gap_from_ms, closes[at - 1:at + 1])
    for before, after in zip(bars, bars[1:]):
        assert after.get("gap_from_ms") or int(after["open_ms"]) == int(before["close_ms"]), (before, after)
    return bars[at]


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", "okx", "--symbols", "2", "--speed", "120", "--seed", "7",
                                    "--weight-limit", "1000000")

        def configuration(more=""):
            return CONFIGURATION.format(sim=simulator, redis=client, directory=place.directory, more=more)

        def bars(symbol):
            return len(stream(client, symbol))

        def grows(symbol, by, what):
            before = bars(symbol)
            wait_for(lambda: bars(symbol) >= before + by, what)

        daemon = place.daemon(configuration())
        wait_for(lambda: bars(BTC) >= 5 and bars(ETH) >= 5, "signals of symbols that are named by their common names")
        catalogue = json.loads(client.hget("atc:1:catalogue", "okx:swap:BTC-USDT-SWAP:1m:default"))
        assert catalogue["symbol"] == BTC and catalogue["common_symbol"] == "BTC/USDT", catalogue

        # A list that says the same is no change.
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: place.log_lines("daemon", "event=reload"), "the configuration was read again")
        grows(BTC, 3, "signals after a list that says the same")
        assert not new_histories(client) and not gaps(client, BTC)

        # Another listing time, seen by a running daemon. REST has the bars from before still.
        before = bars(BTC)
        listed_ms = simulator.status()["now_ms"] - 100 * MINUTE_MS
        simulator.control(f"replace?symbol=BTC-USDT&listed_ms={listed_ms}")
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: gaps(client, BTC), "signals of the new instrument")
        grows(BTC, 10, "signals go on")
        first = check_stream(client, BTC, before)
        assert int(first["anchor_ms"]) + MINUTE_MS > listed_ms, (first["anchor_ms"], listed_ms)
        told, = new_histories(client)
        assert told["series"] == "okx:swap:BTC-USDT-SWAP:1m:default" and f"listing time is {listed_ms}" in told["detail"], told
        assert not gaps(client, ETH), "the other series goes on"
        print(f"another listing time: signals go on after {first['gap_from_ms']} with anchor {first['anchor_ms']}")

        # Another contract size, seen at a start.
        daemon.terminate()
        assert daemon.wait(30) == 0
        before = bars(ETH)
        simulator.control("replace?symbol=ETH-USDT&contract_size=10")
        daemon = place.daemon(configuration(', "ETH/USTD"'), name="second")
        wait_for(lambda: gaps(client, ETH), "signals after a start with another contract size")
        grows(ETH, 10, "signals go on")
        first = check_stream(client, ETH, before)
        assert len(new_histories(client)) == 2 and "contract size is 10, it was 1" in new_histories(client)[1]["detail"]
        print(f"another contract size: signals go on after {first['gap_from_ms']}")

        # Killed right after, it knows what it began with, and that the rest is another's.
        daemon.kill()
        daemon.wait()
        daemon = place.daemon(configuration(', "ETH/USTD"'), name="third")
        grows(ETH, 5, "signals after a kill")
        grows(BTC, 5, "signals after a kill")
        assert len(new_histories(client)) == 2, new_histories(client)
        check_stream(client, ETH, before)

        # The daemon and `check` say the same of a symbol that is not listed.
        reason = "okx swap does not list ETH/USTD (near is ETH/USDT"
        assert place.log_lines("third", reason), place.log_lines("third", "unknown_symbol")
        checked = run("check", "--connect", "--config", place.path("third.toml"))
        assert checked.returncode == 1 and reason in checked.stderr, checked.stderr
        assert "2 symbols, 2 series" in checked.stdout, checked.stdout

        daemon.terminate()
        assert daemon.wait(30) == 0
        for options in ([], ["--rest"]):
            done = run("verify", "--config", place.path("third.toml"), *options)
            assert done.returncode == 0, done.stdout + done.stderr
            print("verify", *options, "says:", done.stdout.strip())
        listed = run("history", "list", "--directory", place.directory).stdout
        for symbol in (BTC, ETH):
            assert sum(f"okx:swap:{symbol}:1m@set-aside-" in line for line in listed.splitlines()) == 1, listed
        done = run("history", "check", "--directory", place.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        for name in ("daemon", "second", "third"):
            errors = [line for line in place.log_lines(name, "level=error") if "ETH/USTD" not in line]
            assert not errors, errors
    return 0


if __name__ == "__main__":
    sys.exit(main())
