# Directives and chorus.json: what nginx refuses to start with, and how it
# says so.  No message holds a secret.

BEGIN {
    push @INC, 't/lib';
    umask 027;              # user_files hold secrets
    $ENV{CHORUS_T_SECRET} = 'env-secret';
}

use JSON::PP ();
use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(request);

no_root_location();

plan tests => repeat_each() * (blocks() * 4 - 16);

our $HttpConfig = <<"END";
    chorus_config ../html/chorus.json;
    upstream main { server 127.0.0.1:1; }
    upstream archive { server 127.0.0.1:1; }
END

# what server.conf would set in the server
our $Proxy = "proxy_ssl_trusted_certificate "
    . "/etc/ssl/certs/ca-certificates.crt; include $Folder/proxy.conf;";

write_file("$Folder/token", "0123456789abcdef\n", 0600);
write_file("$Folder/short-token", "0123456789abcde\n", 0600);
write_file("$Folder/secret", "main-alice-secret\n", 0600);
write_file("$Folder/open-secret", "main-alice-secret\n", 0644);
write_file("$Folder/empty-secret", "\n", 0600);
write_file("$Folder/open.json", chorus_json(), 0644);

# chorus.json as a user file; $change gets the structure.
sub json {
    my ($change) = @_;

    my $config = chorus_config();
    $change->($config) if $change;
    return ">>> chorus.json\n" . JSON::PP->new->pretty->encode($config);
}

# With one credential of main replaced.
sub credential {
    my (%credential) = @_;

    return json(sub {
        $_[0]{storages}{main}{users}{alice} = {
            access_key => 'MAIN-ALICE', %credential };
    });
}

add_block_preprocessor(sub {
    my $block = shift;

    my %default = (
        http_config => $HttpConfig,
        config => "location / { chorus on; $Proxy }\n",
        user_files => json(),
    );
    for my $name (sort keys %default) {
        $block->set_value($name => $default{$name})
            unless defined $block->$name;
    }

    if (defined $block->must_die) {
        my $text = $block->error_log;
        $block->set_value(error_log => ['[emerg]',
            ref $text ? $text : split /\n/, $text]);
        $block->set_value(suppress_stderr => '');
        $block->set_value(no_error_log => [qr/(alice|bob|env|chorus)-secret/]);

    } else {
        # an anonymous request is refused, so the module is at work
        $block->set_value(request => 'GET /bkt/key');
        $block->set_value(error_code => 403) unless $block->error_code;
    }
});

run_tests();

__DATA__

=== TEST 1: the configuration that the others spoil
--- response_headers
Content-Type: application/xml



=== TEST 2: no chorus_config
--- http_config
upstream main { server 127.0.0.1:1; }
--- must_die
--- error_log
chorus is used but "chorus_config" is missing: add "chorus_config /etc/chorus/chorus.json;" to the http block



=== TEST 3: chorus_config without a path
--- http_config
chorus_config;
--- must_die
--- error_log
invalid number of arguments in "chorus_config" directive



=== TEST 4: chorus_config twice
--- http_config
chorus_config ../html/chorus.json;
chorus_config ../html/chorus.json;
--- must_die
--- error_log
"chorus_config" directive is duplicate



=== TEST 5: chorus_config in a server
--- config
chorus_config ../html/chorus.json;
--- must_die
--- error_log
"chorus_config" directive is not allowed here



=== TEST 6: chorus_config may stand behind its users
--- http_config
upstream main { server 127.0.0.1:1; }
upstream archive { server 127.0.0.1:1; }
server {
    listen unix:$TEST_NGINX_CHORUS/behind.sock;
    location / { chorus on; chorus_replicate follower; return 204; }
}
chorus_config ../html/chorus.json;
--- response_headers
Content-Type: application/xml



=== TEST 7: no such file
--- http_config
chorus_config nowhere.json;
--- must_die
--- error_log
nowhere.json: No such file or directory



=== TEST 8: a folder is no file
--- http_config
chorus_config ../html;
--- must_die
--- error_log
not a regular file



=== TEST 9: a flag that is none
--- config
location / { chorus maybe; }
--- must_die
--- error_log
invalid value "maybe" in "chorus" directive, it must be "on" or "off"



=== TEST 10: a zone
--- http_config eval
"$::HttpConfig chorus_zone chorus 32k;"
--- response_headers
Content-Type: application/xml



=== TEST 11: a zone without a size
--- http_config eval
"$::HttpConfig chorus_zone chorus;"
--- must_die
--- error_log
invalid number of arguments in "chorus_zone" directive



=== TEST 12: a zone that is too small
--- http_config eval
"$::HttpConfig chorus_zone chorus 16k;"
--- must_die
--- error_log
zone "chorus": "16k" is not a size of at least 32768 bytes



=== TEST 13: a size that is none
--- http_config eval
"$::HttpConfig chorus_zone chorus large;"
--- must_die
--- error_log
zone "chorus": "large" is not a size of at least 32768 bytes



=== TEST 14: two zones
--- http_config eval
"$::HttpConfig chorus_zone one 1m; chorus_zone two 1m;"
--- must_die
--- error_log
"chorus_zone" directive is duplicate



=== TEST 15: a zone of another module
--- http_config eval
"$::HttpConfig chorus_zone one 1m;
 limit_req_zone \$remote_addr zone=one:1m rate=1r/s;"
--- must_die
--- error_log
"one"



=== TEST 16: an upstream for main is missing
--- http_config
chorus_config ../html/chorus.json;
upstream archive { server 127.0.0.1:1; }
--- must_die
--- error_log
storage "main" has no upstream of its name: add "upstream main { server main.test:9001; keepalive 64; }" to the http block



=== TEST 17: an upstream for a storage that chorus.json routes to is missing
--- http_config
chorus_config ../html/chorus.json;
upstream main { server 127.0.0.1:1; }
--- must_die
--- error_log
storage "archive" has no upstream of its name: add "upstream archive { server archive.test; keepalive 64; }" to the http block



=== TEST 18: an upstream for a storage of chorus_route is missing
--- config eval
"location / { chorus on; chorus_route follower; $::Proxy }"
--- must_die
--- error_log
storage "follower" has no upstream of its name



=== TEST 19: a follower needs no upstream
--- config eval
"location / { chorus on; chorus_replicate follower archive; $::Proxy }"
--- response_headers
Content-Type: application/xml



=== TEST 20: a route to no storage
--- config eval
"location / { chorus on; chorus_route mars; $::Proxy }"
--- must_die
--- error_log eval
qr/chorus_route "mars": no such storage in ".*chorus.json"/



=== TEST 21: a route to two storages
--- config eval
"location / { chorus on; chorus_route main archive; $::Proxy }"
--- must_die
--- error_log
invalid number of arguments in "chorus_route" directive



=== TEST 22: two routes
--- config eval
"location / { chorus on; chorus_route main; chorus_route archive; }"
--- must_die
--- error_log
"chorus_route" directive is duplicate



=== TEST 23: a replication to no storage
--- config eval
"location / { chorus on; chorus_replicate follower mars; $::Proxy }"
--- must_die
--- error_log eval
qr/chorus_replicate "mars": no such storage in ".*chorus.json"/



=== TEST 24: a replication to main
--- config eval
"location / { chorus on; chorus_replicate main; $::Proxy }"
--- must_die
--- error_log
chorus_replicate "main": this is main itself; name a follower



=== TEST 25: a replication to nowhere and to a follower
--- config eval
"location / { chorus on; chorus_replicate off follower; $::Proxy }"
--- must_die
--- error_log
chorus_replicate "off": no such storage



=== TEST 26: the same follower twice
--- config eval
"location / { chorus on; chorus_replicate follower follower; $::Proxy }"
--- must_die
--- error_log
chorus_replicate "follower": named twice in



=== TEST 27: two lists of followers
--- config eval
"location / { chorus on; chorus_replicate off; chorus_replicate off; }"
--- must_die
--- error_log
"chorus_replicate" directive is duplicate



=== TEST 28: a replication of what does not go to main
--- config eval
"location / { chorus on; chorus_route archive; chorus_replicate follower; }"
--- must_die
--- error_log
chorus_replicate "follower": replication is from main, but chorus_route sends this location to "archive"



=== TEST 29: a replication of what does not go to main, as the server says
--- config eval
"chorus_route archive; location / { chorus on; chorus_replicate follower; }"
--- must_die
--- error_log
chorus_replicate "follower": replication is from main, but chorus_route sends this location to "archive"



=== TEST 30: a route to main may be replicated
--- config eval
"location / { chorus on; chorus_route main; chorus_replicate follower;
              $::Proxy }"
--- response_headers
Content-Type: application/xml



=== TEST 31: a user who has no credentials on the follower of a location
--- user_files eval
::json(sub { delete $_[0]{storages}{follower}{users}{bob} })
--- config eval
"location / { chorus on; chorus_replicate follower; $::Proxy }"
--- must_die
--- error_log
storages.follower.users: no "bob"



=== TEST 32: chorus_api without a token file
--- config eval
"location / { chorus on; $::Proxy } location /api/ { chorus_api; }"
--- must_die
--- error_log
"chorus_api" needs a token: add "api": {"token_file": "..."} to



=== TEST 33: chorus_api without the token file that is named
--- user_files eval
::json(sub { $_[0]{api} = { token_file => 'nowhere' } })
--- config eval
"location / { chorus on; $::Proxy } location /api/ { chorus_api; }"
--- must_die
--- error_log eval
qr{api.token_file: open\(\) ".*/html/nowhere" failed}



=== TEST 34: chorus_api with a token that is easily guessed
--- user_files eval
::json(sub { $_[0]{api} = { token_file => "$Chorus::Fixture::Folder/short-token" } })
--- config eval
"location / { chorus on; $::Proxy } location /api/ { chorus_api; }"
--- must_die
--- error_log
a token has 16 to 512 characters, this one has 15



=== TEST 35: chorus_api with a token
--- user_files eval
::json(sub { $_[0]{api} = { token_file => "$Chorus::Fixture::Folder/token" } })
--- config eval
"location / { chorus on; $::Proxy } location /api/ { chorus_api; }"
--- response_headers
Content-Type: application/xml



=== TEST 36: chorus_api in a server
--- config
chorus_api;
--- must_die
--- error_log
"chorus_api" directive is not allowed here



=== TEST 37: chorus_api in front of chorus_config
--- http_config
server {
    listen unix:$TEST_NGINX_CHORUS/before.sock;
    location /api/ { chorus_api; }
}
chorus_config ../html/chorus.json;
--- must_die
--- error_log
"chorus_api" directive needs "chorus_config" before it



=== TEST 38: chorus.json with a typo
--- user_files
>>> chorus.json
{
    "redis": { "url": "redis://127.0.0.1:1/0" },
    "storages": { "main" { "secret_key": "main-alice-secret" } }
}
--- must_die
--- error_log eval
qr/chorus.json.*line 3/



=== TEST 39: an empty chorus.json
--- user_files
>>> chorus.json
--- must_die
--- error_log eval
qr/chorus.json: /



=== TEST 40: a list instead of an object
--- user_files
>>> chorus.json
[]
--- must_die
--- error_log eval
qr/chorus.json: .*object/



=== TEST 41: the same key twice
--- user_files
>>> chorus.json
{ "storages": {}, "storages": {} }
--- must_die
--- error_log eval
qr/chorus.json: line 1, .*duplicate/



=== TEST 42: an unknown key
--- user_files eval
::json(sub { $_[0]{storage} = {} })
--- must_die
--- error_log
unknown key "storage"



=== TEST 43: an unknown key of a storage
--- user_files eval
::json(sub { $_[0]{storages}{follower}{adress} = 'x' })
--- must_die
--- error_log
storages.follower: unknown key "adress"



=== TEST 44: no storages
--- user_files eval
::json(sub { delete $_[0]{storages} })
--- must_die
--- error_log
storages: missing



=== TEST 45: no main
--- user_files eval
::json(sub { delete $_[0]{storages}{main}{main} })
--- must_die
--- error_log
storages: none has "main": true



=== TEST 46: two mains
--- user_files eval
::json(sub { $_[0]{storages}{archive}{main} = JSON::PP::true() })
--- must_die
--- error_log
are both main



=== TEST 47: a number instead of a text
--- user_files eval
::json(sub { $_[0]{storages}{follower}{endpoint} = 42 })
--- must_die
--- error_log
storages.follower.endpoint: must be a string



=== TEST 48: an endpoint with a path
--- user_files eval
::json(sub { $_[0]{storages}{follower}{endpoint} = 'http://f.test/s3' })
--- must_die
--- error_log
storages.follower.endpoint: must be http://host[:port] or https://host[:port], without a path



=== TEST 49: an unknown provider
--- user_files eval
::json(sub { $_[0]{storages}{follower}{provider} = 'cepf' })
--- must_die
--- error_log
storages.follower.provider: must be generic, aws, ceph or minio



=== TEST 50: a user whom the follower of a rule does not know
--- user_files eval
::json(sub { delete $_[0]{storages}{follower}{users}{alice} })
--- must_die
--- error_log
storages.follower.users: no "alice"



=== TEST 51: a rule for everyone, and one whom the follower does not know
--- user_files eval
::json(sub {
    delete $_[0]{storages}{follower}{users}{bob};
    $_[0]{replications}[0]{user} = '*';
})
--- must_die
--- error_log
storages.follower.users: no "bob"



=== TEST 52: a user whom main does not know
--- user_files eval
::json(sub { $_[0]{users}{carol} = [{ access_key => 'C', secret_key => 's' }] })
--- must_die
--- error_log
storages.main.users: no "carol"



=== TEST 53: a rule that replicates to main
--- user_files eval
::json(sub { $_[0]{replications}[0]{to} = ['main'] })
--- must_die
--- error_log
replications[0].to[0]: "main" is the main storage



=== TEST 54: a rule that replicates to no storage
--- user_files eval
::json(sub { $_[0]{replications}[1]{to} = ['follower', 'mars'] })
--- must_die
--- error_log
replications[1].to[1]: no storage "mars"



=== TEST 55: a rule that replicates twice to the same
--- user_files eval
::json(sub { $_[0]{replications}[1]{to} = ['follower', 'follower'] })
--- must_die
--- error_log
replications[1].to[1]: "follower" comes twice



=== TEST 56: a rule without a bucket
--- user_files eval
::json(sub { delete $_[0]{routes}[0]{bucket} })
--- must_die
--- error_log
routes[0].bucket: missing



=== TEST 57: a bucket with a wildcard
--- user_files eval
::json(sub { $_[0]{routes}[0]{bucket} = 'logs-*' })
--- must_die
--- error_log
routes[0].bucket: a bucket name holds no wildcard



=== TEST 58: a pattern that is none
--- user_files eval
::json(sub { $_[0]{routes}[0]{bucket} = '~^(logs' })
--- must_die
--- error_log
routes[0].bucket: bad pattern at offset



=== TEST 59: a route to no storage
--- user_files eval
::json(sub { $_[0]{routes}[0]{storage} = 'mars' })
--- must_die
--- error_log
routes[0].storage: no storage "mars"



=== TEST 60: two users with one access key
--- user_files eval
::json(sub { $_[0]{users}{bob}[0]{access_key} = 'CHORUS-KEY' })
--- must_die
--- error_log
an access key that another credential has



=== TEST 61: a user without credentials
--- user_files eval
::json(sub { $_[0]{users}{bob} = [] })
--- must_die
--- error_log
users.bob: is empty



=== TEST 62: an access key that cannot stand in a header
--- user_files eval
::json(sub { $_[0]{users}{bob}[0]{access_key} = 'a b' })
--- must_die
--- error_log
users.bob[0].access_key: must be 1 to 128 printable characters



=== TEST 63: a region that is none
--- user_files eval
::json(sub { $_[0]{region} = 'us east' })
--- must_die
--- error_log
region: not a region



=== TEST 64: a Redis that is none
--- user_files eval
::json(sub { $_[0]{redis}{url} = 'http://127.0.0.1' })
--- must_die
--- error_log
redis.url: must begin with redis://



=== TEST 65: a Redis with TLS and a file that is not there
--- user_files eval
::json(sub { $_[0]{redis} = { url => 'rediss://127.0.0.1', ca_file => 'x' } })
--- must_die
--- error_log eval
qr/redis.url: this build cannot speak TLS|redis.ca_file: .*x: No such file/



=== TEST 66: a number out of its range
--- user_files eval
::json(sub { $_[0]{worker}{concurrency} = 0 })
--- must_die
--- error_log
worker.concurrency: must be a whole number from 1 to 1024



=== TEST 67: secrets in a file that everyone may read
--- http_config eval
$::HttpConfig =~ s{\.\./html}{$Chorus::Fixture::Folder}r
    =~ s/chorus.json/open.json/r
--- must_die
--- error_log eval
qr/a secret in a file that everyone may read; run: chmod o-rwx .*open.json/



=== TEST 68: a secret from the environment
--- user_files eval
::credential(secret_key => '${env:CHORUS_T_SECRET}')
--- response_headers
Content-Type: application/xml



=== TEST 69: a secret that the environment does not have
--- user_files eval
::credential(secret_key => '${env:CHORUS_T_NOTHING}')
--- must_die
--- error_log
storages.main.users.alice.secret_key: the environment has no CHORUS_T_NOTHING



=== TEST 70: a secret that is partly from the environment
--- user_files eval
::credential(secret_key => 'x${env:CHORUS_T_SECRET}')
--- must_die
--- error_log
storages.main.users.alice.secret_key: "${env:NAME}" must be the whole value



=== TEST 71: a secret from a file
--- user_files eval
::credential(secret_key_file => "$Chorus::Fixture::Folder/secret")
--- response_headers
Content-Type: application/xml



=== TEST 72: a secret from a file that is not there
--- user_files eval
::credential(secret_key_file => 'nowhere')
--- must_die
--- error_log eval
qr{storages.main.users.alice.secret_key_file: .*/html/nowhere: No such file}



=== TEST 73: a secret from a file that everyone may read
--- user_files eval
::credential(secret_key_file => "$Chorus::Fixture::Folder/open-secret")
--- must_die
--- error_log
storages.main.users.alice.secret_key_file: everyone may read or write this file



=== TEST 74: a secret from an empty file
--- user_files eval
::credential(secret_key_file => "$Chorus::Fixture::Folder/empty-secret")
--- must_die
--- error_log
storages.main.users.alice.secret_key_file: the file is empty



=== TEST 75: a secret in two places
--- user_files eval
::credential(secret_key => 's', secret_key_file => 'f')
--- must_die
--- error_log
storages.main.users.alice: both "secret_key" and "secret_key_file"



=== TEST 76: no secret
--- user_files eval
::credential()
--- must_die
--- error_log
storages.main.users.alice: no "secret_key" and no "secret_key_file"
