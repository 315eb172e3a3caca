# How the sections of a block become what nginx receives.

use Test::Nginx::Socket;

repeat_each(2);
# Two tests for each block, but several responses and a log in the last four.
plan tests => repeat_each() * (2 * (blocks() - 4) + 4 + 6 + 4 + 6);

our $echo = <<'_EOC_';
    location /echo {
        return 200 "$request_method $request_uri $server_protocol|$http_host|$http_connection|$http_x_a|$http_x_b|$content_length|$http_x_body\n";
    }
    location / {
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/echo/;
        proxy_set_header Host $http_host;
        proxy_set_header Connection $http_connection;
        proxy_set_header X-Body [$request_body];
    }
_EOC_

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => $::echo) unless defined $block->config;
});

no_root_location();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a method alone asks for /
--- request
GET
--- response_body
GET /echo/ HTTP/1.1|localhost|close||||[]



=== TEST 2: blank lines and comments before the request line
--- request

# a comment
    GET /echo/a?b=c
--- response_body
GET /echo/a?b=c HTTP/1.1|localhost|close||||



=== TEST 3: HTTP/1.0, with Host nevertheless
--- request
GET /echo HTTP/1.0
--- response_body
GET /echo HTTP/1.0|localhost|close||||



=== TEST 4: a body gets its length, the newline at its end is not part
--- request
POST /t
hello world
--- response_body
POST /echo/t HTTP/1.1|localhost|close|||11|[hello world]



=== TEST 5: a body from eval
--- request eval
"POST /t\nab" . ("c" x 100)
--- response_body eval
"POST /echo/t HTTP/1.1|localhost|close|||102|[ab" . ("c" x 100) . "]\n"



=== TEST 6: a length of one's own keeps the body as it is
--- request eval
"POST /t\nabc "
--- more_headers
Content-Length: 4
--- response_body eval
"POST /echo/t HTTP/1.1|localhost|close|||4|[abc ]\n"



=== TEST 7: more headers, with a comment between
--- request
GET /echo
--- more_headers
X-A: 1
# X-A: 3
X-B:2
--- response_body
GET /echo HTTP/1.1|localhost|close|1|2||



=== TEST 8: Host and Connection replace the defaults
--- request
GET /echo
--- more_headers
host: example.com
connection: Close
--- response_body
GET /echo HTTP/1.1|example.com|Close||||



=== TEST 9: more headers from eval
--- request
GET /echo
--- more_headers eval
"X-A: " . ("a" x 10)
--- response_body eval
"GET /echo HTTP/1.1|localhost|close|aaaaaaaaaa|||\n"



=== TEST 10: a chunked body
--- request eval
"POST /t\n3\r\nabc\r\n0\r\n\r\n"
--- more_headers
Transfer-Encoding: chunked
--- response_body
POST /echo/t HTTP/1.1|localhost|close|||3|[abc]



=== TEST 11: the deprecated request_eval
--- request_eval
"POST /t\nabc"
--- response_body
POST /echo/t HTTP/1.1|localhost|close|||3|[abc]



=== TEST 12: packets, also within the request line
--- request eval
[["PO", "ST /t\na", {value => "bc", delay_before => 0.05}, "d"]]
--- response_body
POST /echo/t HTTP/1.1|localhost|close|||4|[abcd]



=== TEST 13: a raw request
--- raw_request eval
"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-A: raw\r\n\r\n"
--- response_body
GET /echo HTTP/1.1|h|close|raw|||



=== TEST 14: a raw request in pieces
--- raw_request eval
["GET /ec", "ho HTTP/1.1\r\nHost: h\r\nConn",
 "ection: close\r\nX-A: pieces\r\n\r\n"]
--- raw_request_middle_delay: 0.05
--- response_body
GET /echo HTTP/1.1|h|close|pieces|||



=== TEST 15: base64_decode
--- request base64_decode
R0VUIC9lY2hv
--- response_body
GET /echo HTTP/1.1|localhost|close||||



=== TEST 16: HEAD
--- request
HEAD /echo
--- response_body:



=== TEST 17: a request that nginx rejects
--- raw_request eval
"GET /echo\x01 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
--- error_code: 400
--- response_body_like: 400 Bad Request



=== TEST 18: two requests, each with headers of its own
--- request eval
["GET /echo/1", "POST /2\nabc"]
--- more_headers eval
["X-A: 1", "X-A: 2"]
--- response_body eval
["GET /echo/1 HTTP/1.1|localhost|close|1|||\n",
 "POST /echo/2 HTTP/1.1|localhost|close|2||3|[abc]\n"]



=== TEST 19: pipelined requests use one connection
--- pipelined_requests eval
["GET /echo/1", "POST /2\nabc", "GET /echo/3"]
--- response_body eval
["GET /echo/1 HTTP/1.1|localhost|keep-alive||||\n",
 "POST /echo/2 HTTP/1.1|localhost|keep-alive|||3|[abc]\n",
 qr{^GET /echo/3 HTTP/1.1.localhost.close}]



=== TEST 20: status codes of several requests
--- config
    location /a { return 201; }
    location /b { return 404; }
--- request eval
["GET /a", "GET /b"]
--- error_code eval
[201, 404]
--- response_body_like eval
["^\$", "404 Not Found"]



=== TEST 21: variables in pipelined requests, and headers of each response
--- config
    location / {
        add_header X-Uri $request_uri;
        return 200 "ok";
    }
--- pipelined_requests eval
['GET /$TEST_NGINX_SERVER_PORT', "GET /b"]
--- error_code_like eval
["^20", "0\$"]
--- raw_response_headers_like eval
["X-Uri: /\\d+\r\n", "X-Uri: /b\r\n"]
--- no_error_log
[crit]
