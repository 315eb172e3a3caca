# With a master process and workers: reload, and a worker that goes.

use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);
log_level('notice');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: two workers
--- config
    location /t { return 200 "before\n"; }
--- request
GET /t
--- response_body
before
--- error_log
start worker processes
start worker process
--- wait: 0.5
--- grep_error_log eval: qr/start worker process /
--- grep_error_log_out eval
"start worker process \n" x 2
--- no_error_log
[alert]



=== TEST 2: reload by the test itself
--- config
    include value.conf;
--- post_setup_server_root
open my $out, '>', server_root() . '/conf/value.conf' or die;
print $out 'location /t { return 200 "before\n"; }';
close $out;
--- init
open my $out, '>', server_root() . '/conf/value.conf' or die;
print $out 'location /t { return 200 "after\n"; }';
close $out;
kill HUP => get_pid_from_pidfile('');
for (1 .. 400) {
    open my $in, '<', server_root() . '/logs/error.log' or die;
    last if 2 <= grep { /worker process \d+ exited/ } <$in>;
    select undef, undef, undef, 0.1;
}
--- request
GET /t
--- response_body
after
--- error_log
signal 1 (SIGHUP) received
--- shutdown_error_log
signal 3 (SIGQUIT) received
