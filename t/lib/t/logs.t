# error.log and access.log.

use Test::Nginx::Socket 'no_plan';

repeat_each(2);
log_level('info');
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a literal text and one that is missing
--- config
    location /t { root /nonexistent; }
--- request
GET /t
--- error_code: 404
--- error_log
open() "/nonexistent/t" failed
No such file
--- no_error_log
[alert]
(.*)



=== TEST 2: regexes and texts from eval
--- config
    location /t { root /nonexistent; }
--- request
GET /t
--- error_code: 404
--- error_log eval
[qr/open\(\) "\S+t" failed/, "(2: No such file"]
--- no_error_log eval
qr/\[(?:crit|alert|emerg)\]/



=== TEST 3: each request is compared with its own lines
--- config
    location /t { root /nonexistent; }
    location /u { return 200; }
--- request eval
["GET /t", "GET /t"]
--- error_code eval
[404, 404]
--- error_log
failed



=== TEST 4: all that match, one a line
--- config
    location /t { root /nonexistent; error_page 404 = /u; }
    location /u { root /nowhere; }
--- request
GET /t
--- error_code: 404
--- grep_error_log eval
qr{open\(\) "/\w+/\w"}
--- grep_error_log_out
open() "/nonexistent/t"
open() "/nowhere/u"



=== TEST 5: as a literal, with an answer for each repetition
--- config
    location /t { root /nonexistent; }
--- request
GET /t
--- error_code: 404
--- grep_error_log chomp
No such file
--- grep_error_log_out eval
["No such file\n", qr/^No such/]



=== TEST 6: nothing found
--- config
    location /t { return 200; }
--- request
GET /t
--- grep_error_log eval: qr/open\(\)/
--- grep_error_log_out



=== TEST 7: the log level of a block
--- config
    location /t { root /nonexistent; }
--- request
GET /t
--- error_code: 404
--- log_level: crit
--- no_error_log
failed



=== TEST 8: access.log
--- http_config
    log_format chorus 'uri=$request_uri';
--- config
    access_log logs/access.log chorus;
    location /t { return 200; }
--- request
GET /t?a=b
--- access_log
uri=/t?a=b
--- no_access_log
GET



=== TEST 9: what comes later needs a wait
--- config
    location /w {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_read_timeout 100ms;
        proxy_ignore_client_abort on;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_no_close
--- tcp_reply:
--- request
GET /w
--- timeout: 20ms
--- abort
--- ignore_response
--- wait: 0.3
--- error_log
upstream timed out



=== TEST 10: what nginx logs at its end
--- config
    location /t { return 200; }
--- request
GET /t
--- log_level: notice
--- shutdown_error_log
signal 3 (SIGQUIT) received
--- no_shutdown_error_log
[alert]
