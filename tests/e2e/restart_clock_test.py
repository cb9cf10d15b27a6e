"""Our clock is days off when the daemon starts: what is begun before the exchange has told its own goes on all the same, and
asks for no more of the past than it needs."""
import sys
import time

import harness
from harness import Workplace, wait_for

SYMBOL = "BTCUSDT"
KEY = f"atc:1:{{binance:spot:1m:default}}:stream:{SYMBOL}"
DAY_MS, MINUTE_MS = 86_400_000, 60_000


def restarts_with_ours_ahead_by(days):
    with Workplace() as place:
        client = place.redis()
        start = time.strftime("%Y-%m-%dT%H:%M:01Z", time.gmtime(time.time() - days * DAY_MS / 1000))
        simulator = place.simulator("--symbols", SYMBOL, "--speed", "0", "--start", start, "--seed", "7",
                                    "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, [SYMBOL])

        def newest_ms():
            return int(client.xrevrange(KEY, count=1)[0][1]["close_ms"])

        def close_minutes(count):
            for _ in range(count):
                before = newest_ms()
                simulator.control(f"advance?ms={MINUTE_MS}")
                wait_for(lambda: newest_ms() == before + MINUTE_MS, f"the minute's signal, {days} days", 60)

        def is_live():
            return '"LIVE"' in (client.hget("atc:1:state:main", f"binance:spot:{SYMBOL}:1m:default") or "")

        daemon = place.daemon(config)
        wait_for(lambda: client.xlen(KEY) > 0 and is_live(), "the first signal")
        close_minutes(2)
        daemon.terminate()
        assert daemon.wait(60) == 0
        asked = simulator.status()["rest_requests"]
        daemon = place.daemon(config, name="again")
        wait_for(lambda: place.log_lines("again", "event=state") and is_live(), "the second run is live")
        close_minutes(3)
        asked = simulator.status()["rest_requests"] - asked
        assert asked <= 12, f"{asked} requests"
        daemon.terminate()
        assert daemon.wait(60) == 0
        closes = [int(fields["close_ms"]) for _, fields in client.xrange(KEY)]
        assert closes == list(range(closes[0], closes[-1] + 1, MINUTE_MS)), closes
        print(f"ours ahead by {days} days: {len(closes)} bars once, {asked} requests of the second run")


def main():
    restarts_with_ours_ahead_by(4)
    restarts_with_ours_ahead_by(-1500)
    return 0


if __name__ == "__main__":
    sys.exit(main())
