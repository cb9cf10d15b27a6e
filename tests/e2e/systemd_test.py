"""The unit as it is shipped, under a real systemd in a container: ready, its sandbox, credentials, reload, the watchdog
on a daemon that hangs, a daemon that is killed, an instance beside it, a configuration that is refused, the end."""
import os
import re
import shutil
import sys
import tarfile
import time

from container import (SKIPPED, CantStart, Container, check_contiguous, seconds_since, trial_configuration,
                       trial_redis, trial_units, wait_in, why_not, write)
from harness import ATCD, Workplace, stream_key

DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy")
PASSWORD = "correct-horse-battery"
REDIS_GROUP = "adm"  # of the socket alone: a container has no group of Debian's Redis

def tree(place):
    """What the package will bring lies over /usr, what an operator writes in /etc. systemd-nspawn's options for it."""
    os.makedirs(place.path("usr/bin"))
    shutil.copy(ATCD, place.path("usr/bin/atcd"))
    os.makedirs(place.path("usr/lib/systemd/system"))
    for unit in ("atcd.service", "atcd@.service"):
        shutil.copy(os.path.join(DEPLOY, unit), place.path("usr/lib/systemd/system"))
    units = trial_units(place, PASSWORD)
    # Only so that the test need not wait for half a minute.
    write(os.path.join(units, "atcd.service.d/trial.conf"), "[Service]\nWatchdogSec=9\n")
    # It must do no harm where there is no card.
    os.makedirs(place.path("units/atcd@second.service.d"))
    shutil.copy(os.path.join(DEPLOY, "atcd-cuda.conf"), place.path("units/atcd@second.service.d"))
    write(place.path("units/atcd@second.service.d/redis.conf"), f"[Service]\nSupplementaryGroups={REDIS_GROUP}\n")
    write(place.path("atcd/atcd.toml"), trial_configuration(["BTCUSDT", "ETHUSDT"], http="127.0.0.1:9464"))
    for unit in ("atcd", "atcd-second"):
        write(place.path(f"credstore/{unit}.redis-password"), PASSWORD + "\n", 0o600)
    return ["--directory=/", "--volatile=yes", f"--overlay-ro=/usr:{place.path('usr')}:/usr",
            f"--bind-ro={place.path('hosts')}:/etc/hosts", f"--bind-ro={units}:/etc/systemd/system",
            f"--bind-ro={place.path('atcd')}:/etc/atcd", f"--bind-ro={place.path('credstore')}:/etc/credstore",
            f"--bind={place.path('trial')}:/trial"]


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
    client = trial_redis(place, PASSWORD)

    def length(symbol):
        return client.xlen(stream_key(symbol))

    def pid():
        return int(container.show("atcd", "MainPID"))

    def goes_on(what):
        before = length("ETHUSDT")
        wait_in(container, "atcd", lambda: length("ETHUSDT") > before + 3, what)

    # Root may hand the password to another command, before the service has ever run.
    checked = container.run("systemd-run", "-qP", "-p", "LoadCredential=redis-password:/etc/credstore/atcd.redis-password",
                            "atcd", "check", "--connect", "--config", "/etc/atcd/atcd.toml")
    assert "redis.test:6379: Redis " in checked, checked

    container.systemctl("start", "atcd")  # returns once it is ready
    assert container.show("atcd", "ActiveState") == "active"
    wait_in(container, "atcd", lambda: length("BTCUSDT") > 3 and length("ETHUSDT") > 3, "first signals")
    wait_in(container, "atcd", lambda: "2 of 2 series live, Redis connected" in container.show("atcd", "StatusText"),
            "the status line")
    check_sandbox(container, pid())
    # What an operator asks it, from outside of its sandbox.
    assert "event=control detail=\"socket=/run/atcd/main.sock\"" in container.journal("atcd"), container.journal("atcd")
    assert "series: 2 (2 LIVE)" in container.run("atcd", "status"), container.run("atcd", "status")
    for path, expected in (("/-/ready", "ready"), ("/metrics", "process_open_fds")):
        page = container.run("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3")
        assert page.startswith("HTTP/1.1 200") and expected in page, page
    print(f"{seconds_since(began)}: ready, live, without capabilities")

    write(place.path("atcd/atcd.toml"), trial_configuration(["BTCUSDT", "ETHUSDT", "BNBUSDT"], http="127.0.0.1:9464"))
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

    # This one by a socket that is open to a group, as that of Debian's Redis.
    container.run("chgrp", REDIS_GROUP, "/trial/redis.sock")
    container.run("chmod", "770", "/trial/redis.sock")
    second = trial_configuration(["SOLUSDT"], "second", "/var/lib/atcd-second")
    write(place.path("atcd/second.toml"), second.replace("redis://redis.test:6379", "unix:///trial/redis.sock"))
    container.systemctl("start", "atcd@second")
    wait_in(container, "atcd@second", lambda: length("SOLUSDT") > 3, "signals of the instance")
    for instance in ("main", "second"):
        wait_in(container, "atcd@second", lambda: client.exists(f"atc:1:daemon:{instance}"), f"{instance}'s heartbeat")
    assert "series: 1 (1 LIVE)" in container.run("atcd", "status", "--instance", "second")
    assert "drained: " in container.run("atcd", "drain", "--instance", "second")
    wait_in(container, "atcd@second", lambda: container.show("atcd@second", "ActiveState") == "inactive",
            "what was drained stays down")
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

    container.run("atcd", "bundle", "-o", "/trial/bundle.tar.gz")
    with tarfile.open(place.path("trial/bundle.tar.gz")) as bundle:
        held = {os.path.basename(member.name): bundle.extractfile(member).read().decode()
                for member in bundle.getmembers() if member.isfile()}
    assert any("event=start" in text for text in held.values()), f"the journal is in the bundle: {sorted(held)}"
    assert not any(PASSWORD in text for text in held.values()), "no password is"

    # Root may use the service's credentials while it runs.
    print(container.run("env", "CREDENTIALS_DIRECTORY=/run/credentials/atcd.service", "atcd", "verify", "--config",
                        "/etc/atcd/atcd.toml", "--last", "100000"), end="")
    container.systemctl("stop", "atcd")
    assert container.show("atcd", "ActiveState") == "inactive" and container.show("atcd", "Result") == "success"
    wait_in(container, "atcd", lambda: "event=drained" in container.journal("atcd"), "what was ready is in Redis")
    for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT"):
        check_contiguous(client, symbol)
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
