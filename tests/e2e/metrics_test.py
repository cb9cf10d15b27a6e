"""/metrics, /status, /-/healthy and /-/ready of a running daemon: what they say is what was published, and in each fault just the
series change that the alert for it reads: Prometheus' own rule engine lets it fire on what was scraped."""
import http.client
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import harness
from alert_rules import ALERTS, DEPLOY, Scrape, firing
from harness import Workplace, stream_key, wait_for

SYMBOLS = ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
FEED = '{exchange="binance",market="spot"}'
HEARD = f"atcd_feed_updates_total{FEED}"
LAST_MESSAGE = f"atcd_feed_last_message_timestamp_seconds{FEED}"
SNAPSHOT = "atcd_snapshot_last_success_timestamp_seconds"
MINUTE_MS = 60_000


class Daemon:
    def __init__(self, place, config):
        self.place, self.config, self.path = place, config, place.path("daemon.toml")
        self.write(config)
        self.starts = 0

    def write(self, config):
        with open(self.path, "w") as file:
            file.write(config)

    def start(self, most_files=None):
        self.starts += 1
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))) if most_files else None
        self.process = self.place.spawn("daemon", [harness.ATCD, "run", "--config", self.path], preexec_fn=limit)
        lines = wait_for(lambda: [line for line in self.place.log_lines("daemon", "event=http_listening") if line.endswith("\n")]
                         [self.starts - 1:], "it listens")
        self.address = lines[0].split("address=")[1].strip()

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)

    def ask(self, target, method="GET"):
        connection = http.client.HTTPConnection(self.address, timeout=harness.DEADLINE_S)
        connection.request(method, target)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response, body

    def scrape(self):
        response, body = self.ask("/metrics")
        assert response.status == 200, body
        return Scrape(body)

    def until(self, what, *conditions):
        """The first scrape that fulfils all of them."""
        def look():
            scrape = self.scrape()
            return scrape if all(condition(scrape) for condition in conditions) else None
        return wait_for(look, what)

    def two_scrapes(self, moves=None):
        """So far apart that the workers have told of themselves in between, and the sample `moves` has grown. What moves is
        taken to go on moving: there was no snapshot in between, which comes once a minute."""
        while True:
            first = self.scrape()
            second = self.until("a second passes", lambda scrape: scrape.at_s - first.at_s > 1.2,
                                lambda scrape: moves is None or scrape[moves] > first[moves])
            if second[SNAPSHOT] == first[SNAPSHOT]:
                return first, second


def live_entries(client):
    return sum(fields["source"] == "live" for symbol in SYMBOLS for _, fields in client.xrange(stream_key(symbol)))


def all_entries(client):
    return sum(client.xlen(stream_key(symbol)) for symbol in SYMBOLS)


def close_a_minute(simulator, client):
    """The exchange's clock stands still but for this."""
    before = all_entries(client)
    simulator.control(f"advance?ms={MINUTE_MS}")
    wait_for(lambda: all_entries(client) == before + len(SYMBOLS), "the minute's signals")


def check_names(scrape):
    """Everything that is documented, drawn or alerted on is served, and everything that is served is documented."""
    served = set(scrape.types)
    named = re.compile(r"\b(?:atcd|process)_[a-z_]+\b")

    def names(file):
        found = set(named.findall(open(os.path.join(DEPLOY, file)).read()))
        return {re.sub(r"_(bucket|count|sum)$", "", name) if re.sub(r"_(bucket|count|sum)$", "", name) in served else name
                for name in found}

    table = "".join(line for line in open(os.path.join(DEPLOY, "metrics.md")) if line.startswith("| `"))
    documented = set(named.findall(table))
    assert documented == served, f"in deploy/metrics.md or served, not both: {documented ^ served}"
    dashboard = json.load(open(os.path.join(DEPLOY, "grafana-dashboard.json")))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 30, "the dashboard is read wrongly"
    for file in ("alerts.yml", "grafana-dashboard.json", "runbook.md", "metrics.md"):
        assert names(file) <= served, f"{file} names what is not served: {names(file) - served}"


def check_pages(daemon, scrape):
    assert subprocess.run(["promtool", "check", "metrics"], input=scrape.text.encode()).returncode == 0
    head, body = daemon.ask("/metrics", "HEAD")
    assert head.status == 200 and body == "" and int(head.headers["Content-Length"]) > 1000
    refused, _ = daemon.ask("/status", "POST")
    assert refused.status == 405 and refused.headers["Allow"] == "GET, HEAD"
    assert daemon.ask("/nothing")[0].status == 404
    status = json.loads(daemon.ask("/status")[1])
    assert status["instance"] == "main" and status["ready"] and status["healthy"], status
    assert status["series_by_state"]["LIVE"] == status["series"] == 3, status
    assert status["feeds"][0]["bars_closed"] == scrape[f"atcd_bars_closed_total{FEED}"], status
    assert status["redis"]["connected"] and status["redis"]["added"] == scrape['atcd_publish_total{result="added"}'], status


def starts_before_redis(place, daemon):
    daemon.start()
    healthy, body = daemon.ask("/-/healthy")
    assert (healthy.status, body) == (200, "healthy\n"), body
    ready, body = daemon.ask("/-/ready")
    assert ready.status == 503 and "Redis is not connected\n" in body, body
    client = place.redis()
    wait_for(lambda: daemon.ask("/-/ready")[0].status == 200, "ready")
    return client


def counts_what_is_published(simulator, client, daemon):
    wait_for(lambda: all_entries(client) == len(SYMBOLS), "the first signals")
    for _ in range(4):
        close_a_minute(simulator, client)
    closed = live_entries(client) - len(SYMBOLS)  # the first signal of each was of a bar that REST brought
    assert closed == 4 * len(SYMBOLS)
    scrape = daemon.until("the workers have told", lambda s: s['atcd_publish_total{result="added"}'] == all_entries(client))
    assert scrape[f"atcd_bars_closed_total{FEED}"] == closed
    assert scrape["atcd_bar_close_to_publish_seconds_count"] == closed
    assert scrape["atcd_indicator_update_seconds_count"] == 1 and closed < 16, "one in 16 is timed"
    assert 0 < scrape["atcd_bar_close_to_publish_seconds_sum"] < harness.DEADLINE_S
    assert scrape["atcd_unpublished_bars"] == scrape["atcd_unpublished_oldest_age_seconds"] == 0
    assert scrape[f"atcd_feed_connected{FEED}"] == scrape["atcd_redis_connected"] == scrape["atcd_ready"] == 1
    assert scrape['atcd_feed_connects_total{exchange="binance",market="spot",reason="start"}'] == 1
    assert scrape['atcd_series{state="live"}'] == 3 and scrape.sum("atcd_series") == 3
    assert scrape[f"atcd_feed_backfilled_bars_total{FEED}"] >= 3 * 60
    assert scrape["atcd_restore_seconds"] > 0 and scrape["atcd_last_shutdown_clean"] == 1
    assert time.time() - scrape[LAST_MESSAGE] < harness.DEADLINE_S
    check_names(scrape)
    check_pages(daemon, scrape)


def snapshot_is_timed(place, daemon):
    daemon.process.send_signal(signal.SIGUSR1)
    daemon.until("a snapshot", lambda scrape: abs(time.time() - scrape[SNAPSHOT]) < harness.DEADLINE_S)
    healthy = daemon.two_scrapes(moves=HEARD)
    assert firing(place, *healthy) == set(), firing(place, *healthy)
    later = firing(place, *healthy, after_s=1800)
    assert later == {"AtcdSnapshotStale"}, f"as if no other snapshot came for half an hour: {later}"


def reload_that_is_refused(place, daemon):
    daemon.write(daemon.config + "no_such_key = 1\n")
    daemon.process.send_signal(signal.SIGHUP)
    scrape = daemon.until("the refusal", lambda s: s["atcd_config_last_reload_successful"] == 0)
    assert scrape["atcd_config_reload_errors_total"] == 1
    refused = daemon.two_scrapes(moves=HEARD)
    assert firing(place, *refused) == {"AtcdReloadFailed"}, firing(place, *refused)
    problems = json.loads(daemon.ask("/status")[1])["last_problems"]
    assert any("no_such_key" in problem["text"] for problem in problems), problems
    daemon.write(daemon.config)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until("the mended one is taken", lambda s: s["atcd_config_last_reload_successful"] == 1)


def another_configuration(place, client, daemon):
    """What Redis holds was made with other parameters: series that are not published are not told as live."""
    lengths = "lengths = { ema = 20, hma = 28, wma = 28, dema = 28, lsma = 28, kama = 28 }"
    daemon.write(daemon.config.replace("history_bars = 60", f"{lengths}\nhistory_bars = 60"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until("they are halted", lambda s: s['atcd_series{state="halted"}'] == 3)
    halted = daemon.two_scrapes(moves=HEARD)
    assert all(scrape['atcd_series{state="live"}'] == scrape["atcd_ready"] == 0 for scrape in halted), halted
    ready, body = daemon.ask("/-/ready")
    assert ready.status == 503 and "3 of 3 series are stopped: Redis holds signals of another configuration" in body, body
    assert "AtcdNotReady" in firing(place, *halted, after_s=1200)
    wait_for(lambda: client.hmget("atc:1:daemon:main", "live", "halted") == ["0", "3"], "the heartbeat says so")
    top = subprocess.run([harness.ATCD, "top", "--once"], capture_output=True, text=True,
                         env={**os.environ, "XDG_RUNTIME_DIR": place.directory})
    assert top.stdout.count("HALTED") >= 3, top
    daemon.write(daemon.config)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.until("they go on", lambda s: s['atcd_series{state="live"}'] == 3, lambda s: s["atcd_ready"] == 1)


def redis_hangs(place, simulator, client, daemon):
    before = all_entries(client)
    server = next(process for name, process in place.processes if name == "redis")
    server.send_signal(signal.SIGSTOP)
    simulator.control(f"advance?ms={MINUTE_MS}")
    daemon.until("it waits", lambda s: s["atcd_unpublished_bars"] == 3, lambda s: s["atcd_unpublished_oldest_age_seconds"] > 0)
    daemon.until("the connection is given up", lambda s: s["atcd_redis_connected"] == 0, lambda s: s["atcd_ready"] == 0)
    ready, body = daemon.ask("/-/ready")
    assert (ready.status, body) == (503, "Redis is not connected\n"), body
    assert daemon.ask("/-/healthy")[0].status == 200, "a Redis that is away is no reason to restart"
    away = daemon.two_scrapes(moves=HEARD)
    assert firing(place, *away) == {"AtcdRedisDisconnected", "AtcdBarsNotInRedis"}, firing(place, *away)
    assert firing(place, *away, after_s=1700) == {"AtcdRedisDisconnected", "AtcdBarsNotInRedis", "AtcdNotReady",
                                                  "AtcdSnapshotStale"}
    server.send_signal(signal.SIGCONT)
    wait_for(lambda: all_entries(client) == before + len(SYMBOLS), "what waited")
    back = daemon.until("all is well", lambda s: s["atcd_unpublished_bars"] == 0, lambda s: s["atcd_ready"] == 1,
                        lambda s: s["atcd_bar_close_to_publish_seconds_count"] ==
                        away[1]["atcd_bar_close_to_publish_seconds_count"] + 3)
    waited_s = back["atcd_bar_close_to_publish_seconds_sum"] - away[1]["atcd_bar_close_to_publish_seconds_sum"]
    assert waited_s > 3 * 4, f"the outage of at least 5 s is counted: {waited_s}"
    assert firing(place, away[1], back, after_s=300) == {"AtcdServiceLevel"}, firing(place, away[1], back, after_s=300)


def redis_holds_another_signal(place, client, daemon):
    key = stream_key("BTCUSDT")
    (before, _), (last, fields) = client.xrange(key)[-2:]
    client.xdel(key, last)
    client.execute_command("XSETID", key, before)
    client.xadd(key, {**fields, "close": "77", "average": "0.123"}, id=last)
    first = daemon.scrape()
    client.client_kill_filter(_type="normal", skipme=True)  # the streams' heads are read on every connect
    scrape = daemon.until("the conflict is settled", lambda s: s["atcd_publish_repaired_total"] == 1)
    assert scrape["atcd_publish_conflicts_total"] == 1 and scrape['atcd_publish_total{result="different"}'] == 1
    wait_for(lambda: client.xrevrange(key, count=1)[0][1]["average"] == fields["average"], "the right one is there again")
    assert "AtcdConflict" in firing(place, first, scrape)


def feed_is_cut(place, simulator, daemon):
    os.kill(simulator.pid, signal.SIGKILL)
    daemon.until("the feed is gone", lambda s: s[f"atcd_feed_connected{FEED}"] == 0)
    cut = daemon.two_scrapes()
    found = firing(place, *cut)
    assert {"AtcdFeedDown", "AtcdFeedStale"} <= found <= {"AtcdFeedDown", "AtcdFeedStale", "AtcdSeriesNotLive"}, found


def it_is_killed(place, daemon):
    scrapes = [daemon.scrape()]
    for _ in range(3):
        daemon.end(signal.SIGKILL)
        daemon.start()
        scrapes.append(daemon.until("its start", lambda s: s["atcd_last_shutdown_clean"] == 0))
    found = firing(place, *scrapes, after_s=300)
    assert {"AtcdUncleanShutdown", "AtcdRestarts"} <= found, found
    daemon.end(signal.SIGTERM)
    daemon.start()
    assert daemon.scrape()["atcd_last_shutdown_clean"] == 1
    assert "AtcdUncleanShutdown" not in firing(place, *daemon.two_scrapes())


def files_run_short(place, daemon):
    opened = daemon.scrape()["process_open_fds"]
    daemon.end(signal.SIGTERM)
    most = int(opened / 0.9)
    daemon.start(most_files=most)
    daemon.until("they are open", lambda s: s["process_open_fds"] > 0.8 * most, lambda s: s["process_max_fds"] == most)
    assert "AtcdFileDescriptors" in firing(place, *daemon.two_scrapes())


def port_is_taken(place, daemon):
    other = place.path("other.toml")
    with open(other, "w") as file:
        file.write(daemon.config.replace("127.0.0.1:0", daemon.address).replace(f'directory = "{place.directory}"',
                                                                                f'directory = "{place.path("other")}"'))
    os.mkdir(place.path("other"))
    second = subprocess.run([harness.ATCD, "run", "--config", other], capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and f"{daemon.address} can't be listened on: Address already in use" in second.stderr, second


def main():
    with Workplace() as place:
        # The exchange's clock stands still in the middle of a minute, whose end the daemon would wait for.
        simulator = place.simulator("--symbols", ",".join(SYMBOLS), "--speed", "0", "--start", "2026-11-24T00:00:20Z", "--seed",
                                    "7", "--weight-limit", "1000000")
        daemon = Daemon(place, harness.configuration(simulator.ws_url, simulator.rest_url, f"unix://{place.path('redis.sock')}",
                                                     place.directory, SYMBOLS, http="127.0.0.1:0"))
        client = starts_before_redis(place, daemon)
        counts_what_is_published(simulator, client, daemon)
        snapshot_is_timed(place, daemon)
        reload_that_is_refused(place, daemon)
        another_configuration(place, client, daemon)
        redis_hangs(place, simulator, client, daemon)
        redis_holds_another_signal(place, client, daemon)
        port_is_taken(place, daemon)
        feed_is_cut(place, simulator, daemon)
        it_is_killed(place, daemon)
        files_run_short(place, daemon)
        daemon.end(signal.SIGTERM)
        print(f"{len(ALERTS)} alerts held against what was scraped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
