# SPDX-License-Identifier: MIT
# mailers: unmodified programs of Debian, each with its own TLS off, behind one interface:
#
#   send_with_NAME HOST PORT FILE [auth]    the mail in FILE (with its header) from sender@example.org to joe@mail.test
#
# The exit code is the mailer's. `launch` is what stands in front of it: nothing, or shim_command.
# shellcheck shell=bash disable=SC2154
launch=()

send_with_msmtp() {
  local auth=(--auth=off)
  [ -z "${4-}" ] || auth=(--auth=plain --user=joe --passwordeval='echo secret')
  "${launch[@]}" msmtp --host="$1" --port="$2" --tls=off "${auth[@]}" --from=sender@example.org joe@mail.test <"$3"
}

send_with_ssmtp() {
  printf '%s\n' "mailhub=$1:$2" hostname=old.example FromLineOverride=YES UseTLS=NO UseSTARTTLS=NO >ssmtp.conf
  local auth=()
  [ -z "${4-}" ] || auth=(-aujoe -apsecret)
  "${launch[@]}" ssmtp -Cssmtp.conf "${auth[@]}" -fsender@example.org joe@mail.test <"$3"
}

# A queue and a daemon: the daemon runs until it has told how the first attempt ended, and that is the exit code here.
send_with_nullmailer() {
  local password='' line code=''
  [ -z "${4-}" ] || password='--user=joe --pass=secret'
  echo "$1 smtp --port=$2 $password" >/etc/nullmailer/remotes
  rm -f /var/spool/nullmailer/{trigger,queue/*,failed/*}
  mkfifo /var/spool/nullmailer/trigger
  nullmailer-inject -f sender@example.org joe@mail.test <"$3"
  coproc daemon { exec "${launch[@]}" nullmailer-send 2>&1; }
  # shellcheck disable=SC2154
  while [ -z "$code" ] && read -t 30 -r line <&"${daemon[0]}"; do
    echo "$line"
    case $line in
    *"Sent file."*) code=0 ;;
    *"Temporary error"*) code=75 ;;
    *"Permanent error"*) code=69 ;;
    esac
  done
  kill "$daemon_PID"
  return "${code:-1}"
}

send_with_s_nail() {
  local url=smtp://$1:$2 auth=(-S smtp-auth=none)
  [ -z "${4-}" ] || { url=smtp://joe:secret@$1:$2; auth=(-S smtp-auth=plain); }
  body "$3" | "${launch[@]}" s-nail -n -S v15-compat -S mta="$url" "${auth[@]}" -S from=sender@example.org -S sendwait -S DEAD=dead.letter \
    -S ttycharset=utf-8 -S sendcharsets=utf-8 -S mime-encoding=8bit -S hostname=old.example -s hard joe@mail.test
}

send_with_swaks() {
  local auth=()
  [ -z "${4-}" ] || auth=(--auth PLAIN --auth-user joe --auth-password secret)
  head -c -1 "$3" >without_last_newline # which swaks adds
  "${launch[@]}" swaks --server "$1" --port "$2" "${auth[@]}" --from sender@example.org --to joe@mail.test --helo old.example --data @without_last_newline
}

send_with_curl() {
  local auth=()
  [ -z "${4-}" ] || auth=(--user joe:secret --login-options AUTH=PLAIN)
  "${launch[@]}" curl -sS "smtp://$1:$2" "${auth[@]}" --mail-from sender@example.org --mail-rcpt joe@mail.test --crlf -T "$3"
}

send_with_python() {
  "${launch[@]}" /usr/bin/python3 - "$@" <<'END'
import smtplib, sys
host, port, path = sys.argv[1:4]
try:
    server = smtplib.SMTP(host, int(port))
    if any(sys.argv[4:]):
        server.login("joe", "secret")
    server.sendmail("sender@example.org", ["joe@mail.test"], open(path, "rb").read().replace(b"\n", b"\r\n"))
    server.quit()
except smtplib.SMTPResponseException as e:
    print(type(e).__name__, e.smtp_code, e.smtp_error.decode())
    sys.exit(75 if e.smtp_code // 100 == 4 else 69)
END
}

send_with_perl() {
  "${launch[@]}" perl -MNet::SMTP -e '
    my ($host, $port, $path) = @ARGV;
    my $server = Net::SMTP->new($host, Port => $port) or do { print "Net::SMTP: $@\n"; exit 75 };
    sub try { $_[0] or do { print "Net::SMTP: ", $server->code, " ", $server->message; exit($server->code =~ /^5/ ? 69 : 75) } }
    open my $mail, "<", $path or die;
    try($server->mail("sender\@example.org"));
    try($server->to("joe\@mail.test"));
    try($server->data(<$mail>));
    try($server->quit);
  ' "$@"
}

# A relay of many processes, in a directory that its users may enter. It has no address of its own on the Internet but ::1, or it would take
# the server for itself. The exit code is that of the first attempt, as with nullmailer.
send_with_postfix() {
  local dir=/var/lib/relay line said tail_PID code=''
  rm -rf "$dir"
  mkdir -p "$dir"/{etc,data,queue/{incoming,active,bounce,corrupt,defer,deferred,flush,hold,maildrop,pid,private,public,saved,trace}}
  touch "$dir/etc/dynamicmaps.cf" log
  [ ! -e policy ] || install -m 644 policy "$dir"
  chmod 666 log
  chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR" # log is there
  cat >"$dir/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/log
maillog_file_prefixes = $dir
daemon_directory = /usr/lib/postfix/sbin
command_directory = $root/build/packages/postfix/usr/sbin
shlib_directory = /usr/lib/postfix
import_environment = MAIL_CONFIG POSTLOG_SERVICE POSTLOG_HOSTNAME LD_PRELOAD STARTTLS_RUN STARTTLS_POLICY STARTTLS_LOG ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
inet_interfaces = ::1
inet_protocols = all
myhostname = old.example
mydestination =
alias_maps =
relayhost = [$1]:$2
smtp_host_lookup = native
smtp_tls_security_level = none
END
  cat >"$dir/etc/master.cf" <<'END'
pickup  unix        n  -  n  60     1  pickup
cleanup unix        n  -  n  -      0  cleanup
qmgr    unix        n  -  n  300    1  qmgr
rewrite unix        -  -  n  -      -  trivial-rewrite
bounce  unix        -  -  n  -      0  bounce
defer   unix        -  -  n  -      0  bounce
smtp    unix        -  -  n  -      -  smtp
postlog unix-dgram  n  -  n  -      1  postlogd
END
  chown -R postfix "$dir/queue" "$dir/data"
  chown root "$dir/queue" "$dir/queue/pid"
  chgrp postdrop "$dir/queue/public" "$dir/queue/maildrop"
  : >"$dir/log"
  (cd "$dir" && MAIL_CONFIG=$dir/etc "$root/build/packages/postfix/usr/sbin/sendmail" -C "$dir/etc" -i -f sender@example.org joe@mail.test) <"$3"
  coproc relay { cd "$dir" && MAIL_CONFIG=$dir/etc exec "${launch[@]}" /usr/lib/postfix/sbin/master -c "$dir/etc" -d >out 2>&1 3>&-; }
  exec {said}< <(exec tail -s 0.1 -f -n +1 "$dir/log" 3>&-)
  tail_PID=$!
  while [ -z "$code" ] && read -t 30 -r line <&"$said"; do
    case $line in
    *status=sent*) code=0 ;;
    *status=deferred*) code=75 ;;
    *status=bounced*) code=69 ;;
    *) continue ;;
    esac
    echo "$line"
  done
  kill "$tail_PID" "$relay_PID"
  exec {said}<&-
  wait "$relay_PID" || true
  return "${code:-1}"
}

# A shell: the connection is the descriptor of each of its children in turn, and its own in between.
send_with_bash() {
  "${launch[@]}" bash -c '
    answer() {
      local line
      while IFS= read -r -u 3 line; do
        case $line in
        4*) echo "$line" && exit 75 ;;
        5*) echo "$line" && exit 69 ;;
        ???-*) ;;
        *) return ;;
        esac
      done
      exit 76
    }
    exec 3<>"/dev/tcp/$0/$1"
    answer
    for command in "EHLO old.example" "MAIL FROM:<sender@example.org>" "RCPT TO:<joe@mail.test>" DATA; do
      printf "%s\r\n" "$command" >&3
      answer
    done
    sed "s/^\./../; s/\$/\r/" "$2" >&3
    printf ".\r\n" >&3
    answer
    printf "QUIT\r\n" >&3
    answer' "$@"
}

# libuv
send_with_node() {
  "${launch[@]}" node -e '
    const [host, port, path] = process.argv.slice(1);
    const mail = require("fs").readFileSync(path, "latin1").replace(/^\./gm, "..").replace(/\n/g, "\r\n") + ".\r\n";
    const words = ["EHLO old.example\r\n", "MAIL FROM:<sender@example.org>\r\n", "RCPT TO:<joe@mail.test>\r\n", "DATA\r\n", mail, "QUIT\r\n"];
    const server = require("net").connect(port, host);
    let heard = "", last = "";
    server.setEncoding("latin1").on("error", error => { console.log(error.message); process.exit(75); });
    server.on("data", text => {
      for (heard += text; heard.includes("\n"); heard = heard.slice(heard.indexOf("\n") + 1)) {
        last = heard.slice(0, heard.indexOf("\n"));
        if (last[3] === "-") continue;
        if (last[0] > "3") { console.log(last); process.exit(last[0] === "4" ? 75 : 69); }
        if (words.length) server.write(words.shift(), "latin1");
      }
    });
    server.on("end", () => process.exit(last.startsWith("221") ? 0 : 76));' "$@"
}
