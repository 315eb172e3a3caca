# The client: timeouts, aborts, shutdown.

use Test::Nginx::Socket 'no_plan';

timeout(2);
repeat_each(2);
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a client that goes after its timeout
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- log_level: info
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 500ms
--- tcp_reply:
--- request
GET /t
--- timeout: 100ms
--- abort
--- ignore_response
--- wait: 0.1
--- error_log
client prematurely closed connection



=== TEST 2: within the timeout
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 0.2
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nlate"
--- request
GET /t
--- timeout: 1s
--- response_body chomp
late



=== TEST 3: what was received before an abort is compared
--- config
    location /t {
        proxy_buffering off;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nhalf"
--- tcp_no_close
--- request
GET /t HTTP/1.0
--- timeout: 200ms
--- abort
--- response_body chomp
half



=== TEST 4: a client that shuts its side
--- config
    location /t { return 200 "ok"; }
--- request
GET /t
--- shutdown
--- response_body chomp
ok



=== TEST 5: a client that does not finish its request
--- config
    client_header_timeout 100ms;
--- log_level: info
--- raw_request eval
"GET /t HTTP/1.1\r\nHost: h\r\n"
--- ignore_response
--- error_log
client timed out



=== TEST 6: another address
--- config
    location /t { return 200 "$server_addr\n"; }
--- server_addr_for_client: 127.0.0.2
--- request
GET /t
--- response_body
127.0.0.2
