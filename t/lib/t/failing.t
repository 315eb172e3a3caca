# Each kind of wrong expectation must fail: a file with one block is run, and
# what it prints is compared.  Plain TAP, not Test::Nginx: it is the subject.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use Test::More;

# Ours is stricter than the genuine module, which ignores some mistakes.
my $is_ours = eval { require Test::Nginx::Socket::Sections; 1 };

my $folder = tempdir(CLEANUP => 1);
local $ENV{PERL5LIB} = join ':', map { abs_path($_) // () } @INC;
local $ENV{TEST_NGINX_SERVROOT} ||= "$folder/servroot";

my $config = <<'_EOC_';
--- config
    location /t {
        add_header X-A 1;
        return 200 "hello\n";
    }
    location /missing { root /nonexistent; }
    location /up {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_set_header Host up;
    }
_EOC_

my $get = "$config--- request\nGET /t\n";
my $missing = "$config--- request\nGET /missing\n--- error_code: 404\n";
my $two = "$config--- request eval\n[\"GET /t\", \"GET /t\"]\n";
my $pipelined = "$config--- pipelined_requests eval\n"
    . "[\"GET /t\", \"GET /t\"]\n";
my $up = $config . <<'_EOC_';
--- request
GET /up
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_reply eval
"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc"
_EOC_

# name, block, the output that shows why it fails
my @fails = (
    ['status code', "$get--- error_code: 201", '^not ok'],
    ['default status code', "$config--- request\nGET /missing", '^not ok'],
    ['error_code_like', "$get--- error_code_like: ^4", '^not ok'],
    ['response_body', "$get--- response_body\nHello", '^not ok'],
    ['response_body, newline', "$get--- response_body chomp\nhello",
        '^not ok'],
    ['response_body, regex', "$get--- response_body eval\nqr/^H/", '^not ok'],
    ['response_body_eval', "$get--- response_body_eval\n'x'", '^not ok'],
    ['response_body_like', "$get--- response_body_like: ^H", '^not ok'],
    ['response_body_unlike', "$get--- response_body_unlike: h", '^not ok'],
    ['response_headers', "$get--- response_headers\nX-A: 2", '^not ok'],
    ['response_headers, missing', "$get--- response_headers\nX-B: 2",
        '^not ok'],
    ['response_headers, absent', "$get--- response_headers\n! X-A",
        '^not ok'],
    ['response_headers_like', "$get--- response_headers_like\nX-A: 2+",
        '^not ok'],
    ['response_headers_like is anchored',
        "$get--- response_headers_like\nContent-Type: text", '^not ok'],
    ['raw_response_headers_like',
        "$get--- raw_response_headers_like: X-B", '^not ok'],
    ['raw_response_headers_unlike',
        "$get--- raw_response_headers_unlike: X-A", '^not ok'],
    ['error_log', "$missing--- error_log\nno such text", '^not ok'],
    ['error_log, one of two',
        "$missing--- error_log\nfailed\nno such text", '^not ok'],
    ['error_log, literal', "$missing--- error_log\nop.n", '^not ok'],
    ['error_log, regex', "$missing--- error_log eval\nqr/xyz\$/", '^not ok'],
    ['no_error_log', "$missing--- no_error_log\n[error]", '^not ok'],
    ['no_error_log, one of two',
        "$missing--- no_error_log\n[alert]\nfailed", '^not ok'],
    ['no_error_log, regex', "$missing--- no_error_log eval\nqr/fai[l]ed/",
        '^not ok'],
    ['grep_error_log', "$missing--- grep_error_log chomp\nfailed\n"
        . "--- grep_error_log_out\nfailed\nfailed", '^not ok'],
    ['grep_error_log, nothing wanted', "$missing--- grep_error_log chomp\n"
        . "failed\n--- grep_error_log_out\n", '^not ok'],
    ['access_log', "$get--- access_log\nGET /u", '^not ok'],
    ['no_access_log', "$get--- no_access_log\nGET /t", '^not ok'],
    ['shutdown_error_log', "$get--- shutdown_error_log\nno such text",
        '^not ok'],
    ['no_shutdown_error_log', "$get--- no_shutdown_error_log\nexit",
        '^not ok'],
    ['must_die', "$config--- must_die", '^not ok'],
    ['must_die with another code',
        "--- config\n    nonsense;\n--- must_die: 2", '^not ok'],
    ['must_die, error_log', "--- config\n    nonsense;\n--- must_die\n"
        . "--- error_log\nno such text", '^not ok'],
    ['tcp_query', "$up--- tcp_query eval\n\"GET /other\"", '^not ok'],
    ['tcp_query_len', "$up--- tcp_query_len: 3", '^not ok'],
    ['timeout', "$config--- request\nGET /up\n"
        . "--- tcp_listen: \$TEST_NGINX_RAND_PORT_1\n--- tcp_no_close\n"
        . "--- tcp_reply:\n--- timeout: 0.2\n--- error_code:", '^not ok'],
    ['a body that is not chunked', "$config--- request\nGET /t\n"
        . "--- response_body_like: ^[0-9a-f]+\\r\\n", '^not ok'],
    ['second of two requests',
        "$two--- response_body eval\n[\"hello\\n\", \"x\"]", '^not ok'],
    ['second of two status codes', "$two--- error_code eval\n[200, 201]",
        '^not ok'],
    ['second of two pipelined',
        "$pipelined--- response_body eval\n[\"hello\\n\", \"x\"]", '^not ok'],
    ['two requests, one expectation', "$two--- response_body\nhello",
        'expected results should be arrays|needs an array'],
    ['no request', $config, 'Bail out'],
    ['no config', "--- request\nGET /t", 'Bail out'],
    ['an unknown variable', "--- config\n    # \$TEST_NGINX_NOT_SET\n",
        'Bail out.*TEST_NGINX_NOT_SET'],
    ['tcp_listen without a reply', "$get--- tcp_listen: 1989", 'Bail out'],
    ['code of init', "$get--- init\ndie 'on purpose'",
        'Bail out.*on purpose'],
);

# What the genuine module does not notice.
my @ours = (
    ['unknown section', "$get--- respones_body\nx",
        'Bail out.*TEST 1.*unknown section --- respones_body'],
    ['section of the genuine module', "$get--- http2",
        'Bail out.*TEST 1.*http2 is not supported by t/lib'],
    ['section twice', "$get--- error_log\na\n--- error_log\nb",
        'Bail out.*error_log appears twice'],
    ['section without the blank', "$get---error_log\na",
        'Bail out.*swallowed'],
    ['error in eval', "$get--- no_error_log eval\n[", 'Bail out.*eval:'],
    ['two sections of which one is looked at',
        "$get--- response_body\nhello\n--- response_body_like: x",
        'Bail out.*exclude'],
    ['a response that is ignored',
        "$get--- ignore_response\n--- response_body\nx", 'Bail out'],
    ['tcp_query without tcp_listen', "$get--- tcp_query: x", 'Bail out'],
    ['files without a config', "$get\n=== TEST 2\n--- user_files\n>>> a\nb\n"
        . "--- request\nGET /a", 'Bail out.*no effect without --- config'],
    ['empty error_log', "$get--- error_log\n", 'Bail out.*empty'],
    ['too many expectations', "$get--- error_code eval\n[200, 200]",
        'Bail out.*2 values for 1'],
    ['a header line without a value', "$get--- response_headers\nX-A",
        'Bail out.*bad line'],
    ['an absent header, in another case',
        "$get--- response_headers\n! x-a", '^not ok'],
    ['a newline in grep_error_log', "$missing--- grep_error_log\nfailed\n"
        . "--- grep_error_log_out\n", 'Bail out.*spans lines'],
    ['a wait with a unit', "$get--- wait: 10ms", 'Bail out.*number'],
    ['nginx that dies', "$config--- request\nGET /t\n--- init\n"
        . "kill KILL => get_pid_from_pidfile('');", '^not ok'],
    ['configuration that nginx rejects', "--- config\n    nonsense;\n"
        . "--- request\nGET /t", 'Bail out.*unknown directive "nonsense"'],
);

# The runner itself: what is right must pass.
my ($status, $output) = run_block("$get--- response_body\nhello");
is($status, 0, 'a right expectation passes') or diag $output;

for my $row (@fails, $is_ours ? @ours : ()) {
    my ($name, $block, $reason) = @$row;

    # A harness sees "not ok" too, where the genuine module exits with 0.
    my ($status, $output) = run_block($block);
    my $is_seen = $status != 0 || $output =~ /^not ok/m;
    ok($is_seen && $output =~ /$reason/m, "fails: $name")
        or diag "status $status, output:\n$output";
}

done_testing();


sub run_block {
    my ($block) = @_;

    my $file = "$folder/one.t";
    open my $out, '>', $file or die "$file: $!";
    print $out "use Test::Nginx::Socket 'no_plan';\n",
        "no_shuffle();\nrun_tests();\n\n__DATA__\n\n",
        "=== TEST 1: one\n$block\n";
    close $out;

    my $output = `$^X $file 2>&1`;
    return ($?, $output);
}
