# SPDX-License-Identifier: MIT
"""suite: what a foreign suite is: how to run it or some of its tests, and how to read its results.

A result is a dict from the name of a test to its outcome: ok, skip, fail; `lost` is for tests that another run had and this one not.
"""
import os
import re
import subprocess
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
SUITES = os.path.join(ROOT, "build/suites")

PYTHON_TESTS = ("socket select poll epoll selectors asyncio subprocess fork1 smtplib imaplib poplib ftplib nntplib "
                "socketserver").split()


class Suite:
    """tls: its clients talk TCP to its own servers over the loopback, so TLS can be put between. short: part of the short run."""

    def __init__(self, name, tls, short, seconds=900):
        self.name, self.tls, self.short, self.seconds = name, tls, short, seconds

    def command(self, tests, log):
        raise NotImplementedError

    def results(self, log):
        raise NotImplementedError

    environment = {}
    directory = ROOT

    def run(self, mode, tests=(), log=None):
        """Run it, or only those tests; returns the results. The log stays below build/suites/logs."""
        log = log or os.path.join(SUITES, "logs", f"{self.name}.{mode.name}")
        for old in (log, log + ".xml"):
            if os.path.exists(old):
                os.remove(old)
        command = mode.wrap(self.command(list(tests), log), log)
        environment = {**os.environ, **self.environment}
        for unwanted in ("LD_PRELOAD", "STARTTLS_POLICY", "STARTTLS_LOG", "PYTHONPATH"):
            environment.pop(unwanted, None)
        environment["HOME"] = environment["TMPDIR"] = os.path.join(SUITES, "home")
        with open(log, "wb") as out:
            timeout = ["timeout", "-k", "5", str(self.seconds)]
            subprocess.run(timeout + command, env=environment, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out,
                           stderr=out, check=False)
        return self.results(log)


class Python(Suite):
    # VSOCK is not ours, and its test hangs on a virtual machine whose host does not answer.
    never = "ThreadedVSOCKSocketStreamTest"
    environment = {"PYTHONHOME": os.path.join(SUITES, "python/usr"), "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, tests, log):
        chosen = [word for test in tests for word in ("-m", re.sub(r" .*", "", test))]
        return [os.path.join(SUITES, "python/usr/bin/python3.11"), "-m", "test", "-v", "--timeout", "120", "-u", "cpu,network", "-i", f"*{self.never}*",
                f"--junit-xml={log}.xml"] + chosen + [self.name]

    def results(self, log):
        found = {}
        if not os.path.exists(log + ".xml"):
            return found
        for case in xml.etree.ElementTree.parse(log + ".xml").iter("testcase"):
            wrong = case.find("failure") is not None or case.find("error") is not None
            skipped = case.get("status") == "notrun" or case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed")
            name = re.sub(r" at 0x[0-9a-f]+", "", case.get("name"))
            found[name] = "fail" if wrong else "skip" if skipped else "ok"
        return found


class Libuv(Suite):
    environment = {"UV_RUN_AS_ROOT": "1"}
    directory = os.path.join(SUITES, "libuv")

    def command(self, tests, log):
        runner = "made/uv_run_tests_a"
        if not tests:
            return [runner]
        return ["sh", "-c", f'i=0; for t; do i=$((i+1)); {runner} "$t" >/dev/null 2>&1 && echo "ok $i - $t" || echo "not ok $i - $t"; done', "sh"] + tests

    def results(self, log):
        found = {}
        for line in open(log, errors="replace"):
            said = re.match(r"(not ok|ok) \d+ - (\w+)( # SKIP)?", line)
            if said:
                found[said[2]] = "skip" if said[3] else "ok" if said[1] == "ok" else "fail"
        return found


class Libevent(Suite):
    directory = os.path.join(SUITES, "libevent/made")

    def __init__(self, name, others, **rest):
        super().__init__(name, **rest)
        self.environment = {f"EVENT_NO{other}": "1" for other in others}

    def command(self, tests, log):
        return ["bin/regress", "--timeout", "120"] + tests

    def results(self, log):
        """`group/name: [forking] OK`, where the outcome may stand behind complaints."""
        found, name = {}, None
        for line in open(log, errors="replace"):
            begun = re.match(r"([a-z]\w*/\w+): ?(.*)", line)
            if begun:
                name, line = begun[1], begun[2]
                found[name] = "fail"
            said = re.search(r"(OK|SKIPPED|DISABLED|FAILED)\s*$", line)
            if said and name:
                found[name] = {"OK": "ok", "FAILED": "fail"}.get(said[1], "skip")
        return found


QUICK = {"select", "poll", "epoll", "socket", "socketserver", "smtplib"}
NO_TCP = {"select", "selectors", "poll", "epoll", "subprocess", "fork1"}


def all_suites():
    found = [Python(f"test_{name}", tls=name not in NO_TCP, short=name in QUICK) for name in PYTHON_TESTS]
    found.append(Libuv("libuv", tls=True, short=False))
    for name, others in (("epoll", ("POLL", "SELECT")), ("poll", ("EPOLL", "SELECT")), ("select", ("EPOLL", "POLL"))):
        found.append(Libevent(f"libevent-{name}", others, tls=True, short=False))
    return found
