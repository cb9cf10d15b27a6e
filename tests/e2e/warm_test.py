"""`atcd warm`: the bars are there before the daemon runs for the first time, so that it asks the exchange for next to
nothing, and its signals are the same. Said again it loads only what is new; a daemon that runs there keeps it out. A
page that is short by mistake is no younger listing."""
import os
import re
import subprocess
import sys

import market_check
from harness import ATCD, Workplace, wait_for
from market_check import PROFILES, SYMBOLS, check_stream, fewest_bars


MINUTE_MS = 60_000


def loads_all_though_the_first_answer_is_short(place, simulator, config):
    """Forward into an empty history, then, where more is wanted, backward before it."""
    directory = place.path("short")
    os.mkdir(directory)
    config = config.replace(f'"{place.directory}"', f'"{directory}"')
    first_ms = []
    for history_bars in ("120", "400"):
        path = place.path("short.toml")
        with open(path, "w") as file:
            file.write(config.replace("history_bars = 120", f"history_bars = {history_bars}"))
        simulator.control("rest?how=halved")
        subprocess.run([ATCD, "warm", "--config", path, "BTCUSDT"], check=True, timeout=300)
        assert simulator.status()["faults_due"] == 0, "it came to nothing"
        exported = subprocess.run([ATCD, "history", "export", "--directory", directory, "binance:spot:BTCUSDT:1m"],
                                  check=True, capture_output=True, text=True)
        opens = [int(row.split(",")[0]) for row in exported.stdout.splitlines()[1:]]
        slots = (opens[-1] - opens[0]) // MINUTE_MS + 1
        assert slots == len(opens) >= int(history_bars) - 10, (opens[0], opens[-1], len(opens))
        first_ms.append(opens[0])
    assert (first_ms[0] - first_ms[1]) // MINUTE_MS >= 230, first_ms


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "3", "--speed", "60", "--seed", "31", "--weight-limit", "1000000")
        config = market_check.configuration(simulator, client, place.directory)
        path = place.path("daemon.toml")
        with open(path, "w") as file:
            file.write(config)

        def warm(*arguments):
            return subprocess.run([ATCD, "warm", "--config", path, *arguments], capture_output=True, text=True,
                                  timeout=300)

        def loaded(done):
            assert done.returncode == 0, done
            return [int(number) for number in re.search(r": (\d+) series, (\d+) bars loaded", done.stdout).groups()]

        def minute():
            return simulator.status()["now_ms"] // market_check.MINUTE_MS

        one = loaded(warm("BTCUSDT"))
        assert one[0] == 1 and 120 <= one[1] <= 170, one
        begun = minute()
        two = loaded(warm())
        assert two[0] == 3 and 240 <= two[1] <= 340, two
        again = loaded(warm())
        most = 3 * (minute() - begun + 1)
        assert again[0] == 3 and again[1] <= most, f"{again}, and {most} bars have closed since"
        unknown = warm("NOSUCH")
        assert unknown.returncode == 1 and "NOSUCH" in unknown.stderr, unknown
        assert "0 series, 0 bars loaded" in unknown.stdout, unknown
        with open(path, "w") as file:
            file.write(config.replace('"BTCUSDT"', '"NOSUCH"'))
        unresolved = warm()
        assert unresolved.returncode == 1 and "NOSUCH" in unresolved.stderr, unresolved
        assert re.search(r": 2 series, \d+ bars loaded", unresolved.stdout), unresolved
        with open(path, "w") as file:
            file.write(config.replace('"BTCUSDT", "ETHUSDT", "BNBUSDT"', '"NOSUCH"'))
        nothing = warm()
        assert nothing.returncode == 1 and ": 0 series, 0 bars loaded" in nothing.stdout, nothing
        with open(path, "w") as file:
            file.write(config)
        listed = subprocess.run([ATCD, "history", "check", "--directory", place.directory], capture_output=True, text=True)
        assert listed.returncode == 0 and "0 problems" in listed.stdout, listed

        loads_all_though_the_first_answer_is_short(place, simulator, config)
        daemon = place.daemon(config)
        wait_for(lambda: fewest_bars(client) >= 5, "signals of every series")
        kept_out = warm()
        assert kept_out.returncode == 1 and "another process" in kept_out.stderr, kept_out
        daemon.terminate()
        assert daemon.wait(60) == 0
        for symbol in SYMBOLS:
            for profile in PROFILES:
                count, _ = check_stream(simulator, client, symbol, profile)
        verified = subprocess.run([ATCD, "verify", "--config", path], capture_output=True, text=True)
        assert verified.returncode == 0, verified
        print(f"{one[1]} and {two[1]} bars ahead of time, {again[1]} when said again; {count} signals of each series after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
