#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# starttls report: what it reads, what it takes for ours, its three forms. Over real logs: syslog.bats.

load helper
load command

setup() {
  cd "$BATS_TEST_TMPDIR" || return
  export LC_ALL=C
}

teardown() { :; }

# in_days N: the date, as the log has it
in_days() { date -u -d "$1 days" +%Y-%m-%d; }

verified='starttls verified to=smtp.example.com addr=198.51.100.9 port=587 proto=smtp tls=1.3 cipher=TLS_AES_256_GCM_SHA384 need=verify rule=/etc/starttls/policy:5 ms=41'
plaintext='starttls plaintext to=old.example.com addr=198.51.100.10 port=25 proto=smtp need=may rule=/etc/starttls/policy:6 ms=9 why="server did not offer TLS"'

@test "report: a line of a file, of syslog with old and new stamps, and of journalctl count the same" {
  printf '%s\n' "a[1]: $verified" "Nov  1 12:00:00 host a[2]: $verified" "2026-11-20T12:00:00.123456+01:00 host a[3]: $verified" \
    "Nov 01 12:00:00 host b.c-d[4]: $verified" >log
  run -0 "$starttls" report log
  says 'smtp.example.com:587  smtp                   4  verified 4 '
  says '1.3 4'
  says '4 connections to 1 destination'
}

@test "report: the reading is from standard input without a name, and for -; several logs add up" {
  echo "a[1]: $verified" >log
  run -0 "$starttls" report <log
  says '1 connection to 1 destination'
  # shellcheck disable=SC2094  # it is only read
  run -0 "$starttls" report log - log <log
  says '3 connections to 1 destination'
}

@test "report: what others made somebody log is not taken for ours" {
  printf '%s\n' "sshd[3]: Invalid user x[1]: $verified" "host sshd[3]: x $verified" "kernel: $verified" "a[]: $verified" "a[1x]: $verified" \
    "a[1]: starttls verifiedx to=a port=1" "a[1]: starttls" "a[1]: starttls verified" "a[1]: $verified" "]: $verified" "[7]: $verified" >log
  run -0 "$starttls" report log
  says '1 connection to 1 destination'
}

@test "report: destinations are told apart by name, port and protocol; an address stands for a name that is not there" {
  printf '%s\n' 'a[1]: starttls encrypted to=x.test addr=192.0.2.1 port=25 proto=smtp' 'a[1]: starttls encrypted to=x.test addr=192.0.2.2 port=25 proto=smtp' \
    'a[1]: starttls encrypted to=x.test addr=192.0.2.1 port=26 proto=smtp' 'a[1]: starttls encrypted to=x.test addr=192.0.2.1 port=25 proto=lmtp' \
    'a[1]: starttls pinned addr=2001:db8::1 port=25 proto=smtp' 'a[1]: starttls own addr=192.0.2.1 port=25 proto=smtp' >log
  run -0 "$starttls" report log
  says '6 connections to 5 destinations'
  [ "$(grep -c '^x.test:25 *smtp  *2  encrypted 2' <<<"$output")" = 1 ]
  says '[2001:db8::1]:25'
  says '192.0.2.1:25'
}

@test "report: plaintext and refusals are listed with their last reason" {
  printf '%s\n' "a[1]: $plaintext" "a[1]: ${plaintext/did not offer TLS/refused STARTTLS}" "a[1]: ${verified/verified/refused} why=\"it's \\ gone\"" "a[1]: $verified" >log
  run -0 "$starttls" report log
  says $'plaintext left to eliminate: 2 connections\n  old.example.com:25 smtp, 2 of 2: server refused STARTTLS'
  says $'refused: 1 connection\n  smtp.example.com:587 smtp, 1 of 2: it\'s \\ gone'
  printf '%s\n' "a[1]: $verified" >log
  run -0 "$starttls" report log
  never_says plaintext
  never_says refused
}

@test "report: days left of the certificate last seen" {
  printf 'a[1]: %s expires=%s\n' "$verified" "$(in_days 3)" "$verified" "$(in_days 90)" >log
  run -0 "$starttls" report log
  says ' 90 days'
  never_says '90 days !'
  printf 'a[1]: %s expires=%s\n' "$verified" "$(in_days 30)" >log
  run -0 "$starttls" report log
  says ' 30 days !'
  printf 'a[1]: %s expires=%s\n' "$verified" "$(in_days -1)" >log
  run -0 "$starttls" report log
  says 'ended 1 day ago'
  printf 'a[1]: %s expires=2026-99-99\n' "$verified" >log
  run -0 "$starttls" report log
  says '1.3 1           -'
}

@test "report: a broken policy and lines that were lost are told" {
  printf '%s\n' 'a[1]: starttls broken why="/etc/starttls/policy:2:1: unknown level"' "a[1]: $verified lost=7" "a[1]: $verified lost=5" >log
  run -0 "$starttls" report log
  says 'the policy was broken for 1 process: /etc/starttls/policy:2:1: unknown level'
  says '12 more lines were too many for syslog'
}

@test "report --json is JSON, whatever is in the log" {
  printf '%s\n' "a[1]: $plaintext" "a[1]: $verified expires=$(in_days 5)" $'a[1]: starttls refused to=\\"\e[31m\xff port=1 proto="x' >log
  "$starttls" report --json log | python3 -c '
import json, sys
r = json.load(sys.stdin)
assert r["connections"] == 3 and len(r["destinations"]) == 3, r
d = {d["to"]: d for d in r["destinations"]}
s = d["smtp.example.com"]
assert s["verdicts"]["verified"] == 1 and s["tls"]["1.3"] == 1 and s["days_left"] == 5 and s["addr"] == "198.51.100.9" and s["port"] == 587, s
o = d["old.example.com"]
assert o["why_plaintext"] == "server did not offer TLS" and o["expires"] is None and o["verdicts"]["plaintext"] == 1, o
assert r["verdicts"] == {"verified": 1, "pinned": 0, "dane": 0, "encrypted": 0, "own": 0, "plaintext": 1, "refused": 1}, r'
  "$starttls" report --json </dev/null | python3 -m json.tool
}

@test "report --prometheus is what Prometheus reads" {
  printf '%s\n' "a[1]: $plaintext" "a[1]: $verified expires=2030-12-31" $'a[1]: starttls refused to=a\\b"c"\e\xff port=1 proto=smtp' >log
  "$starttls" report --prometheus log >metrics
  /usr/bin/python3 - <<'END'
from prometheus_client.parser import text_string_to_metric_families as parse
got = {(s.name, tuple(sorted(s.labels.items()))): s.value for f in parse(open("metrics").read()) for s in f.samples}
def value(name, **labels): return got[name, tuple(sorted(labels.items()))]
smtp = dict(to="smtp.example.com", port="587", proto="smtp")
assert value("starttls_connections", verdict="verified", **smtp) == 1
assert value("starttls_connections", verdict="plaintext", **smtp) == 0
assert value("starttls_connections", verdict="plaintext", to="old.example.com", port="25", proto="smtp") == 1
assert value("starttls_tls_connections", version="1.3", **smtp) == 1
assert value("starttls_certificate_not_after_seconds", **smtp) == 1924905600
assert value("starttls_connections", verdict="refused", to='a\\b"c"??', port="1", proto="smtp") == 1
assert value("starttls_log_lines_lost") == 0
END
}

@test "report: garbage, endless lines, NULs and nothing at all are no error" {
  { head -c 1000000 /dev/urandom; printf '\n%s%s\n' "$(head -c 20000 /dev/zero | tr '\0' x)" "a[1]: $verified"; printf 'a[1]: \0%s\n' "$verified"; printf 'a[1]: %s' "$verified"; } >log
  run -0 --separate-stderr "$starttls" report log
  says '1 connection to 1 destination'
  [ -z "$stderr" ]
  run -0 "$starttls" report </dev/null
  says 'no line of libstarttls'
}

@test "report: colour on a terminal only, and not for those who want none" {
  echo "a[1]: $plaintext" >log
  run -0 "$starttls" report log
  never_says $'\e'
  run -0 script -qec "$starttls report log" /dev/null
  says $'\e[31mplaintext left to eliminate'
  NO_COLOR=1 run -0 script -qec "$starttls report log" /dev/null
  never_says $'\e'
}

@test "report: what is wrong with its arguments is said, exit 64; with its files, exit 69" {
  run -64 "$starttls" report --xml
  says "unknown option '--xml'; there are --json and --prometheus"
  run -0 "$starttls" report /dev/null --json
  says '"connections": 0'
  run -64 "$starttls" report /dev/null --xml
  run -64 "$starttls" report --json --prometheus
  says 'one form at a time'
  run -69 "$starttls" report nowhere
  says "'nowhere' cannot be read: No such file"
  run -69 "$starttls" report /
  says "'/' cannot be read: Is a directory"
}
