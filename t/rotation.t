# Keys of a user come and go by reload, and no request fails for it: several
# keys at once, a key taken away in the middle of its upload, a secret that
# changes under the same access key.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Sign qw(request presign);
use Chorus::Storage;

my @old = (access_key => 'OLD-KEY', secret => 'old-secret');
my @new = (access_key => 'NEW-KEY', secret => 'new-secret');
my @other = (access_key => 'NEW-KEY', secret => 'other-secret');

sub keys_of_alice {
    my @keys = map { my %key = @$_;
        { access_key => $key{access_key}, secret_key => $key{secret} } } @_;
    write_file("$Folder/chorus.json", chorus_json(users => {
        alice => \@keys,
        bob => [{ access_key => 'BOB-KEY', secret_key => 'bob-secret' }],
    }), 0600);
}

Chorus::Storage->start('main');
keys_of_alice(\@old);
my $nginx = Chorus::Nginx->start(
    http => http_config());


# What a GET, a presigned one and a PUT in signed chunks are answered.
sub answers {
    my (@key) = @_;

    return join ' ', map {
        my $reply = $nginx->exchange($_);
        $reply->{status} . ($reply->{body} =~ m{<Code>(\w+)</Code>}
            ? " $1" : '');
    } request(GET => '/plain/key', @key), presign(GET => '/plain/key', @key),
        chunked(PUT => '/plain/key', body => 'x' x 9000, @key);
}

my $unknown = join ' ', ('403 InvalidAccessKeyId') x 3;
my $mismatch = join ' ', ('403 SignatureDoesNotMatch') x 3;

is(answers(@old), '200 200 200', 'a key');
is(answers(@new), $unknown, 'another is not known');

keys_of_alice(\@old, \@new);
ok($nginx->reload, 'a second key, by reload');
is(answers(@old), '200 200 200', 'the first one works');
is(answers(@new), '200 200 200', 'and the second');

# An upload of which the first half is there when its key is taken away.
my $content = join '', map { pack 'N', $_ } 1 .. 100_000;
my $bytes = chunked(PUT => '/plain/flight', body => $content, @old);
my $socket = $nginx->connect;
print $socket substr $bytes, 0, 200_000;
$socket->flush;
ok(wait_for { grep { m{/plain/flight} } Chorus::Storage->begun },
    'an upload begins');

keys_of_alice(\@new);
ok($nginx->hup, 'the first key taken away, by reload');
ok(wait_for { answers(@old) eq $unknown }, 'it is not known any more');
is(answers(@new), '200 200 200', 'the second one is');

print $socket substr $bytes, 200_000;
$socket->flush;
my $reply = { Chorus::Nginx::parse(join '', <$socket>) };
is($reply->{status}, 200, 'an upload in flight ends well');
is($reply->{headers}{'x-body-sha256'}, sha256_hex($content),
    'with all its content');

# Signing keys are cached by what they are made of.
is(answers(@new), '200 200 200', 'a secret');
keys_of_alice(\@other);
ok($nginx->reload, 'another secret of the same access key, by reload');
is(answers(@new), $mismatch, 'the old secret is wrong');
is(answers(@other), '200 200 200', 'the new one is right');

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');
unlike($nginx->log, qr/(?:old|new|other)-secret/, 'and tells no secret');

done_testing();
