#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The rule's `timeout` is for the whole way from connect() to the program's own turn: a server that says a little all the time
# (drip_peer.py) is late as well as one that says nothing, and one that does not answer when it is dialled again.

load helper

setup() {
  begin_test
  exec {peer}< <(exec python3 "$root/tests/drip_peer.py" "$certs/good.pem" "$PWD/drops" 3>&-)
  DRIP=$!
  while read -r proto step how port && [ -n "$proto" ]; do
    case $how in
      busy) echo "may to any port $port proto $proto timeout 2" >>policy ;;
      later) echo "may to any port $port proto $proto" >>policy ;;
      *) echo "verify to any port $port proto $proto name mail.test ca $certs/ca.pem timeout 2" >>policy ;;
    esac
    [ "$how" = later ] && echo "$proto $step $how $port" >>later || echo "$proto $step $how $port" >>cases
  done <&"$peer"
  chmod 600 policy
}

teardown() {
  kill "$DRIP" 2>/dev/null || true
  for f in drops log; do [ ! -s "$f" ] || { echo "--- $f"; cat "$f"; }; done
}

# none_of FILE: it is empty
none_of() {
  ! grep . "$1" || return 1
}

# all_are_refused MANNER: in their protocols' words, and before the peer was done
all_are_refused() {
  shim timeout 100 python3 "$root/tests/drip_client.py" "$1" cases >told
  [ "$(wc -l <told)" = "$(wc -l <cases)" ]
  none_of <(grep -vE '(421|BYE|-ERR \[SYS/TEMP\]|400|503|ERR|C08001|remote-connection-failed|\\n\\x014|08S01).*libstarttls: .*before the deadline' told)
  timeout 20 bash -c 'until [ "$(wc -l <drops)" = "$(wc -l <cases)" ]; do sleep 0.1; done'
  none_of <(awk '$3 ~ /bytes|lines/ && $4 >= $6' drops)
}

# all_go_on MANNER: each server answers the second call, late; what the program said meanwhile is not lost
all_go_on() {
  shim timeout 100 python3 "$root/tests/drip_client.py" "$1" later >told
  [ "$(wc -l <told)" = "$(wc -l <later)" ]
  none_of <(grep -vE "^(nut|irc|xmpp|http|ldap|pgsql) .*'later, behind [1-9]|^(smtp|lmtp|imap|pop3|sieve|nntp|ftp|ftps|imaps) .*'later, behind 0" told)
}

@test "a program that waits in recv() is told in time" { all_are_refused blocking; }
@test "so is one that has a thread in recv() before another says the first word" { all_are_refused threads; }
@test "so is one that waits in poll()" { all_are_refused poll; }
@test "in select()" { all_are_refused select; }
@test "in epoll_wait()" { all_are_refused epoll; }

@test "dialled again, a server that answers late: recv()" { all_go_on blocking; }
@test "and poll()" { all_go_on poll; }
@test "and select()" { all_go_on select; }
@test "and epoll_wait()" { all_go_on epoll; }
