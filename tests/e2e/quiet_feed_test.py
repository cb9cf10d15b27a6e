"""A connection that lives but brings no frame: a bar whose closing frame is lost, with nothing after it, comes over REST long
before the series would be called stale."""
import sys
import time

import harness
from harness import Workplace, wait_for

SYMBOLS = ["BTCUSDT", "ETHUSDT"]


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "2", "--start", "2026-11-27T10:00:40Z", "--weight-limit", "1000000")
        place.daemon(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, SYMBOLS))

        def fewest():
            return min(client.xlen(f"atc:1:{{binance:spot:1m:default}}:stream:{symbol}") for symbol in SYMBOLS)

        wait_for(lambda: fewest() >= 1, "a signal of every series")
        before = max(client.xlen(f"atc:1:{{binance:spot:1m:default}}:stream:{symbol}") for symbol in SYMBOLS)
        simulator.control("silence?ms=3600000")
        begun = time.monotonic()
        wait_for(lambda: fewest() > before, "the bar that closed in silence", 150)
        states = client.hgetall("atc:1:state:main")
        assert states and all('"LIVE"' in state for state in states.values()), states
        assert not place.log_lines("daemon", "event=disconnected")
        print(f"bars that closed in silence were there {time.monotonic() - begun:.0f} s after its beginning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
