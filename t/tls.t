# TLS to clients and to storages, with certificates made here.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::CA;
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Sign qw(presign request);
use Chorus::Storage;

my $ca = Chorus::CA->new('known');
my $other_ca = Chorus::CA->new('unknown');
my $front = $ca->issue('front', dns => ['s3.example.com',
    '*.s3.example.com']);
my $port = free_port();
my $tls_log = "$Folder/tls.log";


# ---- storages: [name, host of the endpoint, certificate, status, what,
#      versions of TLS if not both]

my @storages = (
    ['main', 'main.test:8443', $ca->issue('main', dns => ['main.test']),
        200, 'a certificate for the host of the endpoint'],
    ['wildcard', 'eu.store.test',
        $ca->issue('wildcard', dns => ['*.store.test']),
        200, 'a wildcard certificate'],
    ['twelve', 'twelve.test', $ca->issue('twelve', dns => ['twelve.test']),
        200, 'TLS 1.2', 'TLSv1.2'],
    ['twelve-stranger', 'twelve.test',
        $other_ca->issue('twelve-stranger', dns => ['twelve.test']),
        502, 'TLS 1.2 and a certificate of another authority', 'TLSv1.2'],
    ['deep', 'a.b.store.test', $ca->issue('deep', dns => ['*.store.test']),
        502, 'a wildcard for one label only'],
    ['wrong', 'wrong.test', $ca->issue('wrong', dns => ['main.test']),
        502, 'a certificate for another host'],
    ['stranger', 'stranger.test',
        $other_ca->issue('stranger', dns => ['stranger.test']),
        502, 'a certificate of another authority'],
    ['address', '127.0.0.9', $ca->issue('address', ip => ['127.0.0.9']),
        502, 'a certificate for an address: nginx compares names only'],
    ['expired', 'expired.test',
        $ca->issue('expired', dns => ['expired.test'], days => -1),
        502, 'an expired certificate'],
    ['alone', 'alone.test', Chorus::CA->self_signed('alone', 'alone.test'),
        502, 'a certificate that is signed by itself'],
    ['plain', 'plain.test', undef,
        502, 'a storage without TLS at an https endpoint'],
    ['system', 'system.test', $ca->issue('system', dns => ['system.test']),
        502, 'a location with the authorities of the system'],
);

sub storage {
    my ($name, $host) = @_;

    return $name => {
        endpoint => "https://$host", main => $name eq 'main'
            ? JSON::PP::true() : JSON::PP::false(),
        users => { map { $_ => { access_key => uc "$name-$_",
            secret_key => "$name-$_-secret" } } qw(alice bob) },
    };
}

# Terminates TLS before the one storage that they all are.
sub terminator {
    my ($name, $host, $pair, undef, undef, $versions) = @_;

    $versions //= 'TLSv1.2 TLSv1.3';
    my $listen = "listen unix:$Folder/tls-$name.sock";
    $listen .= <<"END" if $pair;
 ssl;
        ssl_certificate $pair->{cert};
        ssl_certificate_key $pair->{key};
        ssl_protocols $versions;
        ssl_session_cache shared:tls_$name:64k
END

    return <<"END";
    upstream $name { server unix:$Folder/tls-$name.sock; }
    server {
        $listen;
        access_log $tls_log tls;
        client_max_body_size 0;
        location / {
            proxy_pass http://unix:$Folder/main.sock:;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
        }
    }
END
}

write_file("$Folder/chorus.json", chorus_json(
    storages => { map { storage(@$_) } @storages }, replications => [],
    routes => [map { { user => '*', bucket => $_->[0],
        storage => $_->[0] } } @storages]), 0600);
Chorus::Storage->start;

my $private_ca = "proxy_ssl_trusted_certificate $ca->{cert};";
my $nginx = Chorus::Nginx->start(
    http => <<"END" . join('', map { terminator(@$_) } @storages),
    chorus_config $Folder/chorus.json;
    chorus_zone chorus 64k;
    log_format tls '\$ssl_server_name \$ssl_protocol \$ssl_session_reused '
                   '\$http_host';
END
    config => <<"END" . server_config(proxy_location('/', $private_ca),
    chorus_domain s3.example.com;
    listen 127.0.0.1:$port ssl http2;
    ssl_certificate $front->{cert};
    ssl_certificate_key $front->{key};
    ssl_protocols TLSv1.2 TLSv1.3;
END
        proxy_location('/system/')));

# what the terminators saw since the last call
my $told = 0;

sub seen {
    my ($count) = @_;

    wait_for { read_file($tls_log) =~ tr/\n// >= $told + $count };
    my @lines = split /\n/, read_file($tls_log);
    my @new = @lines[$told .. $#lines];
    $told = @lines;
    return @new;
}

for (@storages) {
    my ($name, $host, undef, $status, $what, $version) = @$_;

    # again and again: a session that is resumed is judged as well
    my @answers = map { $nginx->exchange(request(PUT => "/$name/k",
        body => "body $_")) } 1 .. 3;
    is(join(' ', map { $_->{status} } @answers), "$status $status $status",
        $what);
    is(join(' ', Chorus::Storage->requests), $status == 200
        ? join ' ', ("main PUT /$name/k") x 3 : '',
        $status == 200 ? 'reaches the storage' : 'keeps the request back');
    next if $status != 200;

    my @seen = seen(3);
    my $sni = $host =~ s/:.*//r;
    is_deeply([map { (split)[0] } @seen], [($sni) x 3],
        'the host is the name that TLS asks for');
    is_deeply([map { (split)[3] } @seen], [($host) x 3],
        'and the one that is signed');
    is(join(' ', (split ' ', $seen[2])[1, 2]),
        ($version // 'TLSv1.3') . ' r', 'the session is resumed');
}

like($nginx->log, qr/upstream SSL certificate does not match "wrong\.test"/,
    'the log names the host that does not match');
like($nginx->log, qr/upstream SSL certificate verify error: \(\d+:[^)]+\)/,
    'and says what is wrong with a certificate');

{
    my $body = join '', map { chr $_ % 251 } 1 .. 3 << 20;
    my $answer = $nginx->exchange(request(PUT => '/main/big', body => $body));

    is($answer->{headers}{'x-body-sha256'}, sha256_hex($body),
        'MiBs to a storage');
    $answer = $nginx->exchange(request(GET => '/main/big',
        headers => ['X-Answer' => 'size:3000000']));
    is(length $answer->{body}, 3000000, 'MiBs from a storage');
    seen(2);
    Chorus::Storage->requests;
}


# ---- clients

# By curl, the request's host by its name: {status, version, body, ...}.
sub by_tls {
    my ($host, $bytes, @options) = @_;

    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $target) = split ' ', $line;

    write_file("$Folder/body", $body);
    my @command = ('curl', '-sS', '-i', '--max-time', 60, '--noproxy', '*',
        '--path-as-is', '--cacert', $ca->{cert},
        '--resolve', "$host:$port:127.0.0.1", '-X', $method,
        (map { ('-H', $_) } grep { !/^(?:Connection|Host|Content-Length):/ }
            @headers), '-H', 'Expect:',
        ($method eq 'HEAD' ? '-I' : ()),
        (length $body ? ('--data-binary', "\@$Folder/body",
            '-H', 'Content-Type:') : ()),
        '-w', '\n%{http_version} %{num_connects}\n',
        @options, "https://$host:$port$target");

    open my $curl, '-|', @command or die "curl: $!\n";
    binmode $curl;
    my $text = do { local $/; <$curl> } // '';
    close $curl;

    my ($version, $connects) = $text =~ s/\n(\S+) (\d+)\n\z// ? ($1, $2)
        : ();
    my ($status) = $text =~ m{^HTTP/\S+ (\d+)};
    return { status => $status // 0, version => $version, text => $text,
        connects => $connects, exit => $? >> 8,
        body => $text =~ s/^.*?\r\n\r\n//sr };
}

my $host = 's3.example.com';
my @from = (host => "$host:$port");
my $megabytes = 'x' x (3 << 20);

for (['HTTP/1.1', '1.1', '--http1.1'], ['HTTP/2', '2', '--http2']) {
    my ($name, $version, @options) = @$_;

    my $answer = by_tls($host, request(PUT => '/main/k', @from,
        body => $megabytes), @options);
    is("$answer->{status} $answer->{version}", "200 $version",
        "$name by TLS: an upload of MiBs");
    like($answer->{text}, qr/^x-body-sha256: ${\ sha256_hex($megabytes)}\r/mi,
        'reaches the storage as it is');

    $answer = by_tls($host, request(GET => '/main/k', @from,
        headers => ['X-Answer' => 'size:3000000']), @options);
    is("$answer->{status} " . length $answer->{body}, '200 3000000',
        'a download of MiBs');

    $answer = by_tls($host, request(HEAD => '/main/k?versionId=1', @from),
        @options);
    is($answer->{status}, 200, 'a HEAD');

    $answer = by_tls($host, presign(GET => '/main/a%20b', @from), @options);
    is($answer->{status}, 200, 'a presigned URL') or diag($answer->{text});

    $answer = by_tls($host, request(GET => '/main/k', @from,
        secret => 'wrong'), @options);
    like($answer->{text}, qr{^HTTP/\S+ 403.*<Code>SignatureDoesNotMatch<}s,
        'a wrong signature is refused');
}

Chorus::Storage->requests;

# one label before the domain is what the wildcard stands for
for (['main', '/a%20b'], ['main', '/k?versionId=1'], ['wrong', '/k']) {
    my ($bucket, $target) = @$_;

    my $answer = by_tls("$bucket.$host", request(PUT => $target,
        host => "$bucket.$host:$port", body => 'x'));
    is($answer->{status}, $bucket eq 'main' ? 200 : 502,
        "virtual-host style, $bucket$target");
    is(join(' ', Chorus::Storage->requests), $bucket eq 'main'
        ? "main PUT /$bucket$target" : '', 'as the storage sees it');
}

my $deep = by_tls("a.main.$host", request(GET => '/k',
    host => "a.main.$host:$port"), '--no-show-error');
is($deep->{exit}, 60, 'the wildcard is not for a bucket with a dot');

for (['1.2', '--tls-max', '1.2'], ['1.3', '--tlsv1.3']) {
    my ($version, @options) = @$_;

    is(by_tls($host, request(GET => '/main/k', @from), @options)->{status},
        200, "TLS $version");
}

my $old = by_tls($host, request(GET => '/main/k', @from), '--tlsv1.1',
    '--tls-max', '1.1', '--ciphers', 'DEFAULT:@SECLEVEL=0',
    '--no-show-error');
is("$old->{status} $old->{exit}", '0 35', 'TLS 1.1 is refused');
like($nginx->log, qr/unsupported protocol|version too low/, 'by nginx');

{
    my $answer = by_tls($host, request(GET => '/main/k', @from),
        '--http1.1', "https://$host:$port/main/k");

    is(() = $answer->{text} =~ m{^HTTP/1.1 200}mg, 2,
        'two requests of one client');
    is($answer->{connects}, 0, 'take one connection');
}

{
    is($nginx->exchange(request(GET => '/main/k'))->{status}, 200,
        'HTTP without TLS on the other port');

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port) or die "connect: $!\n";
    print $socket request(GET => '/main/k', @from);
    $socket->flush;
    Chorus::Storage->requests;
    like(do { local $/; scalar <$socket> } // '', qr{^HTTP/1\.1 400 },
        'HTTP without TLS on the port of TLS');
    is_deeply([Chorus::Storage->requests], [], 'goes nowhere');
}

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');
unlike($nginx->log, qr/-secret/, 'or to give away');

done_testing();
