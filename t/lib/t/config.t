# The nginx under test: configuration, files, processes, start and end.

use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_WORD} = 'expanded';
$ENV{CHORUS_WORD} = 'inherited';
env_to_nginx('CHORUS_WORD', 'CHORUS_OTHER=set_here');

add_block_preprocessor(sub {
    my $block = shift;
    if (!defined $block->request) {
        $block->set_value(request => 'GET /t');
    }
});

config_preamble('set $preamble 1;');
workers(2);
worker_connections(128);
log_level('notice');
repeat_each(2);
no_root_location();
no_shuffle();

our $init_runs = 0;

run_tests();

# Not a block's test: the code of --- init runs once, not for each repetition.
is($init_runs, 1, 'init runs once');

__DATA__

=== TEST 1: variables in each level of the configuration
--- main_config
worker_rlimit_core 0;
# $TEST_NGINX_WORD
--- http_config
map $uri $from_http { default "$TEST_NGINX_WORD"; }
--- config
    location /t { return 200 "$from_http $TEST_NGINX_WORD $preamble\n"; }
--- post_main_config
# $TEST_NGINX_WORD
--- response_body
expanded expanded 1



=== TEST 2: a block without config uses the nginx before
--- response_body
expanded expanded 1



=== TEST 3: user files, one in a folder, one with a date
--- config
    location / { root html; }
--- user_files
>>> a/b.txt
hello $TEST_NGINX_WORD
>>> c.txt 199801171935.33
dated
--- request eval
["GET /a/b.txt", "GET /c.txt"]
--- response_body eval
["hello expanded\n", "dated\n"]
--- response_headers_like eval
["Content-Length: \\d+", "Last-Modified: Sat, 17 Jan 1998 19:35:33 GMT"]



=== TEST 4: user files from eval
--- config
    location / { root html; }
--- user_files eval
[["a.bin", "\0\1\2"], ["b.txt", "b"]]
--- request
GET /a.bin
--- response_body eval
"\0\1\2"



=== TEST 5: a configuration that nginx rejects
--- config
    location /t { return a b c; }
--- must_die
--- suppress_stderr
--- error_log
invalid number of arguments in "return" directive
--- no_error_log
[alert]



=== TEST 6: with its exit code
--- config
    no_such_directive on;
--- must_die: 1
--- suppress_stderr
--- error_log eval
qr/\[emerg\] .*unknown directive "no_such_directive" in \S+nginx\.conf:\d+/



=== TEST 7: no second location / from the scaffold
--- config
    location / { return 204; }
--- error_code: 204



=== TEST 8: a server name
--- config
    location /t { return 200 "$server_name\n"; }
--- server_name: chorus.test
--- response_body
chorus.test



=== TEST 9: code before the requests
--- config
    location /t { root html; }
--- init
$::init_runs++;
open my $out, '>', html_dir() . '/t' or die;
print $out "from init\n";
close $out;
--- response_body
from init



=== TEST 10: code before nginx starts
--- config
    include extra.conf;
--- post_setup_server_root
open my $out, '>', server_root() . '/conf/extra.conf' or die;
print $out 'location /t { return 200 "extra\n"; }';
close $out;
--- response_body
extra



=== TEST 11: an error log of one's own
--- config
    location /t { root /nonexistent; }
--- error_log_file: $TEST_NGINX_SERVER_ROOT/logs/other.log
--- error_code: 404
--- no_error_log
No such file



=== TEST 12: version conditions that do not hold
--- config
    location /t { return 200; }
--- skip_nginx: 1: < 1.0.0: too old
