# The control API as strangers meet it: wrong tokens, odd names, long headers,
# other listeners; and where it warns or does not start.

use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

BEGIN { push @INC, 't/lib' }
use Chorus::CA;
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Storage;

my $TOKEN = '0123456789-the-token';
my $FRESH = '0123456789-never-used-here';
my $READER = '0123456789-the-reader';
my $redis = Chorus::Redis->start;
my $cert = Chorus::CA->new('api')->issue('api', dns => ['localhost']);
my $tls_port = free_port();

write_file("$Folder/api.token",
    "$TOKEN\nadmin fresh $FRESH\nread reader $READER\n", 0600);
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    api => { token_file => 'api.token' }), 0600);
Chorus::Storage->start('main');


# ---- what nginx -t says

sub server {
    my ($listen) = @_;

    return http_config() . "\nserver { $listen location / { chorus_api; } }";
}

my $public = 'listens on "[^"]*:1" without TLS: tokens can be read';
for (
    ['all addresses', 'listen 0.0.0.0:1;', $public],
    ['all of IPv6', 'listen [::]:1;', $public],
    ['an address of a network', 'listen 192.0.2.1:1;', $public],
    ['loopback', 'listen 127.0.0.2:1;', undef],
    ['loopback of IPv6', 'listen [::1]:1;', undef],
    ['a unix socket', "listen unix:$Folder/t.sock;", undef],
    ['TLS', "listen 0.0.0.0:1 ssl; ssl_certificate $cert->{cert};"
        . " ssl_certificate_key $cert->{key};", undef],
) {
    my ($name, $listen, $words) = @$_;

    my $said = Chorus::Nginx->check(http => server($listen),
        config => server_config(proxy_location('/')));
    # an address of nobody can only be told to be one; -t binds
    $said =~ s/^.*bind\(\) to .*\n//mg;
    if ($words) {
        like($said, qr/warn.*$words/, "$name: a warning");
    } else {
        unlike($said, qr/without TLS/, "$name: no warning");
    }
}

write_file("$Folder/none.json", chorus_json(redis => { url => $redis->url }),
    0600);
(my $without = server('listen 0.0.0.0:1;')) =~ s/chorus\.json/none.json/;
like(Chorus::Nginx->check(http => $without,
    config => server_config(proxy_location('/'))),
    qr/emerg.*"chorus_api" needs a token: add "api"/,
    'a public address without a token file: nginx does not start');


# ---- requests

my $nginx = Chorus::Nginx->start(processes => 2, http => http_config()
    . "\nserver { listen unix:$Folder/api.sock;"
    . ' location /api/ { chorus_api; } }'
    . "\nserver { listen 127.0.0.1:$tls_port ssl;"
    . " ssl_certificate $cert->{cert}; ssl_certificate_key $cert->{key};"
    . ' location /api/ { chorus_api; } }',
    config => server_config(proxy_location('/'),
        'location /api/ { chorus_api; client_body_timeout 500ms; }'));
wait_for { $nginx->log =~ /Redis is ready.*Redis is ready/s }
    or die $nginx->log;


sub bytes {
    my ($method, $target, $token, $body, @headers) = @_;

    push @headers, "Authorization: Bearer $token" if defined $token;
    push @headers, 'Content-Length: ' . length $body if defined $body;
    return join("\r\n", "$method $target HTTP/1.1", 'Host: localhost',
        'Connection: close', @headers, '', '') . ($body // '');
}

sub ask {
    my $reply = $nginx->exchange(bytes(@_));

    $reply->{json} = eval { JSON::PP->new->decode($reply->{body}) };
    return $reply;
}

is(ask('GET', '/api/v1/users')->{headers}{'www-authenticate'}, 'Bearer',
    'without a token it says what is wanted');
my $listed = ask('GET', '/api/v1/users', $TOKEN);
is($listed->{status}, 200, 'over TCP');
unlike($listed->{body}, qr/secret/i, 'without secrets');

my $unix = IO::Socket::UNIX->new(Peer => "$Folder/api.sock") or die $!;
print $unix bytes('GET', '/api/v1/users', $TOKEN);
like(do { local $/; <$unix> }, qr{^HTTP/1.1 200 .*"users"}s,
    'over a unix socket');

open my $pipe, '-|', 'curl', '-sk', '-m', '60', '-H',
    "Authorization: Bearer $TOKEN", "https://127.0.0.1:$tls_port/api/v1/users"
    or die $!;
is(do { local $/; <$pipe> }, $listed->{body}, 'over TLS');

my $origin = ask('OPTIONS', '/api/v1/users', $TOKEN, undef,
    'Origin: http://evil.example', 'Access-Control-Request-Method: PUT');
is($origin->{status}, 405, 'no preflight');
is(scalar(grep { /access-control/i } %{ $origin->{headers} }), 0, 'no CORS');

is($nginx->exchange(bytes('GET', '/api/v1/users', $TOKEN, undef,
    'X: ' . 'x' x 300000))->{status}, 400, 'a header has its bounds');
my $long = $nginx->exchange(bytes('GET', '/api/v1/users?x=' . 'x' x 300000,
    $TOKEN))->{status};
ok($long == 414 || $long == 400, "and so has a query: $long");


# ---- a client that is slow

my $slow = IO::Socket::INET->new(
    PeerAddr => "127.0.0.1:$Chorus::Nginx::Port") or die $!;
print $slow "PUT /api/v1/blocks/slow HTTP/1.1\r\nHost: localhost\r\n"
    . "Authorization: Bearer $TOKEN\r\nContent-Length: 60\r\n\r\n{";
is(ask('GET', '/api/v1/users', $TOKEN)->{status}, 200,
    'nobody waits for a body that does not come');
local $SIG{ALRM} = sub { die "the connection stays\n" };
alarm 60;
unlike(do { local $/; <$slow> } // '', qr/ 20\d /, 'and it ends');
alarm 0;
is(ask('GET', '/api/v1/blocks/slow', $TOKEN)->{status}, 404,
    'without having done anything');


# ---- names that would be something else

for my $bad ('"', "'", '%0D%0AX-Evil:%201', '*', '%2A', '{R}', '%7B%7D',
    '..%2F..', '%E2%80%AE', ';', '$(id)', 'x%09y')
{
    for (["/api/v1/replications/$bad", [400, 404]],
        ["/api/v1/scans/$bad", [400, 404]],
        ["/api/v1/scans/a%3A$bad%3Ac", [400, 404]],
        ["/api/v1/explain?user=u&bucket=$bad", [400]],
        ["/api/v1/explain?bucket=b&user=$bad", [400]],
        ["/api/v1/buckets?user=$bad", [400, 404]],
        ["/api/v1/buckets?user=alice&storage=$bad", [404]],
        ["/api/v1/failed?replication=$bad", [400]],
        ["/api/v1/audit?kind=$bad", [200, 400]],
        ["/api/v1/status?$bad=1", [400]])
    {
        my ($path, $expected) = @$_;
        my $reply = ask('GET', $path, $TOKEN);
        ok($reply->{json} && !exists $reply->{headers}{'X-Evil'}
            && scalar(grep { $reply->{status} == $_ } @$expected),
            "$path: $reply->{status}");
    }
}
for my $query ('count=-1', 'count=0', 'count=1e3', 'count=+5', 'count=',
    'count', 'offset=' . '9' x 30, 'count=1001', 'count=%31', 'bucket=%zz',
    'bucket=%FF', 'user=', 'user=a&user=b', 'state=stopped')
{
    my $reply = ask('GET', "/api/v1/replications?$query", $TOKEN);
    is_deeply([$reply->{status}, $reply->{json}{error}{field}],
        [400, $query =~ /^(\w+)/], "$query is refused");
}
is(ask('GET', '/api/v1/replications?count=1&offset=0&user=u', $TOKEN)
    ->{status}, 200, 'good ones are not');
is($nginx->exchange(bytes('GET', '/api/v1/limits/%00', $TOKEN))->{status},
    400, 'a NUL in a path is nginx\'s to refuse');
is(ask('GET', '/api/v1/explain?user=alice&bucket=b&key=a%00b', $TOKEN)
    ->{json}{error}{field}, 'key', 'a NUL in a key');
is(ask('PUT', '/api/v1/blocks/x', $TOKEN,
    '{"user":"*","bucket":"b","colour":1}')->{status}, 400,
    'unknown fields are refused');
is(ask('POST', '/api/v1/replications', $TOKEN,
    '{"user":"alice","bucket":"b","to":"nowhere"}')->{json}{error}{field}, 'to',
    'the field of a rule that is wrong');
my @twice = map { ask('POST', '/api/v1/replications', $TOKEN, $_) }
    '{"user":"alice","bucket":"b","to":"archive"}',
    '{"to":["archive"],"bucket":"b","user":"alice"}';
is_deeply([map { $_->{status} } @twice], [201, 200],
    'a rule in other words is the same');
is($twice[0]{json}{rule}{id}, $twice[1]{json}{rule}{id}, 'by its id, too');
my $posted = ask('POST', '/api/v1/blocks', $TOKEN,
    '{"user":"*","bucket":"b","reason":"a\"}\r\n<x>\u0001"}');
is($posted->{status}, 201, 'odd text in a rule');
is($posted->{json}{rule}{rule}{reason}, "a\"}\r\n<x>\x01", 'is what it was');
is(ask('GET', '/api/v1/audit', $TOKEN)->{json}{entries}[0]{after}{rule}
    {reason}, "a\"}\r\n<x>\x01", 'in the audit log, too');


# ---- wrong tokens

sub failing {
    my ($n) = @_;
    my @sockets = map { IO::Socket::INET->new(PeerAddr =>
        "127.0.0.1:$Chorus::Nginx::Port") or die $! } 1 .. $n;
    print $_ bytes('GET', '/api/v1/users', 'wrong' x 5) for @sockets;
    return @sockets;
}

sub status_of {
    my ($status) = (readline($_[0]) // '') =~ m{^HTTP/1.1 (\d+)};
    return $status // 'closed';
}

is(ask('GET', '/api/v1/users', $READER)->{status}, 200, 'a reader comes by');
my $began = time;
my @first = map { status_of($_) } failing(10);
is_deeply(\@first, [(401) x 10], 'ten failures');

my @wait = failing(1);
is(status_of(@wait), 401, 'the next one waits');
@wait = failing(200);
$began = time;
is(ask('GET', '/api/v1/users', $TOKEN)->{status}, 200,
    'a good token is at once served, meanwhile');
is(ask('GET', '/api/v1/users', $READER)->{status}, 200, 'and another');
cmp_ok(time - $began, '<', 10, 'nothing of nginx waits');
my %seen;
$seen{status_of($_)}++ for @wait;
is_deeply([sort keys %seen], [401, 429], 'of 200 some are not looked at');
cmp_ok($seen{401}, '<=', 200 - 1, "$seen{401} were");

# one that nobody has used here cannot be told from a wrong one, until there
# is room: soon
my $is_in = wait_for { ask('GET', '/api/v1/users', $FRESH)->{status} == 200 }
    20;
ok($is_in, 'a good token gets in, a moment later');

my $all = $nginx->log . $nginx->access_log;
is(scalar(() = $all =~ /\Q$TOKEN\E|\Q$FRESH\E|\Q$READER\E/g), 0,
    'no token in a log');

write_file("$Folder/api.token", "$TOKEN\nadmin new 0123456789-the-new-one\n",
    0600);
ok($nginx->reload, 'a reload');
ok(wait_for { ask('GET', '/api/v1/users', $READER)->{status} != 200 },
    'drops a token');
ok(wait_for { ask('GET', '/api/v1/users', '0123456789-the-new-one')->{status}
    == 200 }, 'adds one');
is(ask('GET', '/api/v1/users', $TOKEN)->{status}, 200, 'keeps the rest');

done_testing();
