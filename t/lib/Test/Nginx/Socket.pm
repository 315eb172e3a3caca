package Test::Nginx::Socket;

# Runs the blocks of a .t file against a real nginx.  A small stand-in for
# openresty's module of the same name, see t/lib/README.md.

use strict;
use warnings;

use Test::Base -base;
use List::Util qw(shuffle);
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(check_sections section);
use Test::Nginx::Socket::Server;
use Test::Nginx::Socket::Upstream;
use Test::Nginx::Socket::Request qw(requests_of);
use Test::Nginx::Socket::Client qw(exchange);
use Test::Nginx::Socket::Response qw(parse_response);
use Test::Nginx::Socket::Checks qw(is_str add_response_body_check);
use Test::Nginx::Socket::Logs;

our @EXPORT = (@Test::Nginx::Socket::Settings::PUBLIC,
    qw(run_tests bail_out is_str add_response_body_check));

# The last block, as its shutdown_error_log is known only when nginx is gone.
my $previous;

# Only the process that runs the tests cleans up, never a fork of it.
my $owner = 0;


sub run_tests () {
    $owner = $$;
    exit_on_signals();

    my @blocks = Test::Base::blocks();
    @blocks = shuffle(@blocks) if $Setting{shuffle};

    for my $block (@blocks) {
        $_->($block) for @BlockPreprocessors;
        check_sections($block);
        $block->set_value(name => "$0 " . $block->name);
        run_block($block);
        $_->($block) for @TestCleanupHandlers;
        $previous = $block;
    }

    cleanup();
}


# A signal has to end in exit(), or else END does not run and nginx stays.
sub exit_on_signals {
    for my $signal (qw(INT TERM HUP PIPE)) {
        $SIG{$signal} = sub { exit 1 } unless $SIG{$signal};
    }
}


sub run_block {
    my ($block) = @_;

    %RandPorts = ();
    local $Setting{log_level}
        = section($block, 'log_level') || $Setting{log_level};

    return if skip_by_version($block);

    if (Test::Nginx::Socket::Server::must_restart($block)) {
        stop_server();
        Test::Nginx::Socket::Server::prepare($block);
        return run_dying($block) if defined section($block, 'must_die');
        Test::Nginx::Socket::Server::start($block);
    }

    run_init($block);
    Test::Nginx::Socket::Logs::rewind();

    for my $repeat (0 .. $Setting{repeat_each} - 1) {
        Test::Nginx::Socket::Server::write_user_files($block) if $repeat;
        my $upstream = Test::Nginx::Socket::Upstream->start($block);
        run_requests($block, $repeat);
        $upstream->check if $upstream;
    }

    Test::Nginx::Socket::Server::check_alive($block);
}


sub run_dying {
    my ($block) = @_;

    Test::Nginx::Socket::Logs::rewind();

    for my $repeat (0 .. $Setting{repeat_each} - 1) {
        Test::Nginx::Socket::Server::check_death($block);
        Test::Nginx::Socket::Logs::check_error_log($block, $repeat);
    }
}


# The code runs in the package where the genuine module runs it.
sub run_init {
    my ($block) = @_;

    my $code = section($block, 'init');
    return unless $code;

    eval "package Test::Nginx::Util; $code";
    bail_out($block->name, " - init failed: $@") if $@;
}


sub run_requests {
    my ($block, $repeat) = @_;

    my ($requests, $responses_each) = requests_of($block);
    my $total = @$requests * $responses_each;
    my $index = 0;

    for my $packets (@$requests) {
        my ($left, $is_head) = exchange($block, $packets);

        for my $nth (1 .. $responses_each) {
            $left = check_response($block, $left,
                { index => $index++, total => $total, repeat => $repeat,
                  is_head => $is_head, is_last => $nth == $responses_each });
            wait_and_check_logs($block, $repeat);
        }
    }
}


# Returns what follows the response, i.e. the next of the pipelined ones.
sub check_response {
    my ($block, $raw, $at) = @_;

    return '' if defined section($block, 'ignore_response');

    my $res = defined section($block, 'http09')
        ? { code => 200, headers => [], raw_headers => '', body => $raw,
            left => '' }
        : parse_response($block->name, $raw, $at->{is_head});

    if ($at->{is_last} && $res && length $res->{left}) {
        warn 'WARNING: ', $block->name, ' - ', length $res->{left},
            " unexpected bytes after the response\n";
    }

    Test::Nginx::Socket::Checks::check($block, $res, $at);

    return $res ? $res->{left} : '';
}


sub wait_and_check_logs {
    my ($block, $repeat) = @_;

    my $wait = section($block, 'wait');
    sleep $wait if $wait;

    Test::Nginx::Socket::Logs::check_error_log($block, $repeat);

    Test::Nginx::Socket::Logs::check_access_log($block, $repeat)
        unless defined section($block, 'ignore_response');
}


sub skip_by_version {
    my ($block) = @_;

    my $spec = section($block, 'skip_nginx');
    return unless defined $spec;

    my ($tests, $op, $version, $reason) = $spec =~
        m{^\s*(\d+)\s*:\s*([<>]=?)\s*(\d+\.\d+\.\d+)(?:\s*:\s*(.*?))?\s*$}
        or bail_out($block->name, " - bad skip_nginx: $spec");

    my $order = Test::Nginx::Socket::Server::compare_version($version);
    my $skip = { '<' => $order < 0, '<=' => $order <= 0,
                 '>' => $order > 0, '>=' => $order >= 0 }->{$op};
    return unless $skip;

    my $builder = Test::More->builder;
    $builder->skip($block->name . ' - ' . ($reason || "nginx $op $version"))
        for 1 .. $tests * $Setting{repeat_each};
    return 1;
}


sub stop_server {
    Test::Nginx::Socket::Server::stop();
    Test::Nginx::Socket::Logs::check_shutdown($previous) if $previous;
    undef $previous;
}


sub cleanup {
    $_->() for splice @CleanupHandlers;
    Test::Nginx::Socket::Upstream->stop_running;
}


END {
    if ($owner == $$) {
        local $?;       # Test::Builder derives the exit code from it
        cleanup();
        stop_server() unless $ENV{TEST_NGINX_NO_CLEAN};
        Test::Nginx::Socket::Server::remove_random_root();
    }
}

1;
