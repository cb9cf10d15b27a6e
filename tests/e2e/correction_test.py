"""The exchange corrects bars that it had closed. The newest is published again with the next rev, pushed again, and every
later signal of the run has it; an older one stays as it was published and holds from the next anchor on, also where the
series goes and comes again meanwhile. Both are told in events, also across a kill; and atcd verify finds each entry to be
what was valid when it was published."""
import signal
import subprocess
import sys
import time

import market_check
from harness import ATCD, Workplace, entries, wait_for
from market_check import MINUTE_MS, PROFILES, SYMBOLS, check_entries, stream_key, verify

SERIES = "binance:spot:BTCUSDT:1m:default"
KEY = stream_key("BTCUSDT", "default")


def check_history(place):
    """Every block is looked at, also those of bars as they were before they were corrected."""
    check = [ATCD, "history", "check", "--directory", place.directory]
    whole = subprocess.run(check, capture_output=True, text=True)
    assert whole.returncode == 0 and ", 0 problems" in whole.stdout, whole
    superseded, header_bytes = 1, 64
    with open(place.path("history/blocks"), "r+b") as file:
        blocks = file.read()
        at = 0
        while int.from_bytes(blocks[at + 22:at + 24], "little") != superseded:
            at += header_bytes + (int.from_bytes(blocks[at + 24:at + 28], "little") + 7) // 8 * 8
        file.seek(at + header_bytes)
        file.write(bytes([blocks[at + header_bytes] ^ 1]))
    damaged = subprocess.run(check, capture_output=True, text=True)
    assert damaged.returncode == 1 and "is damaged: its 1 bars are left out" in damaged.stderr, damaged


def main():
    with Workplace() as place:
        client = place.redis()
        # Within a minute, so that each step ends one; ours, by which a start reckons how far back its bars reach.
        simulator = place.simulator("--symbols", "3", "--speed", "0", "--start", time.strftime("%Y-%m-%dT%H:%M:20Z", time.gmtime()),
                                    "--seed", "51", "--weight-limit", "1000000")
        config = market_check.configuration(simulator, client, place.directory)
        subscriber = market_check.Subscriber(client)
        subscriber.start()
        daemon = place.daemon(config)

        def events(kind):
            return [fields["detail"] for _, fields in client.xrange("atc:1:events")
                    if fields["event"] == kind and fields["series"] == SERIES]

        def published_to(closed_ms):
            newest = [client.xrevrange(stream_key(symbol, profile), count=1) for symbol in SYMBOLS for profile in PROFILES]
            return all(found and int(found[0][1]["close_ms"]) == closed_ms for found in newest)

        def minutes(count):
            """The exchange's clock stands still but for this: no bar closes while one is corrected."""
            for _ in range(count):
                simulator.control(f"advance?ms={MINUTE_MS}")
                closed_ms = simulator.status()["now_ms"] // MINUTE_MS * MINUTE_MS
                wait_for(lambda: published_to(closed_ms), f"the bars that closed at {closed_ms}")

        def after_the_next_bar(action):
            minutes(1)
            action()

        wait_for(lambda: published_to(simulator.status()["now_ms"] // MINUTE_MS * MINUTE_MS), "the first signals of every series")
        minutes(4)

        def newest_rev(rev):
            """Once another bar has closed it is no longer pushed."""
            wait_for(lambda: client.xrevrange(KEY, count=1)[0][0].endswith(f"-{rev}"), f"rev {rev}")

        for number in range(1, 4):
            after_the_next_bar(lambda: simulator.control("correct?symbol=BTCUSDT"))
            wait_for(lambda: len(events("correction")) == number, f"correction {number}")
            newest_rev(1)
        # The same bar once more: rev 2. Not before the first is told: of two at once the newer alone is.
        after_the_next_bar(lambda: simulator.control("correct?symbol=BTCUSDT"))
        newest_rev(1)
        simulator.control("correct?symbol=BTCUSDT")
        wait_for(lambda: len(events("correction")) == 5, "two corrections of one bar")
        newest_rev(2)
        # An older bar: of four once another has closed.
        late_ms = int(entries(client, KEY)[-1][1]["close_ms"]) - 2 * MINUTE_MS
        late = client.xrevrange(KEY, f"{late_ms}-9", f"{late_ms}-0", count=1)[0]
        after_the_next_bar(lambda: simulator.control("correct?symbol=BTCUSDT&bars_ago=4"))
        wait_for(lambda: len(events("late_correction")) == 1, "the late correction is told")

        # Announced before it is on disk, as everything is: what a kill must not lose is what was written.
        def on_disk():
            listed = subprocess.run([ATCD, "history", "list", "--directory", place.directory], capture_output=True, text=True)
            return [line.split()[-2:] for line in listed.stdout.splitlines() if line.startswith("binance:spot:BTCUSDT:1m")]

        wait_for(lambda: on_disk() == [["5", "1"]], "five superseded bars and a late one on disk")

        # REST tells the other bar now, and the series goes and comes again: alone, and then all for another address.
        def reload(text, what, happened):
            with open(place.path("daemon.toml"), "w") as file:
                file.write(text)
            daemon.send_signal(signal.SIGHUP)
            wait_for(happened, what)

        reload(config.replace('"BTCUSDT", ', ""), "it goes", lambda: len(events("removed")) == 1)
        reload(config, "it comes again", lambda: len(events("added")) == 2)
        minutes(2)
        elsewhere = config.replace(f'rest_url = "{simulator.rest_url}"',
                                   f'rest_url = "{simulator.rest_url.replace("127.0.0.1", "localhost")}"')
        assert elsewhere != config
        reload(elsewhere, "all go and come again", lambda: len(events("added")) == 3)
        minutes(2)
        taken_up = sum(int(line.split("series=")[-1].split()[0]) for line in place.log_lines("daemon", "event=restored"))
        assert taken_up == 6, "bars that are here are not asked for"
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        daemon = place.daemon(config)
        found = entries(client, KEY)
        # Every anchor is another than when bars were corrected.
        last_anchor = found[-1][1]["anchor_ms"]
        wait_for(lambda: '"LIVE"' in client.hget("atc:1:state:main", SERIES), "the series is live again")
        simulator.control(f"advance?ms={40 * MINUTE_MS}")
        wait_for(lambda: entries(client, KEY)[-1][1]["anchor_ms"] > last_anchor, "the next anchor")
        minutes(3)
        verified = verify(place.path("daemon.toml"))
        assert verified.returncode == 0 and "could not" not in verified.stdout, verified
        # The exchange tells each bar as it is now: what it was is on disk.
        by_rest = verify(place.path("daemon.toml"), "--rest")
        assert by_rest.returncode == 0 and "could not" not in by_rest.stdout, by_rest
        daemon.terminate()
        assert daemon.wait(60) == 0
        subscriber.finish()
        check_history(place)

        found = entries(client, KEY)
        revisions = [entry for entry, fields in found if fields["rev"] != "0"]
        assert len(revisions) == 5 and revisions[-1].endswith("-2"), revisions
        by_id = dict(found)
        for entry in revisions:
            close_ms, rev = entry.split("-")
            earlier = by_id[f"{close_ms}-{int(rev) - 1}"]
            assert float(by_id[entry]["close"]) > float(earlier["close"]), entry
            pushed = [data for channel, data in subscriber.heard
                      if channel == f"atc:1:signal:{SERIES}" and f"\"close_ms\":{close_ms}," in data]
            assert len(pushed) == int(client.xrevrange(KEY, f"{close_ms}-9", f"{close_ms}-0", count=1)[0][0][-1]) + 1, pushed
        # Who reads of a correction learns which bar it is.
        told = [detail.split()[0] for detail in events("correction")]
        assert told == [f"close_ms={entry.split('-')[0]}" for entry in revisions], (told, revisions)
        assert [detail.split()[0] for detail in events("late_correction")] == [f"close_ms={late[1]['close_ms']}"]
        # Every bar is there, and what was corrected late is as it was.
        times = sorted({int(fields["close_ms"]) for _, fields in found})
        assert times == list(range(times[0], times[-1] + 1, MINUTE_MS)), "a bar is missing"
        assert client.xrevrange(KEY, f"{late_ms}-9", f"{late_ms}-0", count=1)[0] == late
        assert not place.log_lines("daemon", "event=conflict"), place.log_lines("daemon", "event=conflict")
        # Under the newest anchor signals are those of the exchange's bars as they are now.
        newest = [(entry, fields) for entry, fields in found if fields["anchor_ms"] > last_anchor]
        count, _ = check_entries(simulator, newest, "BTCUSDT", "default")
        market_check.check_stream(simulator, client, "ETHUSDT", "default")
        print(f"{len(found)} entries, {len(revisions)} of them corrections, one bar corrected late; {count} under an anchor "
              f"after it; {verified.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
