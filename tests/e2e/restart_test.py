"""A daemon that dies and comes back. Killed at random moments (ATCD_KILLS times, 20 where that is not set) it loses,
doubles and changes nothing. And what Redis forgot comes from the history on disk alone, with the exchange away."""
import os
import random
import re
import signal
import sys
import time

from harness import Workplace, wait_for
from market_check import (PROFILES, SYMBOLS, check_stream, configuration, fewest_bars, series_name, stream_key)

KILLS = int(os.environ.get("ATCD_KILLS", "20"))


def newest(client):
    return {(symbol, profile): client.xrevrange(stream_key(symbol, profile), count=1)[0][0]
            for symbol in SYMBOLS for profile in PROFILES}


def killed_at_random_moments():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "3", "--speed", "240", "--seed", "11", "--weight-limit", "1000000")
        config = configuration(simulator, client, place.directory)
        daemon = place.daemon(config)
        wait_for(lambda: fewest_bars(client) >= 3, "the first signals of every series")
        for kill in range(KILLS):
            # Random moments, not conditions: early ones fall into the start, late ones into publishing.
            time.sleep(random.choice([0.02, 0.1, 0.3, 1.0]) * random.random())
            if kill % 2 == 0:
                daemon.send_signal(signal.SIGUSR1)  # takes a snapshot: the kill falls into it, or it is an older one
                time.sleep(0.02 * random.random())
            daemon.send_signal(signal.SIGTERM if kill % 7 == 3 else signal.SIGKILL)
            daemon.wait()
            before = fewest_bars(client)
            if kill % 5 == 1:  # nor is there a snapshot: all engines come from the history at once
                for name in ("snapshot", "snapshot.previous"):
                    if os.path.exists(place.path(f"history/{name}")):
                        os.remove(place.path(f"history/{name}"))
            # Symbols move between threads from one run to the next.
            daemon = place.daemon(configuration(simulator, client, place.directory, threads=1 + kill % 3))
            if kill % 3 == 0:
                wait_for(lambda: fewest_bars(client) > before, f"signals go on after kill {kill}")
        reached = fewest_bars(client)
        wait_for(lambda: fewest_bars(client) >= reached + 10, "signals go on after the last kill")
        daemon.terminate()
        assert daemon.wait(30) == 0, "SIGTERM ends the daemon cleanly"
        # From that end's snapshot, wherever the kills fell.
        reached = fewest_bars(client)
        daemon = place.daemon(config)
        wait_for(lambda: fewest_bars(client) > reached, "signals go on after a clean end")
        daemon.terminate()
        assert daemon.wait(30) == 0
        damage = place.log_lines("daemon", "event=history") + place.log_lines("daemon", "event=snapshot ")
        assert not damage, damage
        resumed = sum(int(re.search(r"engines=(\d+)", line)[1]) for line in place.log_lines("daemon", "event=restored"))
        assert resumed > 0, "no engine went on from a snapshot"
        replayed = sum(int(re.search(r"replayed=(\d+)", line)[1]) for line in place.log_lines("daemon", "event=restored"))
        assert replayed > 0, "no engine was replayed at a start without a snapshot"
        print(f"engines went on from a snapshot {resumed} times, were replayed at once {replayed} times; snapshots refused: "
              f"{len(place.log_lines('daemon', 'event=snapshot_refused'))} times")
        for symbol in SYMBOLS:
            for profile in PROFILES:
                count, anchors = check_stream(simulator, client, symbol, profile)
                print(f"{series_name(symbol, profile)}: {count} bars once and in order over {KILLS} kills, equal bits, "
                      f"{anchors} anchors")


def redis_forgets_while_the_exchange_is_away():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "3", "--speed", "240", "--seed", "12", "--weight-limit", "1000000")
        config = configuration(simulator, client, place.directory)
        daemon = place.daemon(config)
        wait_for(lambda: fewest_bars(client) >= 5, "the first signals of every series")
        client.save()
        saved = fewest_bars(client)
        wait_for(lambda: fewest_bars(client) >= saved + 30, "signals that the dump does not have")
        daemon.terminate()
        assert daemon.wait(30) == 0
        before = newest(client)
        entries = {key: client.xrange(stream_key(*key)) for key in before}
        processes = dict(place.processes)
        processes["redis"].kill()
        processes["redis"].wait()
        client = place.redis()
        assert newest(client) != before, "the dump that was put back is older"

        # Nothing listens where the exchange was.
        processes["simulator"].send_signal(signal.SIGSTOP)
        away = config.replace(simulator.ws_url, "ws://127.0.0.1:9").replace(simulator.rest_url, "http://127.0.0.1:9")
        daemon = place.daemon(away, name="daemon-alone")
        wait_for(lambda: newest(client) == before, "the streams are whole again from the history on disk")
        daemon.terminate()
        assert daemon.wait(30) == 0
        stamps = {"published_us", "received_us", "source"}
        for key, wanted in entries.items():
            got = client.xrange(stream_key(*key))
            assert [entry for entry, _ in got] == [entry for entry, _ in wanted], key
            for (entry, ours), (_, theirs) in zip(got, wanted):
                assert {n: v for n, v in ours.items() if n not in stamps} == \
                    {n: v for n, v in theirs.items() if n not in stamps}, (key, entry)
        print(f"{saved} of {len(wanted)} entries a stream were in the dump: the others came from disk, the same")
        processes["simulator"].send_signal(signal.SIGCONT)


def main():
    random.seed(20261124)
    killed_at_random_moments()
    redis_forgets_while_the_exchange_is_away()
    return 0


if __name__ == "__main__":
    sys.exit(main())
