# What a file starts ends with it, and with the runner, however these end.
# Plain TAP.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $prove = dirname(dirname(abs_path($0))) . '/prove';
my $folder = tempdir(CLEANUP => 1);
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';

# Of the runs below.
local $ENV{TMPDIR} = $folder;
local $ENV{CHORUS_GUARD_SECONDS} = 1;

# A stubborn daemon: a session of its own, no signal but KILL, no descriptor
# or word that tells where it comes from.
my $daemon = <<'_EOC_';
use POSIX ();
sub daemon {
    pipe my $in, my $out;
    my $pid = fork;
    if ($pid) { close $out; sysread $in, my $ready, 1; waitpid $pid, 0; return }
    POSIX::setsid();
    exit if fork;
    $SIG{$_} = 'IGNORE' for qw(INT TERM HUP QUIT PIPE);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    chdir '/';
    $0 = 'somebody';
    note_pid($$);
    $_[0]->() if $_[0];
    syswrite $out, 'x';
    close $out;
    sleep 1 while 1;
}
sub note_pid {
    open my $pids, '>>', 'FOLDER/pids';
    syswrite $pids, "$_[0]\n";
}
_EOC_

# An nginx that was told to quit while somebody is half way in a request.
my $quitting = $daemon . <<'_EOC_';
use IO::Socket::UNIX;
my $at = "FOLDER/servroot";
mkdir $_ for $at, "$at/logs";
open my $out, '>', "$at/conf";
print $out "pid $at/pid; error_log $at/log; events { }\n"
    . ($> == 0 ? "user root;\n" : '')
    . "http { access_log off; client_header_timeout 1h;\n"
    . join('', map { "${_}_temp_path $at;\n" }
        qw(client_body proxy fastcgi scgi uwsgi))
    . "server { listen unix:$at/sock; } }\n";
close $out;
system('NGINX', '-p', $at, '-e', "$at/log", '-c', "$at/conf") == 0 or die;
my ($master, $worker) = (0, 0);
until ($worker) {
    select undef, undef, undef, 0.02;
    open my $in, '<', "$at/pid" or next;
    $master = <$in> or next;
    chomp $master;
    open $in, '<', "/proc/$master/task/$master/children" or next;
    ($worker) = split ' ', <$in> // '';
}
note_pid($_) for $master, $worker;
daemon(sub {
    my $socket = IO::Socket::UNIX->new(Peer => "$at/sock") or die;
    syswrite $socket, "GET / HTTP/1.1\r\n";
    $main::kept = $socket;
});
kill 'QUIT', $master;
select undef, undef, undef, 0.3;
_EOC_

my $passes = "print qq(1..1\nok 1\n);\n";
my $hangs = "note_pid(\$\$); sleep 1 while 1;\n";

# name, code, how many processes it has
my @ends = (
    ['a daemon stays', "$daemon daemon(); $passes", 1],
    ['daemons of a daemon', "$daemon daemon(sub { daemon() }); $passes", 2],
    ['an nginx that waits for its client', $quitting . $passes, 3],
    ['a file that is killed',
        "$daemon daemon(); \$| = 1; $passes kill KILL => \$\$;", 1],
);

# A file that hangs is one, too.
my @hanging = (
    ['a daemon', "$daemon daemon(); $hangs", 2, qw(KILL TERM INT HUP)],
    ['an nginx', $quitting . $hangs, 4, 'KILL'],
    ['a file that does not obey', "$daemon \$SIG{TERM} = 'IGNORE'; daemon();"
        . $hangs, 2, qw(KILL TERM)],
);

# Without the runner they do stay: else this here would show nothing.
for my $row (@ends) {
    my ($name, $code, $count) = @$row;
    my $pid = start($^X, file($code));
    waitpid $pid, 0;
    my @pids = pids($count);
    sleep 0.5;
    is(scalar(grep { is_there($_) } @pids), $count, "$name: of itself it does");
    kill 'KILL', @pids;
}

for my $row (@ends) {
    my ($name, $code, $count) = @$row;
    my $output = run_prove($code);
    my @pids = pids($count);
    is_deeply([grep { is_there($_) } @pids], [], "$name: is ended");
    is(scalar(() = $output =~ /leaves process \d+/g), $count,
        "$name: is told of") or diag $output;
    like($output, qr/^prove: 1 passed, 1 failed$/m, "$name: is a failure");
}

for my $row (@hanging) {
    my ($name, $code, $count, @signals) = @$row;
    for my $signal (@signals) {
        my $pid = start($prove, file($code));
        my @pids = pids($count);
        is(scalar(grep { is_there($_) } @pids), $count, "$name: is there");
        kill $signal, $pid;
        waitpid $pid, 0;
        # whoever killed the runner need not wait
        await_end(@pids);
        is_deeply([grep { is_there($_) } @pids], [],
            "$name: is ended after SIG$signal of the runner");
    }
}

done_testing();


sub file {
    my ($code) = @_;

    unlink "$folder/pids";
    $code =~ s/FOLDER/$folder/g;
    $code =~ s/NGINX/$nginx/g;
    open my $out, '>', "$folder/one.t" or die "$folder/one.t: $!";
    print $out $code;
    close $out;
    return "$folder/one.t";
}


sub run_prove {
    my $file = file(@_);

    return scalar `$^X $prove $file 2>&1`;
}


sub start {
    my @command = @_;

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec @command or POSIX::_exit(127);
    }

    return $pid;
}


# Those that the file has noted, when there are so many.
sub pids {
    my ($count) = @_;

    my @pids;
    my $deadline = time + 40;
    until (@pids >= $count || time > $deadline) {
        sleep 0.02;
        @pids = split ' ', slurp("$folder/pids");
    }

    is(scalar @pids, $count, "$count processes");
    return @pids;
}


sub await_end {
    my @pids = @_;

    my $deadline = time + 60;
    sleep 0.05 while grep({ is_there($_) } @pids) && time < $deadline;
}


# What nobody has waited for yet is gone, too.
sub is_there {
    my ($pid) = @_;

    return slurp("/proc/$pid/stat") =~ /\) [^ZX] /;
}


sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}
