"""Redis over TLS and Redis Cluster with the users that redis-setup prints: signals arrive, nothing is refused; and who
has another name, another CA or a wrong password is refused in clear words."""
import os
import re
import socket
import subprocess
import sys

import redis

import harness
from harness import Workplace, run, wait_for

SYMBOLS = ["BTCUSDT", "ETHUSDT"]
STREAM = "atc:1:{binance:spot:1m:default}:stream:BTCUSDT"


RESERVED = []


def free_port():
    """It stays bound, so that nobody else is given it; who sets SO_REUSEADDR, as Redis does, can listen there all the same."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    RESERVED.append(reserved)
    return str(reserved.getsockname()[1])


def make_users(printed, clients):
    users = re.findall(r"^ACL SETUSER .*$", printed.stdout, re.MULTILINE)
    assert printed.returncode == 0 and len(users) == 2, printed
    for client in clients:
        for user in users:
            client.execute_command(*user.split())


def over_tls(place, simulator):
    port = free_port()

    def tls(certificate):
        return ["--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", place.path(certificate + ".pem"),
                "--tls-key-file", place.path(certificate + ".key"), "--tls-ca-cert-file", place.path("ca.pem"),
                "--tls-auth-clients", "no"]

    client = place.redis("secure", tls("server"))
    url = f"rediss://localhost:{port}"
    trust = ("--ca-file", place.path("ca.pem"))
    printed = run("redis-setup", "--url", url, *trust)
    make_users(printed, [client])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/examples/redis-users.txt")) as file:
        assert file.read() == printed.stdout.split("\n", 1)[1], "deploy/examples/redis-users.txt is what redis-setup prints"
    client.acl_log_reset()

    def daemon(name, host="localhost", ca="ca.pem", password="password"):
        config = harness.configuration(
            simulator.ws_url, simulator.rest_url, f"rediss://{host}:{port}", place.path(name), SYMBOLS,
            redis_keys=f'username = "atcd"\npassword_file = "{place.path(password)}"\nca_file = "{place.path(ca)}"')
        return place.daemon(config, name)

    def refused(name, words, **how):
        process = daemon(name, **how)
        wait_for(lambda: place.log_lines(name, words), f"{name}: {words}")
        process.terminate()
        assert process.wait(60) == 0
        assert not client.exists(STREAM)
        secrets = ("CHANGE-ME", "not-the-password")
        assert not any(place.log_lines(name, secret) for secret in secrets), "a password in the log"

    refused("stranger", "is refused: self-signed certificate", ca="stranger.pem")
    refused("wrongpassword", "WRONGPASS", password="wrong")
    client.acl_log_reset()
    good = daemon("good")
    wait_for(lambda: client.xlen(STREAM) > 5, "signals over TLS")
    access = ("--url", url, *trust, "--username", "bot", "--password-file", place.path("password"))
    lines = run("tap", *access, "--json", "--seconds", "3").stdout.splitlines()
    assert len(lines) > 4, lines
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/examples/subscriber.py")
    command = ["timeout", str(harness.DEADLINE_S), sys.executable, "-u", example, "--url", f"{url}?ssl_ca_certs={place.path('ca.pem')}",
               "--username", "bot", "--password-file", place.path("password"), "binance:spot:BTCUSDT:1m:default"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bot:
        heard = next((line for line in bot.stdout if " trusted: main says LIVE" in line), None)
        bot.terminate()
        bot.communicate()
    assert heard, "the example trusts over TLS"
    assert not client.execute_command("ACL", "LOG"), "no right was missing"
    good.terminate()
    assert good.wait(60) == 0
    signals = client.xlen(STREAM)
    client.shutdown(nosave=True)

    client = place.redis("renamed", tls("other"))
    refused("renamed-daemon", "is refused: hostname mismatch")
    missing = run("redis-setup", "--url", url, "--ca-file", "/no/such.pem")
    assert missing.returncode == 2 and "ca_file \"/no/such.pem\"" in missing.stderr, missing
    client.shutdown(nosave=True)
    return signals


def over_a_cluster(place, simulator):
    ports = [free_port() for _ in range(3)]
    clients = []
    for number, port in enumerate(ports):
        clients.append(place.redis(f"node{number}", [
            "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", free_port(),
            "--cluster-config-file", f"node{number}.conf", "--dbfilename", f"node{number}.rdb"]))
    made = subprocess.run(["redis-cli", "--cluster", "create", *[f"127.0.0.1:{port}" for port in ports],
                           "--cluster-yes"], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made
    # Text or a dictionary, by the version of Debian's redis module.
    def is_ok(info):
        return info.get("cluster_state") == "ok" if isinstance(info, dict) else "cluster_state:ok" in str(info)

    wait_for(lambda: all(is_ok(c.execute_command("CLUSTER", "INFO")) for c in clients),
             "the cluster is whole")
    url = f"redis-cluster://127.0.0.1:{ports[0]}"
    printed = run("redis-setup", "--url", url)
    assert printed.stdout.count("# the function atc_publish_2 is loaded on ") == 3, printed
    make_users(printed, clients)

    def by_hash_slot(key):
        slot = clients[0].execute_command("CLUSTER", "KEYSLOT", key)
        return clients[min(slot * 3 // 16384, 2)]

    holder = by_hash_slot(STREAM)
    config = harness.configuration(
        simulator.ws_url, simulator.rest_url, url, place.path("cluster-state"), SYMBOLS,
        redis_keys=f'username = "atcd"\npassword_file = "{place.path("password")}"')
    daemon = place.daemon(config, "clustered")
    wait_for(lambda: holder.xlen(STREAM) > 5, "signals in the cluster")
    access = ("--url", url, "--username", "bot", "--password-file", place.path("password"))
    lines = run("tap", *access, "--json", "--seconds", "3").stdout.splitlines()
    assert len(lines) > 4, lines
    latest = run("tap", *access, "--seconds", "2").stdout
    assert all(symbol in latest for symbol in SYMBOLS), latest
    # A bot with the client of a cluster that most use: it asks more of a server before it asks for anything.
    bot = redis.RedisCluster(host="127.0.0.1", port=int(ports[0]), username="bot", password="CHANGE-ME", decode_responses=True)
    assert bot.hgetall(STREAM.replace(":stream:", ":last:"))["symbol"] == "BTCUSDT" and bot.xrange(STREAM, count=1)
    for client in clients:
        denied = client.execute_command("ACL", "LOG")
        assert not denied, f"rights that were missing: {denied}"
    daemon.terminate()
    assert daemon.wait(60) == 0
    return holder.xlen(STREAM)


def main():
    with Workplace() as place:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tls_certificates.sh")
        subprocess.run(["bash", script, place.directory], check=True)
        for name, password in (("password", "CHANGE-ME"), ("wrong", "not-the-password")):
            with open(place.path(name), "w") as file:
                file.write(password + "\n")
        simulator = place.simulator("--symbols", "2", "--speed", "240", "--seed", "7", "--weight-limit", "1000000")
        secure = over_tls(place, simulator)
        clustered = over_a_cluster(place, simulator)
        print(f"{secure} signals over TLS, {clustered} in a cluster, all by narrow users")
    return 0


if __name__ == "__main__":
    sys.exit(main())
