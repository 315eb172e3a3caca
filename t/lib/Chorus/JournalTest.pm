package Chorus::JournalTest;

# What the files t/journal-*.t have in common in which Redis or an nginx goes
# away: one of each, and what tests ask of them.

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

our @EXPORT = qw($R $redis $journal $dir $nginx start_nginx stop_nginx put
    arrive kept owed all_owed begin_redis leave_segment);

our $R = 'alice:bkt:follower';
my $BAD = qr/\[(?:alert|emerg)\]|open socket|exited on signal/;

our $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url },
        api => { token_file => 'api.token' }), 0600);
write_file("$Folder/api.token", "0123456789abcdef\n", 0600);

my %config = (config => server_config(proxy_location('/'),
    'location /api/ { chorus_api; }'));
our $journal = Chorus::Journal->new("$Folder/journal");
our $dir = "$Folder/journal";
our $nginx;


sub start_nginx {
    my ($arguments, %options) = @_;

    $nginx->stop('TERM') if $nginx;
    $journal->clean unless delete $options{keeps};
    my $more = delete $options{more} // '';
    $nginx = Chorus::Nginx->start(%config, http => http_config()
        . $journal->directive($arguments) . "chorus_repeat off;$more",
        %options);
    wait_for { !$redis->{pid} || $nginx->log =~ /Redis is ready/ };
}


sub stop_nginx {
    my ($name) = @_;

    ok($nginx->stop('TERM'), "$name: nginx ends");
    # what the tests do themselves
    my $log = $nginx->log =~ s/.*(?:exited\ on\ signal\ 9|are\ waiting;\ changes\ of
        |what\ is\ owed\ would\ be\ lost).*//gxr;
    unlike($log, $BAD, "$name: without worse in its log");
    undef $nginx;
}


sub put {
    my ($key, @words) = @_;

    return $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello',
        @words ? (headers => ['X-Answer' => "@words"]) : ()));
}


sub arrive {
    my ($name, @keys) = @_;

    my %wanted = map { ("$R $_ 7" => 1) } @keys;
    my $missing = sub {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        return grep { !$there{$_} } sort keys %wanted;
    };
    wait_for { !$missing->() } 10;
    is_deeply([$missing->()], [], $name);
}


# Whether what is owed outlives the process, as its status says.
sub kept {
    my $reply = $nginx->exchange("GET /api/v1/status HTTP/1.1\r\nHost: h\r\n"
        . "Authorization: Bearer 0123456789abcdef\r\n"
        . "Connection: close\r\n\r\n");
    return JSON::PP::decode_json($reply->{body})->{proxy}{journal}
        {debts_kept};
}


sub owed { $redis->call('HGET', "chorus:{$R}", 'owed_reason') }
sub all_owed { $redis->call('HGET', 'chorus:owed', 'owed_reason') }


sub begin_redis {
    $redis->begin;
    $redis->call('FLUSHALL');
}


# Of a segment that no process owns any more, with the writes of these keys.
sub leave_segment {
    my (@keys) = @_;

    $redis->end;
    start_nginx('window=1s');
    put($_) for @keys;
    wait_for { grep({ $_ eq 'done' } $journal->types) == @keys };
    kill 'KILL', $nginx->pid, $nginx->workers;
    wait_for { !$nginx->pid };
    undef $nginx;
    my @files = $journal->segments;
    # its owner may be on its way out: the lock goes with the process
    open my $file, '+<', $files[0] or die "$files[0]: $!\n";
    wait_for { flock $file, 6 } or die "$files[0]: $!\n";
    return $files[0];
}

1;
