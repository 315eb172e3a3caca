# The dynamic policy: set by the API, followed by every process, above
# locations and chorus.json, on disk for a start without Redis.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $ADMIN = 'admin-0123456789abcdef';
my $READ = 'read-0123456789abcdef';
my $PROCESSES = 2;
my $redis = Chorus::Redis->start;

write_file("$Folder/api.token",
    "# who may\n\n  admin ops $ADMIN\nread  dash\t$READ\n" =~ s/\t/ /r, 0600);
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    api => { token_file => 'api.token' }), 0600);
Chorus::Storage->start;

my $folder = "$Folder/journal";
my @config = (processes => $PROCESSES,
    http => http_config() . "chorus_journal $folder; chorus_repeat off;",
    config => server_config(proxy_location('/'),
        proxy_location('/routed/', 'chorus_route archive;'),
        proxy_location('/forced/', 'chorus_replicate archive;'),
        proxy_location('/off/', 'chorus_replicate off;'),
        'location /api/ { chorus_api; }'));
my $nginx = Chorus::Nginx->start(@config);
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub ask {
    my ($method, $path, $body, %options) = @_;

    my $token = $options{token} // $ADMIN;
    my @length = defined $body ? 'Content-Length: ' . length $body : ();
    my $reply = $nginx->exchange(join "\r\n", "$method $path HTTP/1.1",
        'Host: localhost', 'Connection: close',
        length $token ? "Authorization: Bearer $token" : (), @length,
        @{ $options{headers} // [] }, '', $body // '');
    $reply->{json} = eval { JSON::PP->new->decode($reply->{body}) };
    return $reply;
}


sub api {
    my ($method, $path, $rule, @headers) = @_;

    return ask($method, "/api/v1/$path",
        $rule ? JSON::PP->new->encode($rule) : undef, headers => \@headers);
}


# Seconds until all processes run what is set, or undef.  Readers of an nginx
# that has just ended may still be named, and prove nothing of ours.
sub followed {
    my $begin = time;
    my $all = wait_for {
        my $seen = api(GET => 'readers')->{json} or return;
        my %knows = map { /:(\d+)-/ ? ($1 => 1) : () }
            map { $_->{reader} } @{ $seen->{readers} // [] };
        my @pids = $nginx->workers;
        @pids >= $PROCESSES && $seen->{behind} == 0
            && !grep { !$knows{$_} } @pids;
    } 10;
    return $all ? time - $begin : undef;
}


sub resolve {
    my ($bucket, $user) = @_;

    return api(GET => 'resolve?bucket=' . $bucket . '&user='
        . ($user // 'alice'))->{json};
}


sub storage_of {
    my ($target, $method, @more) = @_;

    my $reply = $nginx->exchange(request($method // 'GET', $target, @more));
    return $reply->{headers}{'x-storage'} // $reply->{status};
}


sub no_rules {
    for my $kind (qw(replications routes blocks pauses)) {
        api(DELETE => "$kind/$_->{id}")
            for @{ api(GET => $kind)->{json}{rules} };
    }
    return followed();
}


# ---- who may, and what is refused ----

my %good = (user => 'alice', bucket => 'new', to => ['follower']);
my $good = JSON::PP->new->encode(\%good);

for (
    ['no token', 401, 'POST', 'replications', $good, token => ''],
    ['a wrong token', 401, 'POST', 'replications', $good,
        token => 'x' x 20],
    ['a name instead of a token', 401, 'GET', 'replications', undef,
        token => 'ops'],
    ['a read token on POST', 403, 'POST', 'replications', $good,
        token => $READ],
    ['a read token on PUT', 403, 'PUT', 'routes/a', $good, token => $READ],
    ['a read token on DELETE', 403, 'DELETE', 'blocks/a', undef,
        token => $READ],
    ['a read token on pause', 403, 'POST', 'replications/a/pause', undef,
        token => $READ],
    ['a read token on GET', 200, 'GET', 'replications', undef,
        token => $READ],
    ['a read token on a limit', 403, 'PUT', 'limits/main',
        '{"requests_per_second": 1}', token => $READ],
    ['a read token on DELETE of a limit', 403, 'DELETE', 'limits/main', undef,
        token => $READ],
    ['a read token on retry', 403, 'POST', 'retry', undef, token => $READ],
    ['a read token on GET of limits', 200, 'GET', 'limits', undef,
        token => $READ],
    ['a read token on GET of what is parked', 200, 'GET', 'failed', undef,
        token => $READ],
    ['no JSON', 400, 'POST', 'replications', 'bucket=new'],
    ['half of it', 400, 'POST', 'replications', '{"user":"alice"'],
    ['a list', 400, 'POST', 'replications', '[]'],
    ['a key twice', 400, 'POST', 'replications',
        '{"user":"alice","user":"bob","bucket":"b","to":"follower"}'],
    ['an unknown field', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b","to":"follower","x":1}'],
    ['an unknown user', 400, 'POST', 'replications',
        '{"user":"eve","bucket":"b","to":"follower"}'],
    ['an unknown follower', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b","to":"nowhere"}'],
    ['main as a follower', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b","to":"main"}'],
    ['a bad pattern', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"~(","to":"follower"}'],
    ['a wildcard', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b*","to":"follower"}'],
    ['many buckets into one', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"*","to":"follower:one"}'],
    ['a bad id', 400, 'POST', 'replications',
        '{"id":"a:b","user":"alice","bucket":"b","to":"follower"}'],
    ['another id than that of the path', 400, 'PUT', 'replications/a',
        '{"id":"b","user":"alice","bucket":"b","to":"follower"}'],
    ['a newline in an id', 400, 'PUT', 'replications/a%0Ab', $good],
    ['a quote in an id', 400, 'PUT', 'replications/a%22b', $good],
    ['a brace in an id', 400, 'PUT', 'replications/%7Bx%7D', $good],
    ['a NUL in a bucket', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b\u0000","to":"follower"}'],
    ['migrate of a route', 400, 'POST', 'routes',
        '{"user":"alice","bucket":"b","storage":"archive","migrate":true}'],
    ['a long reason', 400, 'POST', 'blocks',
        '{"user":"*","bucket":"b","reason":"' . 'x' x 300 . '"}'],
    ['an oversize body', 413, 'POST', 'replications', ' ' x 70000],
    ['a long rule', 400, 'POST', 'replications',
        '{"user":"alice","bucket":"b","to":"follower","filter":{"tags":{'
        . join(',', map { "\"$_\":\"" . 'x' x 1000 . '"' } 0 .. 9) . '}}}'],
    ['a bad If-Match', 400, 'PUT', 'replications/a', $good,
        headers => ['If-Match: x']],
    ["another program's ETag", 412, 'PUT', 'replications/a', $good,
        headers => ['If-Match: "x"']],
    ['a weak one', 412, 'PUT', 'replications/a', $good,
        headers => ['If-Match: W/"17"']],
    ['nothing of that name', 404, 'GET', 'replications/none'],
    ['nothing to delete', 404, 'DELETE', 'replications/none'],
    ['nothing to pause', 404, 'POST', 'replications/none/pause'],
    ['a pause of a route', 404, 'POST', 'routes/a/pause'],
    ['another method', 405, 'PATCH', 'replications'],
    ['resolve without a bucket', 400, 'GET', 'resolve?user=alice'],
) {
    my ($name, $status, $method, $path, $body, @more) = @$_;

    my $reply = ask($method, "/api/v1/$path", $body, @more);
    is($reply->{status}, $status, "$name: $status") or diag($reply->{text});
    ok($reply->{json}, "$name: JSON");
    unlike($reply->{text}, qr/\Q$ADMIN\E|\Q$READ\E/, "$name: no token");
}
is($redis->call('EXISTS', 'chorus:policy'), 0, 'none of these did anything');
is($redis->call('EXISTS', 'chorus:limits'), 0, 'nor a limit');


# ---- create, look, update, delete ----

my $made = api(POST => 'replications', { %good, id => 'one' });
is($made->{status}, 201, 'created');
like($made->{headers}{etag}, qr/^"\d+"$/, 'with an ETag');
my $again = api(POST => 'replications', { %good, id => 'one' });
is($again->{status}, 200, 'created again: nothing happens');
is($again->{headers}{etag}, $made->{headers}{etag}, 'the same ETag');
is(api(POST => 'replications', { %good, id => 'one', to => 'archive' })
    ->{status}, 412, 'another rule of that name is refused');
is(api(PUT => 'replications/one', { %good, to => 'archive' },
    'If-Match: "17"')->{status}, 412, 'so is an update of another version');
my $second = api(PUT => 'replications/one', { %good, to => 'archive' },
    "If-Match: $made->{headers}{etag}");
is($second->{status}, 200, 'of this version it is done');
is(api(DELETE => 'replications/one', undef,
    "If-Match: $made->{headers}{etag}")->{status}, 412,
    'an older version is not deleted');
is(api(GET => 'replications/one')->{headers}{etag},
    $second->{headers}{etag}, 'one rule has its ETag');
is(api(PUT => 'replications/one', \%good, 'If-None-Match: *')->{status}, 412,
    'If-None-Match');
is(api(DELETE => 'replications/one', undef, 'If-Match: *')->{status}, 200,
    'deleted');
my $first = api(POST => 'replications', \%good)->{json}{rule}{id};
is(api(POST => 'replications', \%good)->{json}{rule}{id}, $first,
    'without a name it gets one, and the same one again');
is_deeply([map { "$_->{who} $_->{action}" }
    @{ api(GET => 'audit')->{json}{entries} }],
    ['ops create', 'ops delete', 'ops replace', 'ops create'],
    'all of it is audited');


# ---- precedence, and that it is followed ----

ok(defined no_rules(), 'all processes follow');
is(resolve('bkt')->{replications}[0]{from}, 'file', 'a rule of chorus.json');
is(resolve('routed')->{route}{from}, 'location', 'chorus_route');
is(resolve('forced')->{replications}[0]{from}, 'location',
    'chorus_replicate');
is_deeply(resolve('off')->{replications}, [], 'chorus_replicate off');

api(POST => 'replications', { user => 'alice', bucket => $_, id => "r-$_",
    to => ['follower'] }) for qw(forced off);
api(POST => 'replications', { user => '*', bucket => '~^bkt$', id => 'r-bkt',
    to => ['archive:{bucket}-copy'] });
api(POST => 'routes', { user => '*', bucket => $_, id => "t-$_",
    storage => 'follower' }) for qw(routed logs-1);
my $seconds = followed();
cmp_ok($seconds, '<', 15, 'all processes follow soon');
diag(sprintf 'all processes ran it after %.2f s', $seconds);

is_deeply(resolve($_)->{replications}, [{ follower => 'follower',
    target => $_, from => 'dynamic', id => "r-$_",
    paused => JSON::PP::false }], "$_: the policy stands above")
    for qw(forced off);
is_deeply(resolve('bkt')->{replications}, [{ follower => 'archive',
    target => 'bkt-copy', from => 'dynamic', id => 'r-bkt',
    paused => JSON::PP::false }], 'also above chorus.json');
is_deeply(resolve('routed')->{route}, { storage => 'follower',
    from => 'dynamic', id => 't-routed' }, 'and its routes');

# each process: a request is served by one of them
for (1 .. 6) {
    is(storage_of('/routed/k'), 'follower', 'routed by the policy');
    is(storage_of('/logs-1/k'), 'follower', 'above a route of chorus.json');
    is(storage_of('/logs-2/k'), 'archive', 'which else holds');
}
storage_of("/$_/k", 'PUT', body => '') for qw(bkt forced off two);
is_deeply([$redis->marks(5)], ['alice:bkt:archive:bkt-copy k 7',
    'alice:forced:follower k 7', 'alice:off:follower k 7',
    'alice:two:archive k 7', 'alice:two:follower k 7'],
    'writes are marked as the policy says');

$nginx->exchange(request(PUT => "/$_/k?partNumber=1&uploadId=$_",
    body => 'hello')) for qw(off new);
ok(wait_for(sub { ($redis->call(GET => 'chorus:upload:off') // '') eq '1=5,' },
    10), 'parts are told of what only the policy replicates');
is($redis->call(GET => 'chorus:upload:new'), undef,
    'and not of what nothing replicates');

is_deeply([map { $_->{id} } @{ api(GET => "replications?$_->[0]")
    ->{json}{rules} }], $_->[1], "rules by $_->[0]")
    for ['user=alice', ['r-forced', 'r-off']], ['bucket=~%5Ebkt%24',
        ['r-bkt']], ['bucket=bkt', []], ['count=1', ['r-forced']],
        ['offset=1&count=1', ['r-off']];


# ---- a write that began before ----

{
    my $socket = $nginx->connect;
    print $socket request(PUT => "/late/k", body => "0123456789")
        =~ s/56789\z//r;
    $socket->flush;
    sleep 0.2;
    api(POST => 'replications', { user => 'alice', bucket => 'late',
        id => 'late', to => ['follower'] });
    followed();
    print $socket '56789';
    $socket->flush;
    like(scalar <$socket>, qr/ 200 /, 'it goes on');
    wait_for { scalar grep { /late/ } $redis->marks_now };
    is_deeply([grep { /late/ } $redis->marks_now],
        ['alice:late:follower k 7'],
        'a write that ends under a newer policy is marked for it');
}


# ---- a block ----

api(POST => 'blocks', { user => '*', bucket => 'shut', id => 'shut',
    reason => 'moving <house>', reads => JSON::PP::true });
api(POST => 'blocks', { user => 'alice', bucket => '~^closed', id => 'all' });
followed();
my $reply = $nginx->exchange(request(PUT => '/shut/k', body => ''));
is($reply->{status}, 503, 'a blocked bucket: 503');
like($reply->{body}, qr{<Message>moving &lt;house&gt;</Message>},
    'with the reason');
is(storage_of('/shut/k'), 'main', 'reads pass');
is(storage_of('/shut/k', 'HEAD'), 'main', 'HEAD as well');
is(storage_of('/closed-1/k'), 503, 'unless they are blocked, too');
is(storage_of('/other/k', 'PUT', body => '', headers =>
    ['x-amz-copy-source' => '/closed-1/k']), 503, 'also as source of a copy');
is(storage_of('/other/k', 'PUT', body => '', headers =>
    ['x-amz-copy-source' => '/shut/k']), 'main', 'which may be read');
is(storage_of('/closed-1/k', 'GET', access_key => 'BOB-KEY',
    secret => 'bob-secret'), 'main', 'of another user it is not');
is(resolve('shut')->{block}{reason}, 'moving <house>', 'and it is said');


# ---- what Redis has cannot be used ----

my $version = api(GET => 'readers')->{json}{version};
for (['no JSON', 'nonsense'],
    ['a storage that is not there',
        '{"user":"*","bucket":"x","storage":"nowhere"}']) {
    my ($name, $text) = @$_;

    $redis->call('HSET', 'chorus:policy', 'route:bad',
        ($version + 1) . ' ' . ($version + 1) . " 0 0 $text",
        'version', $version + 1);
    ok(wait_for(sub {
        2 == grep { $_->{error} && $_->{version} == $version }
            @{ api(GET => 'readers')->{json}{readers} };
    }, 10), "$name: both processes keep what they have, and say so");
    is(storage_of('/routed/k'), 'follower', "$name: it goes on");
}
$redis->call('HDEL', 'chorus:policy', 'route:bad');
ok(defined followed(), 'and then they follow again');
is(scalar(grep { $_->{error} }
    @{ api(GET => 'readers')->{json}{readers} }), 0, 'without a complaint');


# ---- Redis is emptied ----

$redis->call('FLUSHALL');
ok(wait_for(sub { @{ api(GET => 'routes')->{json}{rules} // [] } == 2 }, 10),
    'a Redis that was emptied gets the policy back');
is(storage_of('/routed/k'), 'follower', 'it has been in force all the time');


# ---- a process that Redis did not hear of ----

sub set_rule {
    my ($id, $bucket) = @_;

    $redis->call('FCALL', 'chorus_policy_set', 3, 'chorus:policy',
        'chorus:audit', 'chorus:policy:owed', 'replication', $id, '', 'me', 1,
        JSON::PP->new->encode({ user => 'alice', bucket => $bucket,
            to => 'follower' }));
}

sub owed { return +{ @{ $redis->call('HGETALL', 'chorus:policy:owed') } } }

ok(defined followed(), 'all is well');
ok($nginx->stop, 'nginx stops');
set_rule('meanwhile', 'm');
$redis->call('DEL', map { "chorus:policy:$_" } qw(owed readers alive));
$nginx = Chorus::Nginx->start(@config);
ok(defined followed(), 'and starts');
like(owed()->{meanwhile}, qr/ written before it was known$/,
    'what another one may have written before it ended is owed to a scan');
$redis->call('DEL', 'chorus:policy:owed');
ok($nginx->stop, 'nginx stops');
$nginx = Chorus::Nginx->start(@config);
ok(defined followed(), 'and starts once more');
is_deeply(owed(), {}, 'nothing is owed when nothing was set meanwhile');

{
    # a write that ends after the rule was made, and before it is known
    my $socket = $nginx->connect;
    my @pids = $nginx->workers;
    kill 'STOP', @pids;
    print $socket request(PUT => '/unknown/k', body => '');
    $socket->flush;
    set_rule('unknown', 'unknown');
    $redis->call('DEL', 'chorus:policy:owed');
    kill 'CONT', @pids;
    like(scalar <$socket>, qr/ 200 /, 'a write just before it is known');
    ok(wait_for { owed()->{unknown}
        || grep { /^alice:unknown:follower k/ } $redis->marks_now },
        'is marked, or the rule owes a scan');
}


# ---- a question that waits for a worker, and there is none ----

{
    my $socket = $nginx->connect;
    print $socket join "\r\n", 'GET /api/v1/explain?user=alice&bucket=m'
        . '&key=k&timeout=3 HTTP/1.1', 'Host: localhost',
        'Connection: close', "Authorization: Bearer $ADMIN", '', '';
    $socket->flush;
    sleep 0.3;
    # the rule that it has read is no more
    for my $n (1 .. 3) {
        set_rule('meanwhile', "m$n");
        ok(defined followed(), 'a rule changes while somebody waits');
    }
    my $answer = join '', <$socket>;
    like($answer, qr/"replications"\s*:\s*\[\s*\{[^]]*alice:m:follower/s,
        'who is told of the rules that were');
}


# ---- a start without Redis ----

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');
my ($policy) = glob "$folder/policy";
is((stat $policy)[2] & 0777, 0600, 'there is a copy that others cannot read');
$redis->end;
$nginx = Chorus::Nginx->start(@config);
is(storage_of('/routed/k'), 'follower', 'without Redis: it is in force');
is(storage_of('/shut/k', 'PUT', body => ''), 503, 'all of it');
ok($nginx->stop, 'nginx stops');

my $copy = read_file($policy);
write_file($policy, $copy =~ s/storage\\":\\"follower/storage\\":\\"gone/r, 0600);
like(Chorus::Nginx->check(@config),
    qr/\[emerg\].*the dynamic policy does not go with this.*gone.*chorusctl/,
    'a configuration that has no more what a rule names is refused');
write_file($policy, $copy, 0600);
is(Chorus::Nginx->check(@config), '', 'and one that has it is not');

write_file($policy, '{"version":1,"or', 0600);
$nginx = Chorus::Nginx->start(@config);
is(storage_of('/routed/k'), 'archive',
    'half of a copy is none: directives are in force');
like($nginx->log, qr/policy" cannot be used: .*without a dynamic policy/,
    'and it is said');
$redis->begin;
is(api(GET => 'routes')->{status}, 503, 'the API without Redis: 503')
    unless wait_for { api(GET => 'routes')->{status} == 200 } 20;
# the other process may not have met Redis yet
ok(wait_for {
    api(POST => 'blocks', { user => '*', bucket => 'b1', id => 'b1' })->{status}
        =~ /^20/ || grep { $_->{id} eq 'b1' }
            @{ api(GET => 'blocks')->{json}{rules} // [] };
}, 'a rule is made');
ok(defined followed(), 'a Redis that has none, and a proxy that has none');
is(storage_of('/b1/k'), 503, 'and it goes on from there');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');
unlike($nginx->log, qr/\Q$ADMIN\E/, 'the log has no token');

done_testing();
