# tcp_listen: a server that plays the upstream.

use Test::Nginx::Socket;

repeat_each(2);
plan tests => repeat_each() * (2 * blocks() + 3);

our $proxy = <<'_EOC_';
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
        proxy_set_header Host up;
    }
_EOC_

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(config => $::proxy) unless defined $block->config;
});

run_tests();

__DATA__

=== TEST 1: a reply, and the length of the query
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"
--- tcp_query_len: 49
--- request
GET /t
--- response_body chomp
abc



=== TEST 2: the query itself
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nabc"
--- tcp_query eval
"GET /up HTTP/1.0\r\nHost: up\r\nConnection: close\r\n\r\n"
--- tcp_query_len: 49
--- request
GET /t
--- response_body chomp
abc



=== TEST 3: a reply in pieces
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
["HTTP/1.0 200 ", "OK\r\n\r\na", "bc"]
--- request
GET /t
--- response_body chomp
abc



=== TEST 4: a reply that depends on the query
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
sub {
    my ($query) = @_;
    my ($line) = $query =~ /^(.*)\r\n/;
    return ["HTTP/1.0 200 OK\r\n\r\n", "<$line>"];
}
--- request
GET /t
--- response_body chomp
<GET /up HTTP/1.0>



=== TEST 5: a query of unknown length
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_query_auto_timeout: 0.1
--- tcp_reply eval
sub { "HTTP/1.0 200 OK\r\n\r\n" . ($_[0] =~ /(hello)$/)[0] }
--- request
POST /t
hello
--- response_body chomp
hello



=== TEST 6: a reply that comes too late
--- config
    location /t {
        proxy_read_timeout 50ms;
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/up;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply_delay: 400ms
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nabc"
--- request
GET /t
--- error_code: 504
--- error_log
upstream timed out



=== TEST 7: a unix socket
--- config
    location /t {
        proxy_pass http://unix:$TEST_NGINX_SERVER_ROOT/html/up.sock;
    }
--- tcp_listen: $TEST_NGINX_SERVER_ROOT/html/up.sock
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\nabc"
--- request
GET /t
--- response_body chomp
abc



=== TEST 8: an upstream that closes without a word
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_shutdown: 1
--- request
GET /t
--- error_code: 502
--- error_log
upstream prematurely closed connection



=== TEST 9: nobody listens
--- request
GET /t
--- error_code: 502
--- error_log
Connection refused



=== TEST 10: a large reply
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n" . ("0123456789" x 100000)
--- request
GET /t
--- response_body eval
"0123456789" x 100000
