# Nothing stays behind, however a file ends.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

my $is_ours = eval { require Test::Nginx::Socket::Sections; 1 };

my $folder = tempdir(CLEANUP => 1);
local $ENV{PERL5LIB} = join ':', map { abs_path($_) // () } @INC;
local $ENV{TEST_NGINX_SERVROOT} = "$folder/servroot";

my $block = <<'_EOC_';
=== TEST 1
--- config
    location /t {
        proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- tcp_listen: $TEST_NGINX_RAND_PORT_1
--- tcp_no_close
--- tcp_reply eval
"HTTP/1.0 200 OK\r\n\r\n"
--- request
GET /t
--- timeout: 10
_EOC_

my $plain = "=== TEST 1\n--- config\nlocation /t { return 200; }\n"
    . "--- request\nGET /t\n";

for my $master ('', 'master_on(); workers(2);') {
    run_file("$master run_tests();", $plain);
    is(left_behind(), '', "normal end $master");

    run_file("$master run_tests(); die 'on purpose';", $plain);
    is(left_behind(), '', "die $master");

    run_file("$master add_test_cleanup_handler(sub { die 'on purpose' });"
        . 'run_tests();', $plain);
    is(left_behind(), '', "die within the tests $master");

    run_file("$master run_tests();", $plain
        . "--- init\nbail_out('on purpose')");
    is(left_behind(), '', "bail out $master");
}

# The genuine module does not handle signals.
for my $signal ($is_ours ? qw(INT TERM HUP) : ()) {
    for my $delay (0.05, 0.15, 0.3, 1) {
        my $pid = start_file('run_tests();', $block);
        sleep $delay;
        kill $signal, $pid;
        waitpid $pid, 0;
        is(left_behind(), '', "SIG$signal after $delay s");
    }
}

done_testing();


sub run_file {
    my $pid = start_file(@_);

    waitpid $pid, 0;
}


sub start_file {
    my ($code, $data) = @_;

    my $file = "$folder/one.t";
    open my $out, '>', $file or die "$file: $!";
    print $out "use Test::Nginx::Socket 'no_plan';\n$code\n__DATA__\n\n$data";
    close $out;

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec $^X, $file;
    }

    return $pid;
}


# Processes of the file or of its nginx: both have the folder in their
# command line, workers in the title of their master.
sub left_behind {
    my @found;

    for my $path (glob '/proc/[0-9]*/cmdline') {
        my ($pid) = $path =~ /(\d+)/;
        next if $pid == $$;
        open my $in, '<', $path or next;
        (my $command = <$in> // '') =~ tr/\0/ /;
        next unless $command =~ /\Q$folder\E/ || has_folder($pid);
        push @found, "$pid $command";
        kill 'KILL', $pid;
    }

    return join "\n", @found;
}


sub has_folder {
    my ($pid) = @_;

    return grep { (readlink($_) // '') =~ /\Q$folder\E/ }
        glob "/proc/$pid/fd/*";
}
