"""Simulator to subscriber: every closed bar once and in order, with the bits that offline computing gives
(market_check.py), whatever happens to the connection in between, and across changes of the anchor. Two profiles on one
feed."""
import random
import re
import sys
import time
import urllib.request

import market_check
from harness import Workplace, wait_for
from market_check import (PROFILES, SYMBOLS, Subscriber, check_pushes, check_stream, configuration, fewest_bars,
                          series_name, stream_key)


def main():
    random.seed(20261123)
    with Workplace() as place:
        client = place.redis()
        # A bar every quarter of a second.
        simulator = place.simulator("--exchange", market_check.EXCHANGE, "--symbols", "3", "--speed", "240",
                                    "--seed", "7", "--weight-limit", "1000000")
        subscriber = Subscriber(client)
        subscriber.start()
        config = configuration(simulator, client, place.directory)
        daemon = place.daemon(config.replace("listen = \"off\"", "listen = \"127.0.0.1:0\""))

        def bars():
            return fewest_bars(client)

        wait_for(lambda: bars() >= 5, "the first signals of every series")
        for cut in range(10):
            before = bars()
            wait_for(lambda: bars() > before, f"signals go on before cut {cut}")
            time.sleep(random.random())  # a random moment, not a condition
            simulator.control("cut?how=" + random.choice(["close", "reset"]))
        reached = bars()
        wait_for(lambda: bars() >= max(reached + 60, 130), "signals go on after the last cut")
        beat = wait_for(lambda: (found := client.hgetall("atc:1:daemon:main")) and int(found["audited"]) >= 2 and found,
                        "the daemon has audited itself")
        assert beat["audit_differences"] == "0", beat
        address = re.search(r"address=(\S+)", place.log_lines("daemon", "event=http_listening")[0])[1]
        with urllib.request.urlopen(f"http://{address}/metrics") as page:
            elsewhere = int(re.search(r'bulk_replays_total{result="taken_up"} (\d+)', page.read().decode())[1])
        assert elsewhere > 0, "no engine of a next anchor was built apart from the bars that close"
        daemon.terminate()
        assert daemon.wait(30) == 0, "SIGTERM ends the daemon cleanly"
        assert place.log_lines("daemon", "event=drained"), "it says what it flushed"
        subscriber.finish()

        for symbol in SYMBOLS:
            for profile in PROFILES:
                count, anchors = check_stream(simulator, client, symbol, profile)
                assert anchors >= 3, f"{symbol} {profile}: only {anchors} anchors in {count} bars"
                print(f"{series_name(symbol, profile)}: {count} bars once and in order, equal bits, {anchors} anchors")
        print(f"{elsewhere} engines of next anchors were built elsewhere")
        print(f"{check_pushes(client, subscriber.heard)} pushes, each an entry of its stream")
        group = client.xlen(f"atc:1:{{{market_check.EXCHANGE}:spot:1m:default}}:all")
        assert group == sum(client.xlen(stream_key(symbol, "default")) for symbol in SYMBOLS), group
        assert set(client.hkeys("atc:1:catalogue")) == {series_name(s, p) for s in SYMBOLS for p in PROFILES}
        assert len(client.hkeys("atc:1:configs")) == 2
        kinds = {fields["event"] for _, fields in client.xrange("atc:1:events")}
        assert {"start", "added", "state", "stop"} <= kinds, kinds
    return 0


if __name__ == "__main__":
    sys.exit(main())
