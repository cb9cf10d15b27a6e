"""Two daemons, each with its own state directory, the second begun an hour of market time later with an empty one: they
publish as one. Killing either is invisible to who reads the streams or listens. And atcd verify finds every signal to
be what it must be, and a changed, a missing or an invented one at once."""
import random
import signal
import sys
import time

import market_check
from harness import Workplace, wait_for
from market_check import PROFILES, SYMBOLS, check_pushes, check_stream, fewest_bars, stream_key, verify

HOUR_BARS = 60
KILLS = 10


def tamper(place, client, config, change):
    """A Redis that holds the same, but for one stream, whose entries went through `change`."""
    other = place.redis("tampered")
    other.flushall()
    for symbol in SYMBOLS:
        for profile in PROFILES:
            key = stream_key(symbol, profile)
            entries = client.xrange(key)
            if (symbol, profile) == ("ETHUSDT", "default"):
                entries = change(entries)
            for entry, fields in entries:
                other.xadd(key, fields, id=entry)
    other.hset("atc:1:catalogue", mapping=client.hgetall("atc:1:catalogue"))
    path = place.path("tampered.toml")
    with open(path, "w") as file:
        file.write(open(config).read().replace(client.url, other.url))
    done = verify(path)
    other.shutdown(nosave=True)
    return done


def changed(entries):
    entries[-20][1]["kama_equity"] = repr(float(entries[-20][1]["kama_equity"]) * (1 + 2.3e-16))
    return entries


def check_verify(place, client, config):
    whole = verify(config)
    assert whole.returncode == 0 and "equal to the last bit" in whole.stdout, whole
    assert "6 series" in whole.stdout and "could not" not in whole.stdout, whole
    by_rest = verify(config, "--rest", "--last", "50", "--sample", "3")
    assert by_rest.returncode == 0 and by_rest.stdout.startswith("150 signals of 3 series"), by_rest
    one = verify(config, "binance:spot:BTC*:1m:quick", "--last", "7")
    # The other twin may have published one bar more before it ended.
    assert one.stdout[0] in "67" and one.stdout[1:].startswith(" signals of 1 series"), one

    intact = tamper(place, client, config, lambda entries: entries)
    assert intact.returncode == 0, intact
    for change, words in (
            (changed, "kama_equity is "),
            (lambda entries: entries[:-9] + entries[-8:], "has no entry"),
            (lambda entries: entries[:-1] + [(entries[-1][0].replace("-0", "-1"), entries[-1][1])],
             "its ID is not its close_ms and rev")):
        done = tamper(place, client, config, change)
        assert done.returncode == 1 and done.stdout.startswith("binance:spot:ETHUSDT:1m:default: entry "), done
        assert words in done.stdout, done
    return whole.stdout.strip()


def main():
    random.seed(20261124)
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "3", "--speed", "240", "--seed", "21", "--weight-limit", "1000000")
        configs = {name: f"instance = \"{name}\"\n" +
                   market_check.configuration(simulator, client, place.path(name)) for name in ("a", "b")}
        subscriber = market_check.Subscriber(client)
        subscriber.start()
        running = {"a": place.daemon(configs["a"], name="a")}
        wait_for(lambda: fewest_bars(client) >= HOUR_BARS, "an hour of signals of the first")
        running["b"] = place.daemon(configs["b"], name="b")
        wait_for(lambda: client.hlen("atc:1:state:b") == 6 and
                 all('"LIVE"' in state for state in client.hvals("atc:1:state:b")), "the second is live")
        for kill in range(KILLS):
            dying = random.choice(["a", "b"])
            before = fewest_bars(client)
            running[dying].send_signal(signal.SIGKILL)
            running[dying].wait()
            wait_for(lambda: fewest_bars(client) >= before + 3, f"signals go on without {dying}")
            running[dying] = place.daemon(configs[dying], name=dying)
            time.sleep(random.random())  # the next kill falls into its start, or later
        reached = fewest_bars(client)
        wait_for(lambda: fewest_bars(client) >= reached + 10, "signals go on after the last kill")
        follow = verify(place.path("a.toml"), "--follow", "--seconds", "3")
        assert follow.returncode == 0, follow
        for process in running.values():
            process.terminate()
        for process in running.values():
            assert process.wait(60) == 0
        instances = {fields["instance"] for _, fields in client.xrange(stream_key("BTCUSDT", "default"))}
        assert instances == {"a", "b"}, instances
        assert not place.log_lines("a", "event=conflict") and not place.log_lines("b", "event=conflict")
        for symbol in SYMBOLS:
            for profile in PROFILES:
                count, anchors = check_stream(simulator, client, symbol, profile)
        subscriber.finish()
        pushes = check_pushes(client, subscriber.heard)
        print(f"{count} bars x 6 series by two daemons, {KILLS} kills: once, in order, equal bits, {anchors} anchors; "
              f"{pushes} pushes, each once")
        print(check_verify(place, client, place.path("a.toml")))
        print(verify(place.path("b.toml")).stdout.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
