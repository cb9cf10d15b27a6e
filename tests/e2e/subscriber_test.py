"""deploy/examples/subscriber.py: every signal once and in order, though its connections are cut, Redis and the daemon die
and come back, and Redis hangs or refuses; trust ends and returns, and nothing past is told with it. As a program it tells
a turn that a new run brings, and none twice where it is stopped."""
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading

import harness
from harness import Workplace, wait_for

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/examples/subscriber.py")
SERIES = ["binance:spot:BTCUSDT:1m:default", "binance:spot:ETHUSDT:1m:default"]


def load_example():
    spec = importlib.util.spec_from_file_location("subscriber", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_stops(place, client):
    """With --positions, stopped as soon as a signal is heard, again and again: none is told twice, none is missed."""
    told = []
    for _ in range(10):
        command = [sys.executable, "-u", EXAMPLE, "--url", client.url, "--positions", place.path("positions"), SERIES[0]]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bot:
            for line in bot.stdout:
                if "close_ms=" in line:
                    bot.terminate()
                    told.append(int(line.split("close_ms=")[1].split()[0]))
        assert bot.returncode == 0, bot.returncode
    assert told == list(range(told[0], told[-1] + 1, 60_000)), told


def check_turns(client):
    """The last entry of a run that was up; the next run was down from long before its first entry."""
    client.flushall()
    stream, last, _ = load_example().keys_of(SERIES[0])
    for number, (trend, previous) in enumerate(((1, 1), (-1, -1), (-1, -1))):
        close_ms = 60_000 * (number + 1)
        fields = {"open_ms": close_ms - 60_000, "close_ms": close_ms, "next_close_ms": close_ms + 60_000, "rev": 0, "close": 1,
                  "average": trend, "trend": trend, "previous_trend": previous, "source": "live", "instance": "main"}
        client.xadd(stream, fields, id=f"{close_ms}-0")
        if number == 0:
            client.hset(last, mapping=fields)
    command = ["timeout", str(harness.DEADLINE_S), sys.executable, "-u", EXAMPLE, "--url", client.url, SERIES[0]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bot:
        lines = []
        for line in bot.stdout:
            lines += [line] if "close_ms=" in line else []
            if len(lines) == 3:
                break
        bot.terminate()
        bot.communicate()
    assert ["TURNED" in line for line in lines] == [False, True, False], lines


def check_reset(place, example):
    """A server that ends with unread input resets the connection, which lies idle then: the next command has a new one."""
    path = place.path("resetting.sock")
    with socket.create_server(path, family=socket.AF_UNIX) as server:
        client = example.connect(f"unix://{path}")
        reset = threading.Event()

        def serve():
            with server.accept()[0] as first:
                first.recv(1024)
                first.sendall(b"+PONG\r\n")
                select.select([first], [], [])  # something comes that nobody reads
            reset.set()
            with server.accept()[0] as second:
                second.recv(1024)
                second.sendall(b"+PONG\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert client.ping()
        idle = client.connection_pool.get_connection("PING")
        idle.send_command("PING")
        client.connection_pool.release(idle)
        assert reset.wait(harness.DEADLINE_S)
        assert client.ping()
        thread.join()


def main():
    example = load_example()
    with Workplace() as place:
        check_reset(place, example)
        durable = ("--appendonly", "yes", "--appendfsync", "always")
        client = place.redis(extra=durable)
        server = place.processes[-1][1]
        simulator = place.simulator("--symbols", "2", "--speed", "240", "--seed", "11", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory,
                                       ["BTCUSDT", "ETHUSDT"])
        daemon = place.daemon(config)

        heard = {name: [] for name in SERIES}
        held, told_with_trust, go_on = [], [], threading.Event()
        go_on.set()

        def on_signal(name, fields):
            heard[name].append(fields)
            if subscriber.trusted[name]:
                told_with_trust.append((name, fields["close_ms"]))
            if not go_on.is_set():
                held.append((name, fields["close_ms"]))
                assert go_on.wait(harness.DEADLINE_S)

        trust = {name: [] for name in SERIES}
        reader = example.connect(client.url)
        # The market's clock runs ahead of ours: only the heartbeat can end trust here.
        subscriber = example.Subscriber(reader, SERIES, on_signal,
                                        lambda name, trusted, why: trust[name].append((trusted, why)))
        thread = threading.Thread(target=subscriber.run, daemon=True)
        thread.start()

        def trusted(wanted):
            return lambda: all(each and each[-1][0] == wanted for each in trust.values())

        def hear_more(count):
            before = {name: len(signals) for name, signals in heard.items()}
            wait_for(lambda: all(len(heard[name]) >= before[name] + count for name in SERIES), f"{count} more signals")

        hear_more(5)
        wait_for(trusted(True), "trust")
        for _ in range(5):
            client.client_kill_filter(_type="pubsub")
            client.client_kill_filter(_type="normal", skipme=True)
            hear_more(2)

        # A bot that is held up while it is trusted: what closed meanwhile is past by the time it hears of it.
        wait_for(trusted(True), "trust before it is held up")
        go_on.clear()
        wait_for(lambda: held, "it is held up")
        name, closed = held[0]
        key = example.keys_of(name)[0]
        wait_for(lambda: len(client.xrange(key, f"({closed}-9")) >= 4, "bars close meanwhile")
        past = {(name, fields["close_ms"]) for _, fields in client.xrange(key, f"({closed}-9")[:-1]}
        go_on.set()
        hear_more(5)
        assert not past & set(told_with_trust), "a signal that was past was told while its series was trusted"
        wait_for(trusted(True), "trust comes back with the newest")

        daemon.kill()
        daemon.wait()
        wait_for(trusted(False), "trust ends when the daemon beats no more")
        daemon = place.daemon(config)
        wait_for(trusted(True), "trust comes back with the daemon")
        hear_more(3)

        server.send_signal(signal.SIGSTOP)
        wait_for(trusted(False), "trust ends while Redis hangs")
        server.send_signal(signal.SIGCONT)
        wait_for(trusted(True), "trust comes back when it goes on")
        hear_more(3)

        client.execute_command("ACL SETUSER default -xrange")
        wait_for(trusted(False), "trust ends when Redis refuses a command")
        client.execute_command("ACL SETUSER default +@all")
        wait_for(trusted(True), "trust comes back when it refuses no more")
        hear_more(3)

        server.kill()
        server.wait()
        wait_for(trusted(False), "trust ends without Redis")
        client = place.redis(extra=durable)
        wait_for(trusted(True), "trust comes back with Redis")
        hear_more(3)

        # A bot that ends and comes again goes on where it was, not with the latest.
        subscriber.stop()
        thread.join()
        kept = dict(subscriber.position)
        missed = [f"({kept[name]}" for name in SERIES]
        wait_for(lambda: all(len(client.xrange(example.keys_of(name)[0], after)) >= 3 for name, after in zip(SERIES, missed)),
                 "signals that it misses")
        subscriber = example.Subscriber(reader, SERIES, on_signal,
                                        lambda name, trusted, why: trust[name].append((trusted, why)), positions=kept)
        thread = threading.Thread(target=subscriber.run, daemon=True)
        thread.start()
        hear_more(4)

        check_stops(place, client)
        daemon.terminate()
        assert daemon.wait(30) == 0

        def last_ids():
            return {name: client.xrevrange(example.keys_of(name)[0], count=1)[0][0] for name in SERIES}

        wait_for(lambda: last_ids() == subscriber.position, "the last signal is heard")
        subscriber.stop()
        thread.join()
        for name in SERIES:
            published = [fields for _, fields in client.xrange(example.keys_of(name)[0])]
            first = int(heard[name][0]["close_ms"])
            assert heard[name] == [fields for fields in published if int(fields["close_ms"]) >= first], name
            print(f"{name}: {len(heard[name])} signals heard once and in order; trust {[t for t, _ in trust[name]]}")

        check_turns(client)

        # So does a daemon that found a signal of its own to be another than its bars give: here it is one that we play.
        subscriber.instances, latest = ["played"], dict(subscriber.latest[SERIES[0]], next_close_ms=str(2 ** 52))
        subscriber.latest[SERIES[0]] = latest
        client.hset("atc:1:state:played", SERIES[0], json.dumps({"state": "LIVE"}))
        for differences in (0, 1):
            client.hset("atc:1:daemon:played", mapping={"beat_ms": 1, "audit_differences": differences})
            subscriber.judge(SERIES[0])
            assert subscriber.trusted[SERIES[0]] == (differences == 0), trust[SERIES[0]][-1]

        # A signal that is overdue ends trust too, whatever the daemon says.
        subscriber.latest[SERIES[0]] = dict(subscriber.latest[SERIES[0]], next_close_ms="1000")
        subscriber.trusted[SERIES[0]] = True
        subscriber.judge(SERIES[0])
        assert "late" in trust[SERIES[0]][-1][1], trust[SERIES[0]][-1]
    return 0


if __name__ == "__main__":
    sys.exit(main())
