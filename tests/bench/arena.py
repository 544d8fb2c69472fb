# SPDX-License-Identifier: MIT
"""arena.py - the processes of a benchmark: server, delay, stunnel, and the clients as contenders.

A contender is one way to run a program against the server. run() starts it, checks that the server
saw what it had to see, and returns wall and CPU time. stunnel's own CPU time is added to that of
the client behind it.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

FAR_ADDRESS = "198.18.0.1"  # RFC 2544: reserved for benchmarks
ONE_WAY_MS = 10
TIMEOUT = 120


STUNNEL = """foreground = yes
pid =
syslog = no
debug = 3
[smtp]
client = yes
protocol = smtp
accept = 127.0.0.1:{accept}
connect = {host}:{port}
CAfile = {ca}
verifyChain = yes
checkHost = localhost
"""


class Wrong(Exception):
    """A run that was incorrect: not encrypted, wrong octets, failed or hung."""


def cpu_clock(pid):
    """CPU seconds of another process, its ended threads included: clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid):
    """Resident memory of a process in octets."""
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


def fields(line):
    """{"wall": 12, …} from "wall=12 …"."""
    return {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", line)}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(*command, **more):
    """Start a helper that ends when its stdin is closed, and speaks lines."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(c) for c in command], **pipes, **more)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_certificates(where):
    """A CA and a certificate of the server, both P-256; the names are those the clients dial."""
    names, request = where / "names", where / "server.csr"
    ca, ca_key, key = where / "ca.pem", where / "ca.key", where / "server.key"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:198.18.0.2\n", encoding="ascii")
    for out in (ca_key, key):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", out)
    openssl("req", "-x509", "-new", "-key", ca_key, "-subj", "/CN=bench", "-days", 30, "-out", ca)
    openssl("req", "-new", "-key", key, "-subj", "/CN=localhost", "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
            "-days", 30, "-extfile", names, "-out", where / "server.pem")


class Arena:
    """Everything that runs for the length of a benchmark; a context manager."""

    def __init__(self, build, where, shim):
        self.bin = build / "bench"
        self.where = pathlib.Path(where)
        self.shim = shim
        self.children = []
        self.stunnels = {}

    def __enter__(self):
        make_certificates(self.where)
        files = (self.where / "server.pem", self.where / "server.key")
        self.server = self.keep(start(self.bin / "server", *files))
        self.port = int(self.server.stdout.readline().split()[1])
        self.places = {"near": ("localhost", self.port), "far": self.start_delay()}
        self.policies = {
            "verify": self.policy("verify", f"proto smtp ca {self.where / 'ca.pem'}"),
            "default": self.policy("verify", "proto smtp", "default"),
            "none": self.policy("none", ""),
        }
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.stdin.close()
            child.terminate()
            child.wait()

    def keep(self, child):
        self.children.append(child)
        return child

    def policy(self, level, options, name=None):
        ports = {port for _, port in self.places.values()}
        path = self.where / f"policy-{name or level}"
        rules = [f"{level} to any port {port} {options}\n" for port in ports]
        path.write_text("".join(rules), encoding="ascii")
        return path

    def start_delay(self):
        """A far place: behind a TUN device if we may make one, else behind a relay."""
        for arguments in (("tun", FAR_ADDRESS), ("relay", self.port)):
            delay = start(self.bin / "delay", *arguments, ONE_WAY_MS, stderr=subprocess.DEVNULL)
            answer = delay.stdout.readline().split()
            if answer:
                self.keep(delay)
                # Not the dialogue's: TCP's own trip; a relay hides half of the greeting's.
                self.extra_trips = 1 if arguments[0] == "tun" else -0.5
                self.delay_kind = arguments[0]
                return answer[0], int(answer[1]) or self.port
            delay.wait()
        raise Wrong("no delay")

    def report(self):
        """What the server saw since the last report."""
        self.server.stdin.write("report\n")
        self.server.stdin.flush()
        return fields(self.server.stdout.readline())

    def stunnel(self, place):
        """(port, pid) of a stunnel to that place, started when first asked for."""
        if place not in self.stunnels:
            self.stunnels[place] = self.start_stunnel(place)
        return self.stunnels[place]

    def start_stunnel(self, place):
        host, port = self.places[place]
        host = "127.0.0.1" if host == "localhost" else host
        accept, config = free_port(), self.where / f"stunnel-{place}.conf"
        text = STUNNEL.format(accept=accept, host=host, port=port, ca=self.where / "ca.pem")
        config.write_text(text, encoding="ascii")
        with open(self.where / "stunnel.log", "a", encoding="ascii") as log:
            child = self.keep(subprocess.Popen(["stunnel4", config], stdin=subprocess.PIPE,
                                               stdout=log, stderr=log))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", accept)) == 0:
                    s.recv(1)  # the greeting: it has dialled
                    break
            time.sleep(0.05)
        time.sleep(0.1)
        self.report()  # that connection was ours
        return accept, child.pid

    def environment(self, policy=None, **more):
        """Of a client; with a policy, of one under the shim."""
        ours = ("LD_PRELOAD", "STARTTLS_", "SSL_CERT_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        env["XDG_CONFIG_HOME"] = str(self.where)  # nobody's own policy
        if policy:
            env["STARTTLS_POLICY"] = str(self.policies[policy])
            env["STARTTLS_LOG"] = str(self.where / "shim.log")
        env.update(more)
        return env


class Contender:
    """One way to run a workload: which program, where to, and what the server must have seen."""

    program, secure = "client", False

    def __init__(self, arena, name):
        self.arena, self.name = arena, name

    def options(self):
        return []

    def address(self, place):
        return self.arena.places[place]

    def environment(self):
        return self.arena.environment()

    def own_cpu(self, _place):
        """CPU time of a daemon of this contender, in seconds."""
        return 0.0

    def command(self, place, workload):
        host, port = self.address(place)
        program = self.arena.bin / self.program
        return [str(word) for word in (program, *self.options(), host, port, *workload)]

    def judge(self):
        saw = self.arena.report()
        if saw["wrong"]:
            raise Wrong(f"{self.name}: {saw['wrong']:.0f} verbs with wrong octets")
        if not saw["sessions"]:
            raise Wrong(f"{self.name}: the server saw no session")
        if self.secure and (saw["clear"] or saw["secure"] != saw["sessions"]):
            raise Wrong(f"{self.name}: of {saw['sessions']:.0f} sessions {saw['secure']:.0f} were "
                        f"encrypted, {saw['clear']:.0f} verbs came in the clear")
        if not self.secure and saw["secure"]:
            raise Wrong(f"{self.name}: {saw['secure']:.0f} sessions were encrypted")

    def run(self, workload, place="near"):
        command = self.command(place, workload)
        before = self.own_cpu(place)
        done = self.finish(command, f"{self.name}: {' '.join(map(str, workload))}")
        self.judge()
        result = fields(done.stdout)
        result["cpu"] += (self.own_cpu(place) - before) * 1e9
        return result

    def finish(self, command, title, timeout=TIMEOUT, **more):
        """Run a command to its end; one that fails or hangs is Wrong."""
        options = {"env": self.environment(), "timeout": timeout, **more}
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        except subprocess.TimeoutExpired:
            self.arena.report()
            raise Wrong(f"{title} hung") from None
        if done.returncode:
            self.arena.report()
            raise Wrong(f"{title}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done

    def hold(self, count):
        """Octets of memory per idle connection, a daemon's included."""
        # A new stunnel: memory freed after earlier runs would hide what these connections need.
        self.arena.stunnels.pop("near", None)
        daemon = self.daemon("near")
        client = start(*self.command("near", ("hold", 1)), env=self.environment())
        client.stdout.readline()
        before = resident(daemon) if daemon else 0
        client.communicate("\n")
        client = start(*self.command("near", ("hold", count)), env=self.environment())
        line = client.stdout.readline()
        daemons = (resident(daemon) - before) / count if daemon else 0
        client.communicate("\n")
        if client.returncode or not line:
            self.arena.report()
            raise Wrong(f"{self.name}: hold {count}: exit {client.returncode}")
        self.judge()
        return fields(line)["amount"] + daemons

    def daemon(self, _place):
        return None


class Plain(Contender):
    """The program that never heard of TLS."""


class Native(Contender):
    """The same, ported to OpenSSL."""

    program, secure = "native", True
    flags = ()
    ca = "ca.pem"

    def options(self):
        return ["-c", self.arena.where / self.ca, *self.flags]


class Stunnel(Contender):
    """The plain program in front of stunnel."""

    secure = True

    def address(self, place):
        return "127.0.0.1", self.arena.stunnel(place)[0]

    def daemon(self, place):
        return self.arena.stunnel(place)[1]

    def own_cpu(self, place):
        return cpu_clock(self.daemon(place))


class Shim(Contender):
    """The plain program under the preload."""

    secure = True
    policy = "verify"

    def environment(self):
        return self.arena.environment(self.policy, LD_PRELOAD=str(self.arena.shim))


class Untouched(Shim):
    """The plain program under the preload, on a connection the policy leaves alone."""

    secure = False
    policy = "none"


def contenders(arena):
    """Those that this machine and this tree can run, native once more for the error bar."""
    found = {"plain": Plain(arena, "plain"), "native": Native(arena, "native")}
    if shutil.which("stunnel4"):
        found["stunnel"] = Stunnel(arena, "stunnel4")
    if arena.shim:
        found["shim"] = Shim(arena, "shim")
    found["again"] = Native(arena, "native again")
    return found
