"""A restart while the exchange answers no request, as where an address is shut out for hours: the bars that follow those of
the run before are published and corrected all the same, after some seconds as their frames come."""
import sys

import harness
from harness import Workplace, wait_for

SYMBOL = "BTCUSDT"
KEY = f"atc:1:{{binance:spot:1m:default}}:stream:{SYMBOL}"
MINUTE_MS = 60_000


def main():
    with Workplace() as place:
        client = place.redis()
        # The exchange's clock stands still but for what is asked for: no bar closes while nobody listens.
        simulator = place.simulator("--symbols", SYMBOL, "--speed", "0", "--seed", "7", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, [SYMBOL])

        def newest():
            return client.xrevrange(KEY, count=1)[0]

        def close_a_minute(what):
            before = int(newest()[1]["close_ms"])
            simulator.control(f"advance?ms={MINUTE_MS}")
            wait_for(lambda: newest()[0] == f"{before + MINUTE_MS}-0", what, 60)

        def correct_the_newest(what):
            before = newest()
            simulator.control(f"correct?symbol={SYMBOL}")
            wait_for(lambda: newest()[0] == before[0].replace("-0", "-1"), f"the correction of {what}", 60)
            assert newest()[1]["close"] != before[1]["close"]

        def is_live():
            return '"LIVE"' in (client.hget("atc:1:state:main", f"binance:spot:{SYMBOL}:1m:default") or "")

        daemon = place.daemon(config)
        wait_for(lambda: client.xlen(KEY) > 0 and is_live(), "the first signal")
        close_a_minute("a bar of the first run")
        daemon.terminate()
        assert daemon.wait(60) == 0

        simulator.control("rest?how=500&count=10000")
        daemon = place.daemon(config, name="alone")
        wait_for(lambda: simulator.status()["subscriptions"] == 1, "its frames come")
        correct_the_newest("a bar of the run before")
        close_a_minute("the bar that follows those of the run before")
        assert newest()[1]["source"] == "backfill" and not is_live(), newest()
        correct_the_newest("a bar of this run")
        close_a_minute("the bar after it")
        assert place.log_lines("alone", "simulated 500") and not place.log_lines("alone", "event=conflict")

        simulator.control("rest?how=500&count=1")
        wait_for(is_live, "the exchange answers again")
        close_a_minute("a bar as usual")
        assert newest()[1]["source"] == "live", newest()
        daemon.terminate()
        assert daemon.wait(60) == 0
        found = client.xrange(KEY)
        closes = [int(fields["close_ms"]) for _, fields in found if fields["rev"] == "0"]
        assert closes == list(range(closes[0], closes[-1] + 1, MINUTE_MS)) and len(found) == len(closes) + 2, closes
        truth = {row[0]: row[5] for row in simulator.truth(SYMBOL, "1m", closes[0] - MINUTE_MS)}
        newest_of = {int(fields["open_ms"]): float(fields["close"]) for _, fields in found}
        assert all(truth[open_ms] == close for open_ms, close in newest_of.items()), (truth, newest_of)
        print(f"{len(closes)} bars, two of them corrected; two came while no request was answered")
    return 0


if __name__ == "__main__":
    sys.exit(main())
