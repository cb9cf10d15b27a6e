"""The stream of a group holds as many entries as the streams of its series together, however many threads publish them,
and also while a daemon that starts has not yet taken up all of them: not even their names, where a pattern waits for the exchange."""
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

        # Redis has lost what one of them told last, and of the others only the exchange's list will tell.
        named = symbols[0]
        stream = f"{GROUP}stream:{named}"
        *rest, last = [entry for entry, _ in client.xrange(stream)][-4:]
        client.xdel(stream, *rest[1:], last)
        client.execute_command("XSETID", stream, rest[0])
        simulator.control("rest?how=418&count=10000&seconds=60")
        block = config[config.index("[[feed]]"):config.index("[http]")]
        both = config.replace(block, block.replace('"*USDT"', f'"{named}"') + block.replace('symbols =', f'exclude = ["{named}"]\nsymbols ='))
        daemon = place.daemon(both.replace(f"threads = {threads}", "threads = 1"))
        wait_for(lambda: client.xrevrange(stream, count=1)[0][0] >= last, "it is brought again")
        kept = client.xlen(f"{GROUP}all")
        assert kept >= KEEP * series, f"{kept} entries of {series} series of which one is there"
        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{client.xlen(GROUP + 'all')} entries of {series} series by {threads} threads, after restarts too")

    return 0


if __name__ == "__main__":
    sys.exit(main())
