# SPDX-License-Identifier: MIT
# A real ejabberd in the private machine of tests/private, on port 5222: it serves other.test and mail.test with the certificate given and
# lets nobody in but with TLS. There is one user, joe, with the password "secret"; he says it as it is (PLAIN), because the answers of
# Net::XMPP to challenges are not those that ejabberd accepts. It is a single Erlang node without a name, so there is no epmd.
# shellcheck shell=bash

# ejabberd_start DIR CERTIFICATE
ejabberd_start() {
  local dir=$1
  mkdir -p "$dir"
  cat >"$dir/ejabberd.yml" <<END
hosts: [other.test, mail.test]
certfiles: ["$2"]
listen:
  - port: 5222
    ip: 127.0.0.1
    module: ejabberd_c2s
    starttls: true
    starttls_required: true
auth_method: [internal]
disable_sasl_mechanisms: [digest-md5, scram-sha-1, x-oauth2]
modules:
  mod_roster: {}
END
  HOME=$dir ERL_LIBS=/usr/lib/x86_64-linux-gnu EJABBERD_CONFIG_PATH=$dir/ejabberd.yml EJABBERD_LOG_PATH=$dir/log \
    erl -noinput -mnesia dir "\"$dir/data\"" -s ejabberd \
    -eval 'ok = ejabberd_auth:try_register(<<"joe">>, <<"other.test">>, <<"secret">>), io:format("joe is there~n").' >"$dir/out" 2>&1 3>&- &
  echo $! >"$dir/pid"
  timeout 60 bash -c "until grep -q '^joe is there' '$dir/out'; do kill -0 $! || exit; sleep 0.1; done" || {
    cat "$dir/out"
    return 1
  }
}

# ejabberd_stop DIR
ejabberd_stop() {
  kill "$(cat "$1/pid")"
  wait "$(cat "$1/pid")" || true
}
