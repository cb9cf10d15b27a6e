"""A restart while the exchange shuts the address out, and with it the list of symbols that a pattern is resolved from: what
ran until the end of the run before goes on, on every thread, and nothing that had gone before that."""
import sys

import harness
from harness import Workplace, series_name, stream_key, wait_for

STAYING, GONE = ["BTCUSDT", "SOLUSDT"], "XRPUSDT"  # of two threads each has one of those that stay
MINUTE_MS = 60_000
SHUT_OUT_S = 45


def main():
    with Workplace() as place:
        client = place.redis()
        # The exchange's clock stands still but for what is asked for: no bar closes while nobody listens.
        simulator = place.simulator("--symbols", ",".join([*STAYING, GONE]), "--speed", "0", "--seed", "7", "--weight-limit",
                                    "1000000")

        def configuration(symbols):
            return "threads = 2\n" + harness.configuration(simulator.ws_url, simulator.rest_url, client.url,
                                                           place.directory, symbols)

        def newest(symbol):
            return client.xrevrange(stream_key(symbol), count=1)[0]

        def close_a_minute(what):
            before = {symbol: int(newest(symbol)[1]["close_ms"]) for symbol in STAYING}
            simulator.control(f"advance?ms={MINUTE_MS}")
            wait_for(lambda: all(newest(symbol)[0] == f"{before[symbol] + MINUTE_MS}-0" for symbol in STAYING), what, 60)

        def live():
            states = client.hgetall("atc:1:state:main")
            return {name for name, state in states.items() if '"LIVE"' in state}

        def names(symbols):
            return {series_name(symbol) for symbol in symbols}

        def ran_with(symbols, name):
            daemon = place.daemon(configuration(symbols), name=name)
            wait_for(lambda: live() == names(symbols) and all(client.xlen(stream_key(symbol)) > 0 for symbol in symbols), name)
            close_a_minute(f"a bar of {name}")
            daemon.terminate()
            assert daemon.wait(60) == 0

        ran_with([*STAYING, GONE], "three")
        ran_with(STAYING, "two")

        # A run that ends before it has begun anything knows no less.
        simulator.control(f"rest?how=418&count=10000&seconds={SHUT_OUT_S}")
        daemon = place.daemon(configuration(["*USDT"]), name="short")
        wait_for(lambda: place.log_lines("short", "simulated 418"), "the address is shut out")
        daemon.terminate()
        assert daemon.wait(60) == 0

        daemon = place.daemon(configuration(["*USDT"]), name="pattern")
        wait_for(lambda: simulator.status()["subscriptions"] == len(STAYING), "their frames come")
        assert client.hkeys("atc:1:state:main") and set(client.hkeys("atc:1:state:main")) == names(STAYING)
        close_a_minute("the bars that follow those of the run before")
        assert all(newest(symbol)[1]["source"] == "backfill" for symbol in STAYING) and not live(), live()
        close_a_minute("the bars after those")
        assert place.log_lines("pattern", "goes on without it") and not place.log_lines("pattern", "event=conflict")

        # Once the list is there the pattern has what it takes.
        simulator.control("rest?how=500&count=1")
        wait_for(lambda: live() == names([*STAYING, GONE]), "the exchange answers again", 2 * SHUT_OUT_S)
        close_a_minute("bars as usual")
        assert all(newest(symbol)[1]["source"] == "live" for symbol in STAYING)
        daemon.terminate()
        assert daemon.wait(60) == 0
        for symbol in STAYING:
            closes = [int(fields["close_ms"]) for _, fields in client.xrange(stream_key(symbol))]
            assert closes == list(range(closes[0], closes[-1] + 1, MINUTE_MS)), closes
        print(f"{len(closes)} bars each; two came while the list was not to be had")
    return 0


if __name__ == "__main__":
    sys.exit(main())
