# rediss://: marks go to a Redis that was verified, or nowhere.  Where the
# hiredis of the build has no SSL, the configuration is refused.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::CA;
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sentinel;
use Chorus::Sign qw(request);
use Chorus::Storage;

# seconds of a request that waits for nobody: Redis itself is given 5
my $FAST = 4.5;
my $HAS_TLS = read_file($ENV{CHORUS_MODULE} // '') =~ /redisInitiateSSL/;

my $ca = Chorus::CA->new('redis');
my $stranger = Chorus::CA->new('stranger');
my $good = $ca->issue('good', dns => ['localhost'], ip => ['127.0.0.1']);
my $nginx;
my $logs = '';
my $https = free_port();

Chorus::Storage->start('main');


# What nginx says of that "redis".
sub refusal {
    my (%redis) = @_;

    write_file("$Folder/chorus.json", chorus_json(redis => \%redis), 0600);
    return Chorus::Nginx->check;
}


# A new nginx for that "redis"; it is a TLS server itself, so that both uses
# of OpenSSL meet in one process.
sub start_nginx {
    my (%redis) = @_;

    stop_nginx();
    write_file("$Folder/chorus.json", chorus_json(redis => \%redis), 0600);
    $nginx = Chorus::Nginx->start(log => 'info', config => server_config()
        . "listen 127.0.0.1:$https ssl; ssl_certificate $good->{cert};"
        . "ssl_certificate_key $good->{key};");
}


sub stop_nginx {
    return unless $nginx;

    $nginx->stop('TERM');
    $logs .= $nginx->log;
    undef $nginx;
}


sub tls_redis {
    my ($pair, $auth_clients, %options) = @_;

    my $port = free_port();
    my $redis = Chorus::Redis->start(%options, args => ['--tls-port', $port,
        '--tls-cert-file', $pair->{cert}, '--tls-key-file', $pair->{key},
        '--tls-ca-cert-file', $ca->{cert},
        '--tls-auth-clients', $auth_clients // 'no',
        @{ $options{args} || [] }]);
    $redis->{tls_port} = $port;
    return $redis;
}


sub tls_url {
    my ($redis, $host) = @_;

    return 'rediss://' . ($host // 'localhost') . ":$redis->{tls_port}/0";
}


# Writes keys; each of them must pass at once.
sub passes {
    my ($name, @keys) = @_;

    my ($good, $slowest) = (0, 0);
    for my $key (@keys) {
        my $reply = $nginx->exchange(request(PUT => "/bkt/$key",
            body => 'hello'));
        $slowest = $reply->{seconds} if $reply->{seconds} > $slowest;
        $good++ if $reply->{status} == 200;
    }

    is($good, scalar @keys, "$name: writes pass");
    ok($slowest < $FAST, "$name: without waiting") or diag($slowest);
}


sub missing {
    my ($redis, @keys) = @_;

    my %there = map { $_ => 1 } eval { $redis->marks_now };
    return grep { !$there{"alice:bkt:follower $_ 7"} } @keys;
}


sub arrives {
    my ($name, $redis, @keys) = @_;

    wait_for { !missing($redis, @keys) } 15;
    is_deeply([missing($redis, @keys)], [], "$name: the marks arrive");
}


sub logs_soon {
    my ($name, $pattern, $seconds) = @_;

    ok(wait_for(sub { $nginx->log =~ $pattern }, $seconds // 10),
        "$name: it is logged") or diag($nginx->log);
}


# Nothing but the handshake may have come.
sub refuses {
    my ($name, $redis, $pattern, %settings) = @_;

    $redis->call('CONFIG', 'RESETSTAT');
    start_nginx(%settings);
    passes($name, 'secret-key');
    logs_soon($name, qr/\[error\].*Redis: .*$pattern/);
    is($redis->call('INFO', 'commandstats')
        =~ s/^(?:#.*|cmdstat_(?:config|info|ping).*)\r?\n?//mgr, '',
        "$name: Redis was sent nothing");
}


sub names {
    my ($name, $n) = @_;

    return map { "$name-$_" } 1 .. $n;
}


# Answers each connection with those bytes, whatever it says.
sub odd_server {
    my ($bytes) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => free_port(), Listen => 16, ReuseAddr => 1) or die;
    my $pid = fork // die;
    return ($listen->sockport, $pid) if $pid;

    my @kept;
    while (my $client = $listen->accept) {
        syswrite $client, $bytes;
        push @kept, $client;
    }
    POSIX::_exit(0);
}


# ---- what every build refuses ----

like(refusal(url => 'redis://h', ca_file => $ca->{cert}),
    qr/redis\.ca_file: needs a rediss:/, 'an authority without TLS');
like(refusal(url => 'redis://h', tls_name => 'h'),
    qr/redis\.tls_name: needs a rediss:/, 'a name without TLS');


# ---- a build without ----

if (!$HAS_TLS) {
    for my $url ('rediss://localhost:6379', 'rediss+sentinel://a,b/service') {
        my $text = refusal(url => $url, ca_file => $ca->{cert});
        like($text, qr/redis\.url: this build cannot speak TLS to Redis/,
            "$url is refused");
        like($text, qr/hiredis \d+\.\d+\.\d+ has no SSL; build with hiredis 1/,
            "$url: with the reason and what to do");
    }
    unlike(refusal(url => 'redis://127.0.0.1:1'), qr/TLS/,
        'redis:// is as it was');
    done_testing();
    exit;
}


# ---- files ----

{
    my %url = (url => 'rediss://127.0.0.1:1');
    my $other = $ca->issue('other', dns => ['h']);

    write_file("$Folder/garbage.pem", "garbage\n");
    write_file("$Folder/open.key", read_file($good->{key}), 0644);

    is(refusal(%url), '', 'the system vouches');
    is(refusal(%url, ca_file => 'redis-ca.pem'), '',
        'an authority, by a name relative to chorus.json');
    is(refusal(%url, cert_file => $good->{cert}, key_file => $good->{key}),
        '', 'a certificate of our own');
    like(refusal(%url, ca_file => 'missing.pem'),
        qr/redis\.ca_file: .*missing\.pem: No such file/, 'no such authority');
    like(refusal(%url, ca_file => 'garbage.pem'),
        qr/redis\.ca_file: .*garbage\.pem: /, 'an authority that is none');
    like(refusal(%url, cert_file => $good->{cert}),
        qr/redis: "cert_file" and "key_file" need each other/, 'no key');
    like(refusal(%url, cert_file => 'garbage.pem', key_file => $good->{key}),
        qr/redis\.cert_file: .*garbage\.pem: /, 'a certificate that is none');
    like(refusal(%url, cert_file => $good->{cert}, key_file => $other->{key}),
        qr/redis\.key_file: .*mismatch/, 'the key of another');
    like(refusal(%url, cert_file => $good->{cert}, key_file => 'open.key'),
        qr/redis\.key_file: everyone may read .*chmod o-rwx/,
        'a key that everyone may read');
}


# ---- a Redis that is the right one ----

{
    my $redis = tls_redis($good);
    my %ca = (ca_file => $ca->{cert});

    start_nginx(url => tls_url($redis), %ca);
    passes('by name', names('name', 100));
    arrives('by name', $redis, names('name', 100));
    like(join("\n", $redis->connections), qr/:$redis->{tls_port} /,
        'by name: at the port of TLS');

    start_nginx(url => tls_url($redis, '127.0.0.1'), %ca);
    passes('by address', 'address');
    arrives('by address', $redis, 'address');

    passes('before it is killed', 'before');
    $redis->end;
    passes('it is away', names('away', 20));
    logs_soon('it is away', qr/connection lost: (?:Server closed|Connection reset)/);
    $redis->begin;
    arrives('it is back', $redis, names('away', 20));

    for my $n (1 .. 20) {
        $redis->call(qw(CLIENT KILL TYPE normal SKIPME yes));
        sleep 0.02;
    }
    passes('cut off many times', 'cut');
    arrives('cut off many times', $redis, 'cut');

    ok($nginx->reload, 'a reload: the old process goes');
    passes('a reload', 'reload');
    arrives('a reload', $redis, 'reload');

    # the other user of OpenSSL in this process
    my $curl = "curl -s -o $Folder/out -w '%{http_code}' --cacert $ca->{cert}"
        . " https://localhost:$https/bkt/k";
    is(join(' ', map { `$curl` } 1 .. 5), '403 403 403 403 403',
        'and clients are served by TLS');

    # longer than a record of TLS
    kill 'STOP', $redis->{pid};
    my @many = map { 'long-' . ('x' x 800) . "-$_" } 1 .. 100;
    passes('a Redis that hangs', @many);
    kill 'CONT', $redis->{pid};
    arrives('a Redis that hangs', $redis, @many);
    $redis->end;
}


# ---- one that is not ----

for (
    ['another authority', $stranger->issue('s', dns => ['localhost']), {},
     qr/certificate not trusted: unable to get local issuer/],
    ['signed by itself', Chorus::CA->self_signed('self', 'localhost'), {},
     qr/certificate not trusted: self-signed certificate/],
    ['another host', $ca->issue('h', dns => ['other.test']), {},
     qr/certificate not trusted: hostname mismatch/],
    ['another address', $ca->issue('i', dns => ['localhost'],
        ip => ['127.0.0.2']), { host => '127.0.0.1' },
     qr/certificate not trusted: IP address mismatch/],
    ['a partial wildcard', $ca->issue('w', dns => ['l*t.example.test']),
     { tls_name => 'localhost.example.test' },
     qr/certificate not trusted: hostname mismatch/],
    ['expired', $ca->issue('e', dns => ['localhost'], days => -1), {},
     qr/certificate not trusted: certificate has expired/],
    ['another name is asked for', $good, { tls_name => 'redis.test' },
     qr/certificate not trusted: hostname mismatch/],
    ['the system does not know the authority', $good, { ca_file => undef },
     qr/certificate not trusted: self-signed certificate in/],
) {
    my ($name, $pair, $settings, $pattern) = @$_;
    my %settings = (ca_file => $ca->{cert}, %$settings);
    my $host = delete $settings{host};
    delete $settings{ca_file} unless defined $settings{ca_file};

    my $redis = tls_redis($pair);
    refuses($name, $redis, $pattern, url => tls_url($redis, $host),
        %settings);
    $redis->end;
}

{
    my $pair = $ca->issue('n', dns => ['redis.test']);
    my $redis = tls_redis($pair);

    start_nginx(url => tls_url($redis, '127.0.0.1'), tls_name => 'redis.test',
        ca_file => $ca->{cert});
    passes('the name that is asked for', 'k');
    arrives('the name that is asked for', $redis, 'k');
    $redis->end;
}


# ---- a certificate of our own ----

{
    my $redis = tls_redis($good, 'yes');
    my %settings = (url => tls_url($redis), ca_file => $ca->{cert});

    refuses('Redis asks for a certificate', $redis,
        qr/certificate required/, %settings);

    my $own = $ca->issue('own', client => 1);
    start_nginx(%settings, cert_file => $own->{cert},
        key_file => $own->{key});
    passes('and is shown one', 'k');
    arrives('and is shown one', $redis, 'k');
    $redis->end;
}


# ---- no TLS there ----

{
    my $redis = Chorus::Redis->start(port => free_port());

    start_nginx(url => "rediss://localhost:$redis->{port}",
        ca_file => $ca->{cert});
    passes('a Redis without TLS', names('plain', 20));
    logs_soon('a Redis without TLS',
        qr/\[error\].*Redis: .*(?:does that port|that port does not) speak TLS/,
        15);
    is_deeply([$redis->marks_now], [], 'a Redis without TLS: has no mark');
    $redis->end;

    for (['text', "-ERR unknown\r\n", qr/that port does not speak TLS/],
         ['silence', '', qr/no TLS handshake: .*timed out; does that port/],
    ) {
        my ($name, $bytes, $pattern) = @$_;

        my ($port, $pid) = odd_server($bytes);
        start_nginx(url => "rediss://localhost:$port",
            ca_file => $ca->{cert});
        passes("a server of $name", names('odd', 20));
        logs_soon("a server of $name", qr/\[error\].*Redis: .*$pattern/, 15);
        kill 'KILL', $pid;
        local $?;
        waitpid $pid, 0;
    }

    start_nginx(url => 'rediss://localhost:' . free_port(),
        ca_file => $ca->{cert});
    passes('nobody there', 'k');
    logs_soon('nobody there', qr/\[error\].*connect: Connection refused/);
}


# ---- sentinels ----

{
    my $redis = tls_redis($good, 'no', port => free_port());
    my $port = free_port();

    # it watches, and names, the port of TLS
    my $sentinel = Chorus::Sentinel->start(port => 0,
        master => $redis->{tls_port}, args => ['--tls-port', $port,
        '--tls-cert-file', $good->{cert}, '--tls-key-file', $good->{key},
        '--tls-ca-cert-file', $ca->{cert}, '--tls-auth-clients', 'no',
        '--tls-replication', 'yes']);
    my $url = "rediss+sentinel://localhost:$port/chorus";

    start_nginx(url => $url, ca_file => $ca->{cert});
    passes('a sentinel', 'k');
    arrives('a sentinel', $redis, 'k');

    start_nginx(url => $url, ca_file => $stranger->{cert});
    passes('a sentinel of another authority', 'other');
    logs_soon('a sentinel of another authority',
        qr/\[error\].*certificate not trusted: /);
    is_deeply([missing($redis, 'other')], ['other'],
        'a sentinel of another authority: is not believed');

    # the name is of Redis; sentinels have their own
    start_nginx(url => $url, ca_file => $ca->{cert},
        tls_name => 'redis.test');
    passes('a master of another name', 'name');
    logs_soon('a master of another name',
        qr/\[error\].*certificate not trusted: hostname mismatch/);
    is_deeply([missing($redis, 'name')], ['name'],
        'a master of another name: is not used');
    $_->end for $redis, $sentinel;
}


stop_nginx();
unlike($logs, qr/stale global SSL error/, 'no error of OpenSSL is left over');
unlike($logs, qr/\[(?:crit|emerg)\]|exited on signal|Sanitizer/,
    'no process has died, and none of it is worse than an error');

done_testing();
