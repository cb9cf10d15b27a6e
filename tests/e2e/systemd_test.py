"""The unit as it is shipped, under a real systemd in a container: ready, its sandbox, credentials, reload, the watchdog
on a daemon that hangs, a daemon that is killed, an instance beside it, a configuration that is refused, the end."""
import os
import re
import shutil
import sys
import time

import redis

import harness
from container import SKIPPED, CantStart, Container, seconds_since, wait_in, why_not
from harness import ATCD, Workplace, wait_for

DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy")
PASSWORD = "correct-horse-battery"
UNITS = {
    # Beside the daemon, in the same network. Redis' socket is how the test looks into it.
    "trial-redis.service": "[Service]\nExecStart=/usr/bin/redis-server --bind 127.0.0.1 --port 6379 --save \"\" "
                           f"--unixsocket /trial/redis.sock --unixsocketperm 777 --requirepass {PASSWORD}\n",
    "trial-simulator.service": "[Service]\nExecStart=/usr/bin/atcd simulate --listen 127.0.0.1:9500 --symbols 4 "
                               "--speed 240 --seed 9 --weight-limit 1000000\n",
    # Only so that the test need not wait for half a minute.
    "atcd.service.d/trial.conf": "[Service]\nWatchdogSec=5\n",
}


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def configuration(symbols, instance="main", directory="/var/lib/atcd"):
    text = harness.configuration("ws://127.0.0.1:9500", "http://127.0.0.1:9500", "redis://127.0.0.1:6379", directory,
                                 symbols)
    return f'instance = "{instance}"\n{text}'


def key(symbol):
    return f"atc:1:{{binance:spot:1m:default}}:stream:{symbol}"


def tree(place):
    """What the package will bring lies over /usr, what an operator writes in /etc. systemd-nspawn's options for it."""
    os.makedirs(place.path("usr/bin"))
    shutil.copy(ATCD, place.path("usr/bin/atcd"))
    os.makedirs(place.path("usr/lib/systemd/system"))
    for unit in ("atcd.service", "atcd@.service"):
        shutil.copy(os.path.join(DEPLOY, unit), place.path("usr/lib/systemd/system"))
    for name, text in UNITS.items():
        write(place.path(f"units/{name}"), text)
    write(place.path("atcd/atcd.toml"), configuration(["BTCUSDT", "ETHUSDT"]))
    for unit in ("atcd", "atcd-second"):
        write(place.path(f"credstore/{unit}.redis-password"), PASSWORD + "\n", 0o600)
    os.makedirs(place.path("trial"))
    os.chmod(place.directory, 0o755)
    os.chmod(place.path("trial"), 0o777)
    return ["--directory=/", "--volatile=yes", f"--overlay-ro=/usr:{place.path('usr')}:/usr",
            f"--bind-ro={place.path('units')}:/etc/systemd/system", f"--bind-ro={place.path('atcd')}:/etc/atcd",
            f"--bind-ro={place.path('credstore')}:/etc/credstore", f"--bind={place.path('trial')}:/trial"]


def connected(place):
    client = redis.Redis(unix_socket_path=place.path("trial/redis.sock"), password=PASSWORD, decode_responses=True)

    def answers():
        try:
            return client.ping()
        except redis.exceptions.ConnectionError:
            return False

    wait_for(answers, "redis-server answers in the container")
    return client


def check_sandbox(container, pid):
    status = dict(re.findall(r"^(\w+):\t(.*)$", container.run("cat", f"/proc/{pid}/status"), re.M))
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, f"{capabilities} is {status[capabilities]}"
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert "0" not in status["Uid"].split(), status["Uid"]
    log = container.journal("atcd")
    assert PASSWORD not in log, "a password is never logged"
    arguments = container.run("cat", f"/proc/{pid}/cmdline", f"/proc/{pid}/environ")
    assert PASSWORD not in arguments, "a password stands in neither arguments nor environment"


def trial(place, container):
    began = time.monotonic()
    container.systemctl("start", "trial-redis", "trial-simulator")
    client = connected(place)

    def length(symbol):
        return client.xlen(key(symbol))

    def pid():
        return int(container.show("atcd", "MainPID"))

    def goes_on(what):
        before = length("ETHUSDT")
        wait_in(container, "atcd", lambda: length("ETHUSDT") > before + 3, what)

    container.systemctl("start", "atcd")  # returns once it is ready
    assert container.show("atcd", "ActiveState") == "active"
    wait_in(container, "atcd", lambda: length("BTCUSDT") > 3 and length("ETHUSDT") > 3, "first signals")
    wait_in(container, "atcd", lambda: "2 of 2 series live, Redis connected" in container.show("atcd", "StatusText"),
            "the status line")
    check_sandbox(container, pid())
    print(f"{seconds_since(began)}: ready, live, without capabilities")

    write(place.path("atcd/atcd.toml"), configuration(["BTCUSDT", "ETHUSDT", "BNBUSDT"]))
    first = pid()
    container.systemctl("reload", "atcd")
    wait_in(container, "atcd", lambda: length("BNBUSDT") > 3, "signals of the symbol that a reload added")
    assert pid() == first and container.show("atcd", "NRestarts") == "0"
    print(f"{seconds_since(began)}: reloaded")

    container.run("kill", "-STOP", str(first))
    wait_in(container, "atcd", lambda: container.show("atcd", "NRestarts") == "1", "a daemon that hangs is started anew")
    wait_in(container, "atcd", lambda: container.show("atcd", "ActiveState") == "active", "it is ready again")
    # journald takes systemd's own words a moment later.
    wait_in(container, "atcd", lambda: "Watchdog timeout" in container.journal("atcd"), "it was the watchdog")
    goes_on("signals go on after the watchdog")
    print(f"{seconds_since(began)}: the watchdog has started a hanging daemon anew")

    container.run("kill", "-KILL", str(pid()))
    wait_in(container, "atcd", lambda: container.show("atcd", "NRestarts") == "2", "a killed daemon is started anew")
    goes_on("signals go on after the kill")
    print(f"{seconds_since(began)}: a killed daemon runs again")

    write(place.path("atcd/second.toml"), configuration(["SOLUSDT"], "second", "/var/lib/atcd-second"))
    container.systemctl("start", "atcd@second")
    wait_in(container, "atcd@second", lambda: length("SOLUSDT") > 3, "signals of the instance")
    for instance in ("main", "second"):
        wait_in(container, "atcd@second", lambda: client.exists(f"atc:1:daemon:{instance}"), f"{instance}'s heartbeat")
    container.systemctl("stop", "atcd@second")
    assert container.show("atcd@second", "Result") == "success"
    assert "history" in container.run("ls", "/var/lib/atcd-second/"), "what it kept is still there"
    assert container.run("ls", "-d", "/run/atcd/").strip(), "the runtime directory is still the other daemon's"

    write(place.path("atcd/third.toml"), "no_such_key = 1\n")
    container.systemctl("start", "atcd@third", check=False)
    wait_in(container, "atcd@third", lambda: container.show("atcd@third", "ActiveState") == "failed",
            "a configuration with an error fails, and is not tried again and again")
    assert container.show("atcd@third", "NRestarts") == "0"
    assert "no_such_key" in container.journal("atcd@third")
    print(f"{seconds_since(began)}: an instance beside it came and went; a wrong configuration was refused")

    container.systemctl("stop", "atcd")
    assert container.show("atcd", "ActiveState") == "inactive" and container.show("atcd", "Result") == "success"
    wait_in(container, "atcd", lambda: "event=drained" in container.journal("atcd"), "what was ready is in Redis")
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT"):
        times = [int(entry.split("-")[0]) for entry, _ in client.xrange(key(symbol))]
        assert times == list(range(times[0], times[0] + 60_000 * len(times), 60_000)), f"{symbol}: {times}"
        print(f"{symbol}: {len(times)} bars once and in order")
    print(f"{seconds_since(began)}: stopped")


def main():
    if why_not():
        print(f"SKIPPED: {why_not()}")
        return SKIPPED
    with Workplace() as place:
        try:
            container = Container(place, tree(place))
        except CantStart as error:
            print(f"SKIPPED: no container starts here: {error}")
            return SKIPPED
        try:
            trial(place, container)
        finally:
            container.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
