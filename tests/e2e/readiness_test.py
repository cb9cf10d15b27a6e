"""Ready is who has caught up on every exchange once: one whose list of symbols comes late counts too, however long the others have
been live by then; and whose bars Redis takes."""
import json
import sys

import harness
from alert_rules import firing
from harness import Workplace, wait_for
from metrics_test import Daemon


def main():
    with Workplace() as place:
        client = place.redis()
        options = ("--symbols", "BTCUSDT", "--speed", "0", "--start", "2026-11-24T00:00:20Z", "--weight-limit", "1000000")
        simulator = place.simulator("--seed", "3", *options)
        late = place.simulator("--exchange", "bybit", "--seed", "4", *options, name="late")
        late.control("rest?how=hang&seconds=3&count=1000")  # its list, then its bars
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"],
                                       http="127.0.0.1:0")
        daemon = Daemon(place, config + f"""
[[feed]]
exchange = "bybit"
market = "spot"
symbols = ["BTC*"]
intervals = ["1m"]
websocket_url = "{late.ws_url}"
rest_url = "{late.rest_url}"
""")
        daemon.start()
        seen = {}

        def look():
            status = json.loads(daemon.ask("/status")[1])
            by_state = status["series_by_state"]
            if by_state["LIVE"] == 1 and status["series"] == 1:
                seen["the first is live"] = True
            if by_state["CATCHING_UP"] == 1 and by_state["LIVE"] == 1:
                seen["the second catches up"] = True
                told = " ".join(status["not_ready_because"])
                assert not status["ready"] and "1 of 2 series are catching up" in told, status
            return by_state["LIVE"] == 2

        wait_for(look, "both are live")
        assert len(seen) == 2, f"the moment was missed: {seen}"
        wait_for(lambda: daemon.ask("/-/ready")[0].status == 200, "ready")

        # A Redis that answers, and refuses what closes.
        client.config_set("maxmemory", 1)
        simulator.control("advance?ms=60000")

        def refused():
            answer, text = daemon.ask("/-/ready")
            return answer.status == 503 and "is not in it" in text

        wait_for(refused, "not ready while Redis refuses")
        client.config_set("maxmemory", 0)
        wait_for(lambda: daemon.ask("/-/ready")[0].status == 200, "ready again")

        # Where REST shuts out who has lost his connection, his series wait for it as long as that takes: on one exchange only, so
        # that the daemon is still ready, but it is told.
        late.control("rest?how=418&seconds=3600&count=10000")
        late.control("cut?how=reset")
        daemon.until("it waits", lambda s: s['atcd_series{state="catching_up"}'] == 1, lambda s: s["atcd_ready"] == 1)
        found = firing(place, *daemon.two_scrapes())
        assert "AtcdSeriesNotLive" in found, found
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0
        print("not ready before the second exchange's series had caught up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
