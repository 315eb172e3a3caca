package Test::Nginx::Socket::Server;

# The nginx under test: its folder, its configuration, its life.

use strict;
use warnings;

use File::Glob qw(:bsd_glob);
use File::Path qw(make_path remove_tree);
use Scalar::Util qw(looks_like_number);
use Test::More ();
use Time::HiRes qw(sleep time);

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section);

# nginx itself tries for 2.5 s to bind a port.
use constant START_ATTEMPTS => 3;

my $running_config;

# The nginx that has not yet become a daemon, and whether there may be one
# that has but did not write its pid file: a signal must find both.
my ($starting, $launched);

my ($version, $configure);


# A block without a config runs against the nginx of the block before.
sub must_restart {
    my ($block) = @_;

    my $config = expand(section($block, 'config'), $block->name);

    if (!defined $config) {
        return 0 if defined $running_config;
        bail_out($block->name, ' - no --- config here nor in a block before');
    }

    return 0 if !$Setting{force_restart} && defined $running_config
        && $running_config eq $config;

    $running_config = $config;
    return 1;
}


sub prepare {
    my ($block) = @_;

    prepare_root();

    if (my $code = section($block, 'post_setup_server_root')) {
        eval "package Test::Nginx::Util; $code";
        bail_out($block->name, " - post_setup_server_root failed: $@") if $@;
    }

    write_user_files($block);
    write_file($ConfFile, config_text($block));
}


# Only what was made here is removed: TEST_NGINX_SERVROOT may be misused.
sub prepare_root {
    if (-d $ServRoot) {
        remove_tree($ConfDir, $CacheDir, $HtmlDir, $LogDir,
            glob("$ServRoot/*_cache"), glob("$ServRoot/*_temp"));
        rmdir $ServRoot or bail_out("cannot remove $ServRoot: $!");
    }

    make_path($ConfDir, $HtmlDir, $LogDir);
    write_file("$HtmlDir/index.html", '<html><head><title>It works!</title>'
        . '</head><body>It works!</body></html>');
}


sub write_file {
    my ($path, $content) = @_;

    open my $out, '>:raw', $path or bail_out("cannot write $path: $!");
    print $out $content;
    close $out or bail_out("cannot write $path: $!");
}


sub write_user_files {
    my ($block) = @_;

    my $files = section($block, 'user_files');
    return unless $files;

    my $name = $block->name;
    $files = parse_user_files($files, $name) unless ref $files;

    for my $file (@$files) {
        my ($path, $body, $date) = @$file;
        $path = "$HtmlDir/$path" unless $path =~ m{^/};
        make_path($1) if $path =~ m{^(.*)/};
        write_file($path, expand($body // '', $name));
        next unless $date;

        local $ENV{TZ} = 'GMT';
        system('touch', '-t', $date, $path) == 0
            or bail_out("$name - bad date of user file: $date");
    }
}


sub parse_user_files {
    my ($text, $name) = @_;

    my @files;
    for my $line (split /^/, $text) {
        if ($line =~ />>> (\S+)(?:\s+(.+))?/) {
            push @files, [$1, '', $2];
            next;
        }

        bail_out("$name - user_files: text before the first >>>")
            unless @files;
        $files[-1][1] .= $line;
    }

    return \@files;
}


sub config_text {
    my ($block) = @_;

    my $get = sub { expand(section($block, shift), $block->name) // '' };

    my $log = $get->('error_log_file') || $ErrLogFile;
    my $env = join '', map { /\s/ ? "env '$_';\n" : "env $_;\n" }
        @EnvToNginx,
        qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS LD_PRELOAD LD_LIBRARY_PATH);
    my $modules = join '', map { "load_module $_;\n" }
        split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    my $user = $ENV{TEST_NGINX_WORKER_USER} // ($> == 0 ? 'root' : undef);
    my $user_line = defined $user ? "user $user;" : '';
    my $events = $ENV{TEST_NGINX_EVENT_TYPE}
        ? "use $ENV{TEST_NGINX_EVENT_TYPE};" : '';
    my $http = $get->('http_config');

    return <<"END";
worker_processes $Setting{workers};
daemon on;
master_process $Setting{master_process};
error_log $log $Setting{log_level};
pid $PidFile;
$user_line
$env
$modules
@{[ $get->('main_config') ]}

http {
    access_log $AccLogFile;
@{[ temp_paths($http) ]}
    default_type text/plain;
    keepalive_timeout 68s;

$http
@{[ postpone_output($http) ]}
    server {
        listen $ServerPort;
        server_name @{[ quoted_server_name($get->('server_name')) ]};
        client_max_body_size 30M;

$Setting{config_preamble}
# --- config
@{[ $get->('config') ]}
# --- end of config

@{[ root_location() ]}
    }
}

@{[ $get->('post_main_config') ]}

events {
    accept_mutex off;
    worker_connections $Setting{worker_connections};
    $events
}
END
}


# Debian's binary keeps them under /var, where two nginx would meet.
sub temp_paths {
    my ($http_config) = @_;

    my $text = '';
    for my $kind (qw(client_body proxy fastcgi scgi uwsgi)) {
        next if $http_config =~ /\b${kind}_temp_path\b/;
        next if configure_arguments() =~ /--without-http_${kind}_module/;
        $text .= "    ${kind}_temp_path $ServRoot/${kind}_temp;\n";
    }

    return $text;
}


sub postpone_output {
    my ($http_config) = @_;

    my $size = $ENV{TEST_NGINX_POSTPONE_OUTPUT};
    return '' if !defined $size || $http_config =~ /\bpostpone_output\b/;
    return "    postpone_output $size;";
}


sub quoted_server_name {
    my ($name) = @_;

    $name = $Setting{server_name} if $name eq '';
    $name =~ s/([\\'])/\\$1/g;
    return "'$name'";
}


sub root_location {
    return '' unless $Setting{root_location};

    return "location / { root $HtmlDir; index index.html index.htm; }";
}


sub configure_arguments {
    read_version();
    return $configure;
}


# As cmp: -1, 0 or 1 when the nginx under test is older, the same or newer.
sub compare_version {
    my ($other) = @_;

    read_version();
    my $number = sub { sprintf '%03d%03d%03d', split /\./, shift };
    return $number->($version) cmp $number->($other);
}


sub read_version {
    return if defined $version;

    $configure = `$Setting{binary} -V 2>&1`;
    ($version) = $configure =~ m{version: \S+/(\d+\.\d+\.\d+)}
        or bail_out("cannot run $Setting{binary} -V: $configure");
}


sub start {
    my ($block) = @_;

    for my $attempt (1 .. START_ATTEMPTS) {
        my ($status, $output) = run_nginx();
        if ($status == 0) {
            show($block, $output);
            last;
        }

        next if $output =~ /Address already in use/
            && $attempt < START_ATTEMPTS;
        bail_out($block->name, ' - nginx does not start (',
            describe_status($status), "): $output");
    }

    wait_for(\&running_pid, $Setting{timeout})
        or bail_out($block->name, " - nginx did not write $PidFile");
    sleep $Setting{sleep};
}


sub show {
    my ($block, $output) = @_;

    print STDERR $output unless defined section($block, 'suppress_stderr');
}


# Returns the wait status and what nginx wrote to stderr.
sub run_nginx {
    my $errors = "$LogDir/stderr.log";
    $launched = 1;
    spawn(\$starting, sub {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', $errors;
        { exec { $Setting{binary} } $Setting{binary}, '-e', $ErrLogFile,
            '-p', "$ServRoot/", '-c', $ConfFile; }
        print STDERR "cannot execute $Setting{binary}: $!\n";
    });

    waitpid $starting, 0;
    my $status = $?;
    undef $starting;
    $launched = $status == 0;

    return ($status, read_file($errors));
}


sub read_file {
    my ($path) = @_;

    open my $in, '<:raw', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}


sub describe_status {
    my ($status) = @_;

    return 'signal ' . ($status & 127) if $status & 127;
    return 'exit code ' . ($status >> 8);
}


sub check_death {
    my ($block) = @_;

    my $name = $block->name;
    my $expected = section($block, 'must_die');
    my ($status, $output) = run_nginx();
    show($block, $output);

    if ($status & 127) {
        Test::More::fail("$name - nginx must die, not crash: "
            . describe_status($status));

    } elsif (($status >> 8) == 127) {
        Test::More::fail("$name - cannot execute $Setting{binary}");

    } elsif (looks_like_number($expected)) {
        Test::More::is($status >> 8, $expected, "$name - exit code");

    } else {
        Test::More::isnt($status, 0, "$name - nginx must die");
    }

    if ($status == 0) {
        wait_for(\&running_pid, $Setting{timeout});
        sleep $Setting{sleep};
        stop();
    }

    undef $running_config;
}


# The pid in the pid file, if it is that of an nginx of this folder.  Debian's
# nginx writes the file before it leads a group, which stop() relies on.
sub running_pid {
    my ($pid) = read_file($PidFile) =~ /^(\d+)$/ or return undef;

    my $command = read_file("/proc/$pid/cmdline");
    return undef unless $command =~ /\Q$ServRoot\E/;

    return getpgrp($pid) == $pid ? $pid : undef;
}


sub check_alive {
    my ($block) = @_;

    Test::More::fail($block->name . ' - nginx is gone after the block')
        unless running_pid();
}


# The daemon leads a process group, which holds its workers too, also those
# of before a reload.
sub stop {
    my $seconds = $Setting{timeout};

    if ($starting) {
        local $?;
        # it goes, or has become a daemon
        kill 'TERM', $starting;
        waitpid $starting, 0;
        $seconds = 1 if $? != 0;
        undef $starting;
    }

    wait_for(\&running_pid, $seconds) if $launched;
    $launched = 0;

    my $pid = running_pid() or return;

    kill $ENV{TEST_NGINX_FAST_SHUTDOWN} ? 'TERM' : 'QUIT', $pid;
    my $gone = sub { !group_lives($pid) };

    if (!wait_for($gone, $Setting{timeout})) {
        warn "WARNING: nginx $pid does not stop, killing it\n";
        kill 'KILL', -$pid;
        wait_for($gone, 5) or warn "WARNING: nginx $pid is still there\n";
    }

    unlink $PidFile;
}


# A daemon that nobody has waited for yet is gone too: that may take the
# init process of a container some seconds.
sub group_lives {
    my ($group) = @_;

    return 0 unless kill 0, -$group;

    for my $stat (map { read_file($_) } glob '/proc/[0-9]*/stat') {
        my ($state, $its_group) = $stat =~ /\) (\S) \d+ (\d+)/ or next;
        return 1 if $its_group == $group && $state !~ /[ZX]/;
    }

    return 0;
}


sub wait_for {
    my ($is_true, $seconds) = @_;

    my $deadline = time + $seconds;
    until ($is_true->()) {
        return 0 if time > $deadline;
        sleep 0.01;
    }

    return 1;
}


sub remove_random_root {
    remove_tree($ServRoot)
        if $Setting{random_root} && $ServRoot =~ m{/t/servroot_\d+$};
}


# For --- init, where a test sends a signal to nginx.
sub Test::Nginx::Util::get_pid_from_pidfile {
    return running_pid();
}

1;
