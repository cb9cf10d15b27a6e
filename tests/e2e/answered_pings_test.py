"""An exchange whose websocket answers pings but tells no prices: its answers are messages too, and must not keep the alert for a
feed that is stale from firing."""
import sys

import harness
from alert_rules import firing
from harness import EXCHANGES, Workplace
from metrics_test import Daemon


def check(exchange, market, symbol):
    labels = f'{{exchange="{exchange}",market="{market}"}}'
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--exchange", exchange, "--symbols", "BTCUSDT", "--speed", "0", "--seed", "7",
                                    "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, [symbol],
                                       http="127.0.0.1:0")
        daemon = Daemon(place, config.replace('"binance"', f'"{exchange}"').replace('"spot"', f'"{market}"'))
        daemon.start()
        daemon.until("it is live", lambda s: s['atcd_series{state="live"}'] == 1, lambda s: s["atcd_ready"] == 1)
        heard = daemon.two_scrapes(moves=f"atcd_feed_updates_total{labels}")
        assert "AtcdFeedStale" not in firing(place, *heard), firing(place, *heard)
        simulator.control("silence?ms=600000")
        daemon.two_scrapes()  # what was on its way has come
        silent = daemon.two_scrapes(moves=f"atcd_feed_last_message_timestamp_seconds{labels}")
        assert silent[1][f"atcd_feed_connected{labels}"] == 1, "its connection is open"
        assert "AtcdFeedStale" in firing(place, *silent), firing(place, *silent)
        daemon.process.terminate()
        assert daemon.process.wait(30) == 0
        print(f"{exchange}: stale, though pings are answered")


def main():
    for exchange, symbol in (("bybit", "BTCUSDT"), ("okx", "BTC-USDT")):
        check(exchange, EXCHANGES[exchange], symbol)
    return 0


if __name__ == "__main__":
    sys.exit(main())
