"""redis-setup, its users, and tap: the daemon and a subscriber work with the rights that redis-setup prints and no more."""
import json
import re
import subprocess
import sys

import redis

import harness
from harness import ATCD, Workplace, wait_for

STREAM = "atc:1:{binance:spot:1m:default}:stream:BTCUSDT"


def run(*arguments):
    return subprocess.run([ATCD, *arguments], capture_output=True, text=True, timeout=harness.DEADLINE_S)


def must_be_forbidden(call):
    try:
        call()
    except redis.exceptions.NoPermissionError:
        return
    raise AssertionError("was allowed")


def main():
    with Workplace() as place:
        client = place.redis()
        with open(place.path("password"), "w") as file:
            file.write("CHANGE-ME\n")

        # redis-setup loads the function, and says so; a second time it is there.
        first = run("redis-setup", "--url", client.url)
        assert first.returncode == 0 and "is loaded" in first.stdout, first
        assert "was there already" in run("redis-setup", "--url", client.url).stdout
        unreachable = run("redis-setup", "--url", "unix:///no/such.sock")
        assert unreachable.returncode == 1 and "/no/such.sock" in unreachable.stderr, unreachable
        assert run("redis-setup", "--url", "http://x").returncode == 2

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
        refused = run("tap", "--url", client.url, "--username", "bot", "--password-file", "/dev/null", "--seconds", "1")
        assert refused.returncode != 0, refused

        # On a terminal: a table that is drawn again and again.
        command = f"stty rows 20 cols 120; {ATCD} tap --url {client.url} --seconds 2"
        table = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, text=True).stdout
        assert table.count("\x1b[H") > 3 and "2 series" in table, table

        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{client.xlen(STREAM)} signals by a narrow user; tap showed {len(lines)} in 3 s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
