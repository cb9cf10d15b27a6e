"""redis-setup, its users, and tap: the daemon and a subscriber work with the rights that redis-setup prints and no more."""
import json
import re
import subprocess
import sys

import redis

import harness
from harness import ATCD, Workplace, run, wait_for

STREAM = "atc:1:{binance:spot:1m:default}:stream:BTCUSDT"


def must_be_forbidden(call):
    try:
        call()
    except redis.exceptions.NoPermissionError:
        return
    raise AssertionError("was allowed")


def check_tap(place, client):
    """What it shows of signals that this test pushes itself: a bar that is corrected too, and no line that wraps."""
    shown = place.spawn("tap", [ATCD, "tap", "--url", client.url])
    wait_for(client.pubsub_numpat, "tap listens")
    series = "binance:spot:BTCUSDT:1m:default"

    def push(close_ms, rev, close, trend=1):
        client.publish(f"atc:1:signal:{series}", json.dumps({
            "v": 1, "series": series, "close_ms": close_ms, "rev": rev, "close": close, "average": 1, "trend": trend,
            "previous_trend": trend}))

    # The last as of a new run, which was down before its first entry.
    for signal in ((1795489380000, 0, 11.5), (1795489380000, 1, 22.5), (1795489380000, 1, 22.5),
                   (1795489380000, 0, 11.5), (1795489440000, 0, 33.5), (1795489500000, 0, 44.5, -1)):
        push(*signal)
    wait_for(lambda: place.log_lines("tap", " 44.5 "), "all are shown")
    lines = [line.split() for line in open(place.path("tap.log")).read().splitlines()[1:]]
    assert [line[3] for line in lines] == ["11.5", "22.5", "33.5", "44.5"], lines
    assert [line[6:] for line in lines] == [[], ["corrected"], [], ["turned"]], lines
    shown.terminate()
    assert shown.wait(30) == 0

    # What takes no more ends it: a file would lack signals from then on.
    wait_for(lambda: client.pubsub_numpat() == 0, "tap is gone")
    filling = place.spawn("filling", ["sh", "-c", f"exec {ATCD} tap --json --url {client.url} > /dev/full"])
    wait_for(client.pubsub_numpat, "tap listens")
    push(1795489380000, 0, 11.5)
    assert filling.wait(harness.DEADLINE_S) == 1
    assert place.log_lines("filling", "cannot write to standard output")

    wait_for(lambda: client.pubsub_numpat() == 0, "tap is gone")
    command = f"stty rows 20 cols 60; {ATCD} tap --url {client.url} --seconds 2"
    narrow = subprocess.Popen(["script", "-qec", command, "/dev/null"], stdout=subprocess.PIPE, text=True)
    wait_for(client.pubsub_numpat, "tap listens")
    push(1795489380000, 0, 11.5)
    lines = [line for line in re.sub("\x1b\\[[A-Z0-9]+", "", narrow.communicate()[0]).splitlines() if line]
    assert any(series in line for line in lines) and max(map(len, lines)) <= 60, lines


def check_refusals(place, simulator):
    """check --connect against a Redis and an exchange that are not as they should be; it changes nothing there."""
    client = place.redis("other")
    with open(place.path("check.toml"), "w") as file:
        file.write(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory,
                                         ["*USDT", "NOUSDT"]).replace("keep = 100000", "keep = 500"))
    check = ("check", "--connect", "--config", place.path("check.toml"))
    client.config_set("maxmemory-policy", "allkeys-lru")
    client.config_set("maxmemory", "1200kb")
    first = run(*check)
    assert first.returncode == 1, first
    assert "4 series, the last 500 bars of each: about 1.3 MB" in first.stdout, first
    for words in ("does not list NOUSDT", "it must be noeviction", "maxmemory is 1.2 MB, all series together need 1.3 MB",
                  "the function atc_publish_2 is not there"):
        assert words in first.stderr, f"{words}: {first.stderr}"
    client.execute_command("ACL SETUSER default -publish -hset")
    second = run(*check)
    assert "PUBLISH: NOPERM" in second.stderr and "HSET: NOPERM" in second.stderr, second
    client.execute_command("ACL SETUSER default +@all -multi")
    third = run(*check)
    assert "MULTI: NOPERM" in third.stderr, third
    client.execute_command("ACL SETUSER default +@all")
    assert client.dbsize() == 0, client.keys()
    client.shutdown(nosave=True)
    away = run(*check)
    assert away.returncode == 1 and "can't be reached" in away.stderr, away


def check_warnings(place, simulator, client):
    """What patterns come to is known with --connect only; a warning changes no exit status."""
    path = place.path("slow.toml")
    with open(path, "w") as file:
        file.write(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["*USDT"],
                                         http="0.0.0.0:9464")
                   .replace("rest_share = 1.0", "rest_share = 0.0005"))
    alone, connected = run("check", "--config", path), run("check", "--connect", "--config", path)
    for done in (alone, connected):
        assert done.returncode == 0, done
        assert re.search(r"slow.toml:\d+: warning: http.listen is \"0.0.0.0:9464\", beyond this machine", done.stderr), done
    asked = "warning: feed[0].rest_share makes asking once for each of 4 series take 3 min within 0.05 %"
    assert asked in connected.stderr and asked not in alone.stderr, (alone, connected)
    # So is that two feeds of different addresses have the same symbol.
    other = simulator.rest_url.replace("127.0.0.1", "localhost")
    with open(path, "w") as file:
        file.write(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTC/USDT", "ETH*"]) +
                   f'[[feed]]\nexchange = "binance"\nmarket = "spot"\nsymbols = ["BTCUSDT"]\nintervals = ["5m", "1m"]\n'
                   f'websocket_url = "{simulator.ws_url}"\nrest_url = "{other}"\n')
    alone, connected = run("check", "--config", path), run("check", "--connect", "--config", path)
    assert alone.returncode == 0, alone
    assert connected.returncode == 1 and "feed[1] has BTCUSDT 1m, as feed[0] has, from another address" in connected.stderr, connected
    with open(path, "a") as file:
        file.write("listen == 1\n")
    bad = run("check", "--config", path)
    assert bad.returncode == 2 and re.search(r"slow.toml:\d+:9: is no TOML: ", bad.stderr), bad


def check_usage():
    """A word that is not known is named, also where another one is missing; without any, what is missing is."""
    for words, named in ((("rnu", "--config", "x"), "rnu --config x"), (("--verbose",), "--verbose"), (("history", "lst"), "lst"),
                         (("compute", "--bogus"), "--bogus"), (("compute", "--bogus", "x.csv"), "--bogus"),
                         ((), "A subcommand"), (("scan",), "directory")):
        done = run(*words)
        assert done.returncode == 2 and named in done.stderr and not done.stdout, done


def main():
    check_usage()
    with Workplace() as place:
        client = place.redis()
        with open(place.path("password"), "w") as file:
            file.write("CHANGE-ME\n")

        check_tap(place, client)

        # redis-setup loads the function, and says so; a second time it is there.
        first = run("redis-setup", "--url", client.url)
        assert first.returncode == 0 and "is loaded" in first.stdout, first
        assert "was there already" in run("redis-setup", "--url", client.url).stdout
        unreachable = run("redis-setup", "--url", "unix:///no/such.sock")
        assert unreachable.returncode == 1 and "/no/such.sock" in unreachable.stderr, unreachable
        assert run("redis-setup", "--url", "http://x").returncode == 2
        pattern = run("redis-setup", "--url", client.url, "--prefix", "at*")
        assert pattern.returncode == 2 and "prefix is" in pattern.stderr and not pattern.stdout, pattern

        # The users are made from what it printed, with redis-cli as one would.
        users = re.findall(r"^ACL SETUSER .*$", first.stdout, re.MULTILINE)
        assert len(users) == 2, first.stdout
        for line in users:
            done = subprocess.run(["redis-cli", "-s", place.path("redis.sock")], input=line, capture_output=True,
                                  text=True)
            assert done.stdout.strip() == "OK", f"{line}: {done.stdout}"

        simulator = place.simulator("--symbols", "4", "--speed", "240", "--seed", "2", "--weight-limit", "1000000")
        daemon = place.daemon(harness.configuration(
            simulator.ws_url, simulator.rest_url, client.url, place.directory, ["*USDT"],
            feed='exclude = ["SOL*"]\ntop = 2\nprovisional = true',
            redis_keys=f'username = "atcd"\npassword_file = "{place.path("password")}"'))
        wait_for(lambda: client.xlen(STREAM) > 5, "signals with the narrow user")
        # Of four symbols one is excluded and the two with the largest volume are left.
        assert {name.split(":")[2] for name in client.hkeys("atc:1:catalogue")} == {"BTCUSDT", "ETHUSDT"}
        assert client.hlen("atc:1:state:main") == 2
        wait_for(lambda: client.exists("atc:1:daemon:main"), "the heartbeat")
        denied = client.execute_command("ACL", "LOG")
        assert not denied, f"rights that were missing: {denied}"

        # The subscriber's user reads everything and writes nothing.
        bot = redis.Redis(unix_socket_path=place.path("redis.sock"), username="bot", password="CHANGE-ME",
                          decode_responses=True)
        assert bot.xrevrange(STREAM, count=1)
        must_be_forbidden(lambda: bot.xadd(STREAM, {"a": "b"}))
        must_be_forbidden(lambda: bot.hgetall("elsewhere"))
        client.acl_log_reset()

        # tap with that user: JSON lines that follow the schema, then plain lines, then only what was asked for.
        access = ("--url", client.url, "--username", "bot", "--password-file", place.path("password"))
        lines = run("tap", *access, "--json", "--seconds", "3").stdout.splitlines()
        assert len(lines) > 4 and {json.loads(line)["symbol"] for line in lines} == {"BTCUSDT", "ETHUSDT"}, lines
        text = run("tap", *access, "--seconds", "2").stdout
        assert text.startswith("close time (UTC)") and "binance:spot:BTCUSDT:1m:default" in text, text
        only = run("tap", *access, "--seconds", "2", "*:ETHUSDT:*").stdout
        assert "ETHUSDT" in only and "BTCUSDT" not in only, only
        assert not client.execute_command("ACL", "LOG"), "tap asks for nothing that a subscriber may not do"
        empty = run("tap", "--url", client.url, "--username", "bot", "--password-file", "/dev/null", "--seconds", "1")
        assert empty.returncode == 2 and "it is empty" in empty.stderr, empty
        with open(place.path("wrong"), "w") as file:
            file.write("nobody's\n")
        refused = run("tap", "--url", client.url, "--username", "bot", "--password-file", place.path("wrong"), "--seconds", "2")
        assert refused.returncode == 1 and "WRONGPASS" in refused.stderr, refused
        client.acl_log_reset()
        told = refused.stderr.splitlines()
        assert told and len(set(told)) == len(told), f"the same is said once: {told}"

        # On a terminal: a table that is drawn again and again.
        command = f"stty rows 20 cols 120; {ATCD} tap --url {client.url} --seconds 2"
        table = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True).stdout
        assert table.count("\x1b[H") > 3 and "2 series" in table, table

        # The daemon's own user has every right that the daemon needs.
        config = place.path("daemon.toml")
        connected = run("check", "--connect", "--config", config)
        assert connected.returncode == 0, connected
        assert "2 symbols, 2 series" in connected.stdout and "maxmemory-policy noeviction" in connected.stdout, connected
        assert "append-only file is off" in connected.stderr, connected
        # It has those of verify and tap too, which take the Redis of the same configuration.
        verified = run("verify", "--config", config)
        assert verified.returncode == 0 and "equal to the last bit" in verified.stdout, verified
        tapped = run("tap", "--config", config, "--json", "--seconds", "2")
        assert tapped.returncode == 0 and tapped.stdout.count("\n") > 1 and not tapped.stderr, tapped
        # What would stop is told before it does.
        with open(config) as file:
            text = file.read()
        other = place.path("other.toml")
        for change, words in (("[[feed]]", ""), ("cutout = 1\n[[feed]]", "profile default: binance:spot:")):
            with open(other, "w") as file:
                file.write(text.replace("[[feed]]", change))
            checked = run("check", "--connect", "--config", other)
            assert checked.returncode == (1 if words else 0) and words in checked.stderr, checked
            assert ("published with other parameters and would stop" in checked.stderr) == bool(words), checked
        assert not client.execute_command("ACL", "LOG")

        daemon.terminate()
        assert daemon.wait(30) == 0
        check_warnings(place, simulator, client)
        check_refusals(place, simulator)
        print(f"{client.xlen(STREAM)} signals by a narrow user; tap showed {len(lines)} in 3 s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
