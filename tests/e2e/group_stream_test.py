"""The stream of a group holds as many entries as the streams of its series together, however many threads publish them,
and also while a daemon that starts has not yet taken up all of them."""
import sys

import harness
from harness import Workplace, wait_for

KEEP = 50
GROUP = "atc:1:{binance:spot:1m:default}:"


def main():
    threads, series = 4, 8
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", str(series), "--speed", "600", "--seed", "3", "--weight-limit", "1000000")
        symbols = simulator.symbols()
        config = f"threads = {threads}\n" + harness.configuration(
            simulator.ws_url, simulator.rest_url, client.url, place.directory, ["*USDT"]).replace("keep = 100000", f"keep = {KEEP}")

        def bars():
            """Up to which bar every stream has come; 0: not all have begun."""
            closes = [client.hget(f"{GROUP}last:{symbol}", "close_ms") for symbol in symbols]
            return 0 if None in closes else min(map(int, closes)) // 60_000

        def check(more):
            begun = wait_for(bars, "all have begun")
            wait_for(lambda: bars() >= begun + more, f"{more} more bars")
            kept = client.xlen(f"{GROUP}all")
            assert kept >= KEEP * series, f"{kept} entries of {series} series by {threads} threads"

        daemon = place.daemon(config)
        check(3 * KEEP)
        for _ in range(3):
            daemon.kill()
            daemon.wait()
            daemon = place.daemon(config)
            check(1)
        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{client.xlen(GROUP + 'all')} entries of {series} series by {threads} threads, after restarts too")

    return 0


if __name__ == "__main__":
    sys.exit(main())
