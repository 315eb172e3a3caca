package Test::Nginx::Socket::Settings;

# What a .t file or the environment may set, and helpers that depend on
# nothing but the settings.

use strict;
use warnings;

use Exporter 'import';
use File::Spec;
use IO::Socket::INET;
use POSIX qw(:signal_h);
use Test::More ();

# Functions which a .t file sees.
our @PUBLIC = qw(
    repeat_each workers worker_connections log_level timeout
    server_addr server_name server_port server_port_for_client
    master_on master_off master_process_enabled
    no_shuffle no_long_string no_root_location check_accum_error_log
    config_preamble env_to_nginx html_dir server_root
    add_block_preprocessor add_cleanup_handler add_test_cleanup_handler
    use_hup no_nginx_manager
);

our @VARIABLES = qw(
    $ServerAddr $ServerPort $ServerPortForClient
    $ServRoot $ConfDir $ConfFile $HtmlDir $LogDir $CacheDir
    $ErrLogFile $AccLogFile $PidFile
);

our @EXPORT_OK = (@PUBLIC, @VARIABLES, qw(
    %Setting %RandPorts @EnvToNginx
    @BlockPreprocessors @CleanupHandlers @TestCleanupHandlers
    bail_out expand parse_time spawn
));
our %EXPORT_TAGS = (all => \@EXPORT_OK);

my @UNSUPPORTED_MODES = qw(
    BENCHMARK CHECK_LEAK IGNORE_MISSING_DIRECTIVES LD_PRELOAD
    NO_NGINX_MANAGER REUSE_PORT USE_HTTP2 USE_HTTP3 USE_HUP USE_RR USE_STAP
    USE_VALGRIND
);

for my $mode (@UNSUPPORTED_MODES) {
    die "TEST_NGINX_$mode is not supported by t/lib\n"
        if $ENV{"TEST_NGINX_$mode"};
}

our %Setting = (
    repeat_each        => 1,
    workers            => 1,
    worker_connections => 64,
    log_level          => $ENV{TEST_NGINX_LOG_LEVEL} || 'debug',
    timeout            => $ENV{TEST_NGINX_TIMEOUT} || 3,
    sleep              => $ENV{TEST_NGINX_SLEEP} || 0.015,
    master_process     => $ENV{TEST_NGINX_MASTER_PROCESS} || 'off',
    server_name        => 'localhost',
    shuffle            => !$ENV{TEST_NGINX_NO_SHUFFLE},
    long_string        => 1,
    root_location      => 1,
    accum_error_log    => $ENV{TEST_NGINX_CHECK_ACCUM_ERR_LOG},
    config_preamble    => '',
    force_restart      => $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} // 1,
    binary             => $ENV{TEST_NGINX_BINARY} || 'nginx',
    random_root        => $ENV{TEST_NGINX_RANDOMIZE},
);

our (@EnvToNginx, @BlockPreprocessors, @CleanupHandlers,
    @TestCleanupHandlers);

# TEST_NGINX_RAND_PORT_N => port, for the block that runs.
our %RandPorts;

srand($$ ^ time);

our $ServerAddr = '127.0.0.1';
our $ServerPort = $Setting{random_root} ? free_port(10000, 20000)
    : $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
our $ServerPortForClient = $Setting{random_root} ? $ServerPort
    : $ENV{TEST_NGINX_CLIENT_PORT} || $ServerPort;

our $ServRoot = $Setting{random_root}
    ? File::Spec->rel2abs("t/servroot_$ServerPort")
    : $ENV{TEST_NGINX_SERVROOT} || File::Spec->rel2abs('t/servroot');

our $ConfDir    = "$ServRoot/conf";
our $ConfFile   = "$ConfDir/nginx.conf";
our $HtmlDir    = "$ServRoot/html";
our $LogDir     = "$ServRoot/logs";
our $CacheDir   = "$ServRoot/cache";
our $ErrLogFile = "$LogDir/error.log";
our $AccLogFile = "$LogDir/access.log";
our $PidFile    = "$LogDir/nginx.pid";

$ENV{TEST_NGINX_SERVER_ROOT} = $ServRoot;
$ENV{TEST_NGINX_SERVER_PORT} = $ServerPort
    if $Setting{random_root} || !defined $ENV{TEST_NGINX_SERVER_PORT};

# Tests know these as $Test::Nginx::Util::HtmlDir etc.  There is no file
# Util.pm here: a genuine Socket.pm must never load ours in place of its own.
{
    package Test::Nginx::Util;
    Test::Nginx::Socket::Settings->import(@VARIABLES,
        qw(bail_out html_dir server_root server_port server_addr));
}


# repeat_each(2) sets, repeat_each() reads.
for my $name (qw(repeat_each workers worker_connections log_level timeout
                 server_name))
{
    no strict 'refs';
    *$name = sub {
        $Setting{$name} = shift if @_;
        return $Setting{$name};
    };
}

sub server_addr {
    $ServerAddr = shift if @_;
    return $ServerAddr;
}

sub server_port {
    $ServerPort = shift if @_;
    return $ServerPort;
}

sub server_port_for_client {
    $ServerPortForClient = shift if @_;
    return $ServerPortForClient;
}

sub master_process_enabled {
    $Setting{master_process} = shift() ? 'on' : 'off' if @_;
    return $Setting{master_process};
}

sub master_on ()             { $Setting{master_process} = 'on' }
sub master_off ()            { $Setting{master_process} = 'off' }
sub no_shuffle ()            { $Setting{shuffle} = 0 }
sub no_long_string ()        { $Setting{long_string} = 0 }
sub no_root_location ()      { $Setting{root_location} = 0 }
sub check_accum_error_log () { $Setting{accum_error_log} = 1 }
sub config_preamble ($)      { $Setting{config_preamble} = shift }
sub html_dir ()              { $HtmlDir }
sub server_root ()           { $ServRoot }

# The handler added last runs first.
sub add_block_preprocessor (&)   { unshift @BlockPreprocessors, shift }
sub add_cleanup_handler ($)      { unshift @CleanupHandlers, shift }
sub add_test_cleanup_handler ($) { unshift @TestCleanupHandlers, shift }

sub use_hup ()          { bail_out('use_hup is not supported by t/lib') }
sub no_nginx_manager () {
    bail_out('no_nginx_manager is not supported by t/lib');
}

sub env_to_nginx {
    for my $entry (@_) {
        bail_out("env_to_nginx: bad value: $entry")
            if $entry !~ /^[A-Za-z_]/ || $entry =~ /\n/;
    }

    push @EnvToNginx, @_;
}


# Ends the whole file: what runs is left to END.
sub bail_out {
    Test::More::BAIL_OUT(join '', @_);
}


# Runs the code in a child.  A signal waits until the pid is where END finds
# it, or else the child would stay behind.
sub spawn {
    my ($pid, $code) = @_;

    my $before = POSIX::SigSet->new;
    sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGINT, SIGTERM, SIGHUP),
        $before);

    my $child = fork // bail_out("fork: $!");
    if ($child == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
        sigprocmask(SIG_SETMASK, $before);
        $code->();
        POSIX::_exit(127);      # the parent's END blocks are not ours
    }

    $$pid = $child;
    sigprocmask(SIG_SETMASK, $before);
}


# "100ms", "2s" and "0.5" in seconds.
sub parse_time {
    my ($text) = @_;

    return undef unless defined $text;
    return $1 / 1000 if $text =~ /^\s*([\d.]+)\s*ms\s*$/;
    return $1 if $text =~ /^\s*([\d.]+)\s*s?\s*$/;
    bail_out("bad time: $text");
}


sub expand {
    my ($text, $name) = @_;

    return $text if !defined $text || ref $text;

    $text =~ s/\$(TEST_NGINX_[_A-Z0-9]+)/expand_one($1, $name)/ge;
    return $text;
}


sub expand_one {
    my ($variable, $name) = @_;

    return $RandPorts{$variable} //= random_port()
        if $variable =~ /^TEST_NGINX_RAND_PORT_\d+$/;

    return $ENV{$variable}
        // bail_out("$name - \$$variable is not in the environment");
}


# Each server port owns twelve of these, so files that run at the same time
# do not take each other's between the choice and the listen().
sub random_port {
    my $first = 20000 + 12 * ($ServerPort % 1000);

    return free_port($first, $first + 12);
}


# Below the range from which the kernel takes ports for clients.
sub free_port {
    my ($from, $to) = @_;

    my %taken = map { $_ => 1 } grep { defined } values %RandPorts;

    for (1 .. 1000) {
        my $port = $from + int rand($to - $from);
        next if $taken{$port};
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 1, ReuseAddr => 1) or next;
        return $port;
    }

    bail_out("no free port between $from and $to");
}

1;
