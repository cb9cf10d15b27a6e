"""An exchange that answers pings and requests but tells nothing any more: its streams are subscribed anew, and where that
brings nothing either the connection is replaced; when it tells again no bar is missing."""
import sys

import harness
from harness import Workplace, wait_for

SYMBOL = "BTCUSDT"
KEY = f"atc:1:{{binance:spot:1s:default}}:stream:{SYMBOL}"


def main():
    with Workplace() as place:
        client = place.redis()
        # A bar a second, and a stream that is silent for 62 seconds is stale.
        simulator = place.simulator("--symbols", "1", "--seed", "5", "--speed", "1", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, [SYMBOL])
        daemon = place.daemon(config.replace('intervals = ["1m"]', 'intervals = ["1s"]'))
        wait_for(lambda: client.xlen(KEY) > 3, "the first signals")
        connected = len(place.log_lines("daemon", "event=connected"))
        simulator.control("silence?ms=86400000&pings=yes")
        wait_for(lambda: place.log_lines("daemon", "event=handed_over"), "the silent connection is replaced", 300)
        assert len(place.log_lines("daemon", "event=connected")) == connected + 1
        assert not place.log_lines("daemon", "event=disconnected"), "not before the next one is there"
        simulator.control("silence?ms=1")
        reached = client.xlen(KEY)
        wait_for(lambda: client.xlen(KEY) > reached + 10, "signals once it tells again")
        daemon.terminate()
        assert daemon.wait(30) == 0
        closes = [int(fields["close_ms"]) for _, fields in client.xrange(KEY)]
        assert closes == list(range(closes[0], closes[0] + 1000 * len(closes), 1000)), "every second has its bar"
        print(f"a silent connection was replaced; {len(closes)} bars without a hole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
