# The sections that are compared with a response.

use Test::Nginx::Socket;

plan tests => repeat_each() * (2 * blocks() + 6);

add_response_body_check(sub {
    my ($block, $body) = @_;
    is_str($body, $body, $block->name . ' - own body check')
        if $block->name =~ /own check/;
});

run_tests();

__DATA__

=== TEST 1: body, as it is
--- config
    location /t { return 200 "hello\nworld\n"; }
--- request
GET /t
--- response_body
hello
world



=== TEST 2: body with chomp, and own check
--- config
    location /t { return 200 "hello"; }
--- request
GET /t
--- response_body chomp
hello



=== TEST 3: body from eval, binary
--- config
    location /t { return 200 "a\tb"; }
--- request
GET /t
--- response_body eval
"a\x{09}b"



=== TEST 4: body as a regex
--- config
    location /t { return 200 "hello 42\n"; }
--- request
GET /t
--- response_body eval
qr/^hello \d+$/



=== TEST 5: body like, over lines
--- config
    location /t { return 200 "hello\nworld\n"; }
--- request
GET /t
--- response_body_like
^hello.world



=== TEST 6: body unlike
--- config
    location /t { return 200 "hello"; }
--- request
GET /t
--- response_body_unlike: world



=== TEST 7: the server's port in a body
--- config
    location /t { return 200 "$server_port $server_port\n"; }
--- request
GET /t
--- response_body
$ServerPort $TEST_NGINX_SERVER_PORT



=== TEST 8: deprecated response_body_eval
--- config
    location /t { return 200 "aaa"; }
--- request
GET /t
--- response_body_eval
"a" x 3



=== TEST 9: headers, present and absent (and a value with the port)
--- config
    location /t {
        add_header X-A "1: 2";
        add_header X-Port $server_port;
        return 200;
    }
--- request
GET /t
--- response_headers
X-A: 1: 2
x-port: $ServerPort
! X-B



=== TEST 10: a header that is repeated is joined
--- config
    location /t {
        add_header X-A 1;
        add_header X-A 2;
        return 200;
    }
--- request
GET /t
--- response_headers
X-A: 1, 2



=== TEST 11: headers like: the whole value
--- config
    location /t { add_header X-A "abc 12"; return 200; }
--- request
GET /t
--- response_headers_like
X-A: abc \d+
Server: nginx.*



=== TEST 12: raw headers like and unlike
--- config
    location /t { add_header X-A 1; add_header X-B 2; return 200; }
--- request
GET /t
--- raw_response_headers_like eval
"^HTTP/1.1 200 OK\r\n.*X-A: 1\r\nX-B: 2\r\n\$"
--- raw_response_headers_unlike: x-a



=== TEST 13: status codes
--- config
    location /t { return 403; }
--- request
GET /t
--- error_code: 403
--- response_body_like: Forbidden



=== TEST 14: status code as a pattern
--- config
    location /t { return 307 /u; }
--- request
GET /t
--- error_code_like: ^30[1278]$
--- response_headers_like
Location: http://localhost:\d+/u



=== TEST 15: a chunked response
--- config
    location /t {
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
. "5\r\nhello\r\nA\r\n, world 42\r\n0\r\n\r\n"
--- request
GET /t
--- response_headers
Transfer-Encoding: chunked
--- response_body chomp
hello, world 42



=== TEST 16: a body without a length ends with the connection
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nhello"
--- request
GET /t HTTP/1.0
--- response_body chomp
hello



=== TEST 17: 304 has no body
--- config
    location /t { return 304; }
--- request
GET /t
--- error_code: 304
--- response_body:



=== TEST 18: HTTP/0.9
--- config
    location /t { return 200 "plain"; }
--- raw_request eval
"GET /t\r\n"
--- http09
--- response_body chomp
plain



=== TEST 19: a body of 200 kB
--- user_files eval
[["t", CORE::join "", map { "line $_\n" } 1 .. 20000]]
--- config
    location /t { root html; }
--- request
GET /t
--- response_body eval
CORE::join "", map { "line $_\n" } 1 .. 20000
