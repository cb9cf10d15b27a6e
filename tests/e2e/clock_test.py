"""The exchange's clock against ours: what is measured is in the heartbeat, the log says when they are apart and when they are
not any more, and neither makes a signal wrong, missing or doubled."""
import sys

import harness
from harness import Workplace, wait_for

FIELD = "clock_offset_ms:binance:spot"
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
KEY = "atc:1:{binance:spot:1m:default}:stream:"


def main():
    with Workplace() as place:
        client = place.redis()
        # At the speed of ours: else an offset would grow all the time.
        simulator = place.simulator("--symbols", "2", "--speed", "1", "--seed", "81", "--update-ms", "100")
        daemon = place.daemon(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory,
                                                    SYMBOLS))
        offset = lambda: int(client.hget("atc:1:daemon:main", FIELD) or 10**9)
        lines = lambda level: [line for line in place.log_lines("daemon", "event=clock_offset") if f"level={level}" in line]

        def offset_becomes(least, most, what):
            wait_for(lambda: least <= offset() <= most, f"{what}: an offset from {least} to {most}")
            return offset()

        live = lambda: client.hget("atc:1:daemon:main", "live") == "2"
        wait_for(live, "live")
        together = offset_becomes(-900, 900, "one clock")
        assert not lines("warning"), lines("warning")
        simulator.control("jump_clock?ms=7000")
        ahead = offset_becomes(6100, 7900, "the exchange's is set ahead")
        wait_for(lambda: len(lines("warning")) == 1, "a warning")
        simulator.control("jump_clock?ms=-7000")
        behind = offset_becomes(-7900, -6100, "and back")
        simulator.control("jump_clock?ms=0")
        again = offset_becomes(-900, 900, "and right")
        wait_for(lambda: len(lines("info")) == 1, "all is well")
        bars = lambda: min(client.xlen(KEY + symbol) for symbol in SYMBOLS)
        wait_for(lambda: bars() >= 2, "bars close all the while")
        assert live() and len(lines("warning")) == 1, lines("warning")
        daemon.terminate()
        assert daemon.wait(60) == 0
        for symbol in SYMBOLS:
            found = harness.entries(client, KEY + symbol)
            opens = [int(fields["open_ms"]) for _, fields in found]
            assert opens == list(range(opens[0], opens[-1] + 1, 60_000)), f"{symbol}: {opens}"
            truth = {row[0]: row[2:] for row in simulator.truth(symbol, "1m", opens[0])}
            for entry, fields in found:
                bar = [float(fields[name]) for name in ("open", "high", "low", "close", "volume")]
                assert bar == truth[int(fields["open_ms"])] and fields["rev"] == "0", (symbol, entry)
        print(f"measured: {together} ms, {ahead} ms when set 7 s ahead, {behind} ms when set 7 s back, then {again} ms; "
              f"{len(found)} bars of each symbol once and right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
