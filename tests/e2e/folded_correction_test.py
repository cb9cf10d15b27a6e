"""The exchange corrects the same minute of every symbol, as it may after an incident, and with it a bar of two minutes that has
closed already: of all of them the bar that is folded from these minutes is told anew, one a second and not one a minute. A bar
that has closed since is not asked for: REST tells it as it was before its last trades, and frames have told what it is."""
import sys

import harness
from harness import Workplace, stream_key, wait_for

MINUTE_MS = 60_000
LENGTH_MS = 2 * MINUTE_MS
COUNT = 12


def main():
    with Workplace() as place:
        client = place.redis()
        # The exchange's clock stands still but for what is asked for.
        simulator = place.simulator("--symbols", str(COUNT), "--speed", "0", "--seed", "7", "--weight-limit", "1000000")
        symbols = simulator.symbols()
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, symbols)
        daemon = place.daemon(config.replace('intervals = ["1m"]', 'intervals = ["1m", "2m"]'))

        def newest(interval):
            return {symbol: client.xrevrange(stream_key(symbol, interval), count=1)[0] for symbol in symbols}

        wait_for(lambda: sum('"LIVE"' in state for state in client.hgetall("atc:1:state:main").values()) == 2 * COUNT, "all live")

        def close_a_minute():
            now_ms = simulator.status()["now_ms"]
            simulator.control(f"advance?ms={MINUTE_MS}")
            end_ms = (now_ms + MINUTE_MS) // MINUTE_MS * MINUTE_MS
            wait_for(lambda: all(entry == f"{end_ms}-0" for entry, _ in newest("1m").values()), f"the minute to {end_ms}")
            return end_ms

        # To the first minute after a bar all of whose minutes were heard.
        minutes = 1
        end_ms = close_a_minute()
        while minutes <= 2 or end_ms % LENGTH_MS != MINUTE_MS:
            end_ms = close_a_minute()
            minutes += 1
        bar_ms = end_ms - MINUTE_MS

        def told(rev):
            return all(entry == f"{bar_ms}-{rev}" for entry, _ in newest("2m").values())

        wait_for(lambda: told(0), "the bars of two minutes")
        closed = newest("2m")

        # The last minute of the bar of ten, of which another has begun.
        for symbol in symbols:
            simulator.control(f"correct?symbol={symbol}&bars_ago=2")
        wait_for(lambda: told(1), "the corrections")
        for symbol, (_, fields) in newest("2m").items():
            assert fields["close"] != closed[symbol][1]["close"], symbol
            last_minute = simulator.truth(symbol, "1m", bar_ms - MINUTE_MS)[0]
            assert float(fields["close"]) == last_minute[5], (symbol, fields["close"], last_minute)

        close_a_minute()
        close_a_minute()
        for symbol in symbols:
            simulator.control(f"correct?symbol={symbol}&bars_ago=2")
        simulator.control("rest?how=unsettled&count=10000")
        bar_ms = close_a_minute()

        def corrected_late():
            events = [fields for _, fields in client.xrange("atc:1:events")]
            return {event["series"] for event in events if event["event"] == "late_correction" and ":2m:" in event["series"]}

        wait_for(lambda: len(corrected_late()) == COUNT, "the corrections of bars that have a successor")
        for symbol, (entry, fields) in newest("2m").items():
            assert entry == f"{bar_ms}-0", (symbol, entry)
            last_minute = simulator.truth(symbol, "1m", bar_ms - MINUTE_MS)[0]
            assert float(fields["close"]) == last_minute[5], (symbol, fields["close"], last_minute)
        daemon.terminate()
        assert daemon.wait(60) == 0
        print(f"{COUNT} bars of two minutes were told anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
