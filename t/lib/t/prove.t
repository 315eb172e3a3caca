# The runner: what it counts as passed and as failed.  Plain TAP.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

my $prove = dirname(dirname(abs_path($0))) . '/prove';
my $folder = tempdir(CLEANUP => 1);

# Server folders of the runs below, which keep those of failed files.
local $ENV{TMPDIR} = $folder;

# What stays is waited for.
local $ENV{CHORUS_GUARD_SECONDS} = 1;

# name, files, last line expected
my @rows = (
    ['one passes', ['use Test::More tests => 2; pass; pass;'], '2, 0'],
    ['two files', ['print "1..1\nok 1\n"', 'print "1..2\nok 1\nok 2\n"'],
        '3, 0'],
    ['one fails', ['use Test::More tests => 2; pass; fail;'], '1, 1'],
    ['skip', ['print "1..2\nok 1\nok 2 # skip no reason\n"'], '1, 1'],
    ['skip all', ['print "1..0 # SKIP no reason\n"'], '0, 1'],
    ['todo', ['print "1..2\nok 1\nnot ok 2 # TODO later\n"'], '1, 1'],
    ['fewer than planned', ['print "1..2\nok 1\n"'], '1, 1'],
    ['more than planned', ['print "1..1\nok 1\nok 2\n"'], '1, 1'],
    ['no plan', ['print "ok 1\n"'], '1, 1'],
    ['exit code', ['print "1..1\nok 1\n"; exit 3'], '1, 1'],
    ['signal', ['$| = 1; print "1..1\nok 1\n"; kill KILL => $$'], '1, 1'],
    ['syntax error', ['print "1..1\nok 1\n'], '0, 1'],
    ['bail out, which does not stop others',
        ['print "ok 1\nBail out!  tired\n"; exit 255', 'print "1..1\nok 1\n"'],
        '2, 1'],
    ['nothing', ['print "1..0\n"'], '0, 1'],
    ['hidden blocks',
        ["print \"1..1\\nok 1\\n\"\n__DATA__\n=== TEST 1\n--- SKIP\n"],
        '1, 1'],
    ['an nginx that stays', [leave_nginx()], '1, 1'],
    ['own ports', [('print "1..1\nok 1\n"; sleep 1; mkdir '
        . '"$ENV{TMPDIR}/$ENV{TEST_NGINX_SERVER_PORT}" or exit 1') x 4],
        '4, 0', '-j4'],
);

for my $row (@rows) {
    my ($name, $files, $counts, @options) = @$row;
    my ($passed, $failed) = split /, /, $counts;

    my ($status, $output) = run_prove($files, @options);
    my ($last) = $output =~ /([^\n]*)\n\z/;
    is($last, "prove: $passed passed, $failed failed", $name)
        or diag $output;
    is($status == 0, $failed == 0, "$name: exit code");
}

done_testing();


sub run_prove {
    my ($files, @options) = @_;

    my @paths;
    for my $index (0 .. $#$files) {
        push @paths, "$folder/$index.t";
        open my $out, '>', $paths[-1] or die "$paths[-1]: $!";
        print $out $files->[$index];
        close $out;
    }

    my $output = `$^X $prove @options @paths 2>&1`;
    return ($?, $output);
}


# A process with the server folder in its command line, led by a pid file.
sub leave_nginx {
    return <<'_EOC_';
my $root = $ENV{TEST_NGINX_SERVROOT};
mkdir $_ for $root, "$root/logs";
pipe my $in, my $until_exec;
my $pid = fork;
if (!$pid) {
    setpgrp;
    close STDOUT;
    exec $^X, '-e', 'sleep 60', $root;
}
close $until_exec;
readline $in;
open my $out, '>', "$root/logs/nginx.pid";
print $out $pid;
close $out;
print "1..1\nok 1\n";
_EOC_
}
