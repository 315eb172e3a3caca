# Replications to a bucket of another name, and of a part of a bucket: what is
# marked, for which of them.

use strict;
use warnings;

use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Post qw(form);
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
Chorus::Storage->start;

sub rule {
    my ($bucket, $to, %more) = @_;

    return { user => 'alice', bucket => $bucket, to => $to, %more };
}

write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }, replications => [
        rule('copied', 'follower:copied-2'),
        rule('both', ['follower', 'follower:both-2', 'archive:{bucket}.3']),
        rule('same', 'follower:same'),
        rule('~^many-', 'follower:x-{bucket}-y'),
        rule('bkt', 'follower', filter => { prefix => 'in/' }),
        rule('bkt', 'follower:raw', filter => { prefix => 'raw/' }),
        rule('bkt', 'follower:raw', filter => { prefix => 'in/raw/' }),
        rule('tagged', 'follower', filter => { tags => { a => 'b' } }),
        rule('below', 'follower:rule', filter => { prefix => 'in/' }),
    ]), 0600);


# ---- directives that are refused ----

for (
    ['/', 'follower:copy', qr/many buckets would become "copy"/],
    ['/photos', 'follower:copy', qr/many buckets would become "copy"/],
    ['~ ^/photos/', 'follower:copy', qr/many buckets would become "copy"/],
    ['= /photos/', 'follower:copy', qr/many buckets would become "copy"/],
    ['/photos/', 'follower:', qr/the name of a bucket has 3 to 63/],
    ['/photos/', 'follower:a/b', qr/the name of a bucket has 3 to 63/],
    ['/photos/', 'mars:copy', qr/"mars": no such storage/],
    ['/photos/', 'main:copy', qr/"main:copy": this is main itself/],
    ['/photos/', 'follower:copy follower:copy',
        qr/"follower:copy": named twice/],
    ['/photos/', 'follower:copy', qr/^$/],
    ['/photos/raw/', 'follower:copy', qr/^$/],
    ['/photos/', 'follower follower:copy follower:copy2', qr/^$/],
    ['/', '"follower:{bucket}-copy"', qr/^$/],
) {
    my ($location, $words, $message) = @$_;

    like(Chorus::Nginx->check(config => server_config(
            proxy_location($location, "chorus_replicate $words;"))),
        $message, "location $location, chorus_replicate $words");
}


# ---- marks ----

my $journal = Chorus::Journal->new("$Folder/journal");
$journal->clean;

my $nginx = Chorus::Nginx->start(
    http => http_config() . $journal->directive('window=60s')
        . 'chorus_repeat off;',
    config => server_config(
        proxy_location('/'),
        proxy_location('/below/', 'chorus_replicate follower:here;'),
        proxy_location('/all-', 'chorus_replicate "archive:{bucket}-3";')));

wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

my $empty = [body => ''];


sub is_marked {
    my ($name, $expected, $bytes) = @_;

    $redis->clear;
    my $reply = $nginx->exchange($bytes);
    is_deeply([$redis->marks(scalar @$expected)], $expected, $name)
        or diag($reply->{text});
    like($reply->{status}, qr/^2/, "$name: passes");
}


for (
    ['another name', '/copied/k', 'alice:copied:follower:copied-2 k 7'],
    ['several', '/both/k', 'alice:both:archive:both.3 k 7',
        'alice:both:follower k 7', 'alice:both:follower:both-2 k 7'],
    ['the name that it has', '/same/k', 'alice:same:follower k 7'],
    ['a pattern', '/many-1/k', 'alice:many-1:follower:x-many-1-y k 7'],
    ['another with the pattern', '/many-2/k',
        'alice:many-2:follower:x-many-2-y k 7'],
    ['the bucket itself', '/copied', 'alice:copied:follower:copied-2  7'],
    ['a directive', '/below/k', 'alice:below:follower:here k 7'],
    ['a directive for many', '/all-1/k', 'alice:all-1:archive:all-1-3 k 7'],

    ['no filter takes the key', '/bkt/k'],
    ['one filter takes the key', '/bkt/in/k', 'alice:bkt:follower in/k 7'],
    ['the prefix alone', '/bkt/in/', 'alice:bkt:follower in/ 7'],
    ['less than the prefix', '/bkt/in'],
    ['the other filter', '/bkt/raw/k', 'alice:bkt:follower:raw raw/k 7'],
    ['both filters', '/bkt/in/raw/k', 'alice:bkt:follower in/raw/k 7',
        'alice:bkt:follower:raw in/raw/k 7'],
    ['a bucket with filters', '/bkt', 'alice:bkt:follower  7',
        'alice:bkt:follower:raw  7'],
    ['tags are of no concern here', '/tagged/k', 'alice:tagged:follower k 7'],
) {
    my ($name, $path, @marks) = @$_;

    is_marked($name, \@marks, request(PUT => $path, @$empty));
}

is_marked('tags of a key that no filter takes', [],
    request(PUT => '/bkt/k?tagging', @$empty));
is_marked('tags of one that is taken', ['alice:bkt:follower in/k 2'],
    request(PUT => '/bkt/in/k?tagging', @$empty));

my $delete = '<Delete>' . join('', map { "<Object><Key>$_</Key></Object>" }
    qw(k in/a raw/b in/raw/c)) . '</Delete>';
is_marked('DeleteObjects: each key by its prefix', [
    'alice:bkt:follower in/a 7', 'alice:bkt:follower in/raw/c 7',
    'alice:bkt:follower:raw in/raw/c 7', 'alice:bkt:follower:raw raw/b 7',
], request(POST => '/bkt?delete', body => $delete));

is_marked('a form: its key by the prefix', ['alice:bkt:follower in/k 7'],
    form(key => 'in/k', file => 'x'));
is_marked('a form whose key no filter takes', [],
    form(key => 'k', file => 'x'));


# ---- the journal ----

is_deeply([map { $_->{followers} } grep { $_->{bucket} eq 'both' }
        $journal->intents],
    [['archive:both.3', 'follower', 'follower:both-2']],
    'an intent names follower and target');
is_deeply([grep { $_->{bucket} eq 'bkt' && $_->{keys}[0] eq 'k'
        && @{ $_->{keys} } == 1 && !@{ $_->{followers} } }
        $journal->intents], [],
    'there is none for what concerns nobody');

$redis->clear;
$redis->end;
$nginx->exchange(request(PUT => '/both/away', @$empty));
{
    my ($worker) = $nginx->workers;
    kill 'KILL', $worker;
    ok(wait_for { my ($new) = $nginx->workers; $new && $new != $worker },
        'killed with marks that wait for Redis');
}
$redis->begin;
$redis->call('FLUSHALL');
my @expected = map { "alice:both:$_ away 7" }
    qw(archive:both.3 follower follower:both-2);
my %have;
ok(wait_for(sub { %have = map { $_ => 1 } $redis->marks_now;
        @expected == grep { $have{$_} } @expected }, 15),
    'another process marks for each of its targets')
    or diag(join "\n", sort keys %have);

unlike($nginx->log, qr/\[(?:crit|emerg)\]|open socket/,
    'and has nothing to complain of');

done_testing();
