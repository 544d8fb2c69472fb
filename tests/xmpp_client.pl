#!/usr/bin/perl
# SPDX-License-Identifier: MIT
# xmpp_client.pl HOST PORT DOMAIN [TEXT [TO]]: log in as joe@DOMAIN without TLS of our own (Net::XMPP), send TEXT to ourselves or to TO, print
# what comes; without TEXT, only that.
# Exit 1 when there is no login, with what the server said.
use strict;
use warnings;
use Net::XMPP;

my ($host, $port, $domain, $text, $to) = @ARGV;
my $client = Net::XMPP::Client->new;
my $got;
$client->SetCallBacks(message => sub { $got = $_[1]->GetType eq 'error' ? 'an error' : $_[1]->GetBody });
my $status = $client->Connect(hostname => $host, port => $port, componentname => $domain, tls => 0, connectiontype => 'tcpip', timeout => 15);
unless ($status) {
	my $error = $client->GetErrorCode;
	print "no stream: ", (ref $error ? "$error->{type}: $error->{text}" : $error || ''), "\n";
	exit 1;
}
my @login = $client->AuthSend(username => 'joe', password => 'secret', resource => 'test');
if (($login[0] || '') ne 'ok') {
	print "no login: @login\n";
	exit 1;
}
$client->PresenceSend;
$client->MessageSend(to => $to // "joe\@$domain/test", body => $text) if defined $text;
for (1 .. 20) {
	last if defined $got || !defined $client->Process(1);
}
$client->Disconnect;
print defined $got ? "got: $got\n" : "nothing came back\n";
exit !defined $got;
