package Test::Nginx::Socket::Logs;

# The sections that are compared with error.log and access.log.

use strict;
use warnings;

use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section);
use Test::Nginx::Socket::Checks qw(is_str);

# Each response is compared with the lines since the one before.
my $position = 0;

# Lines that fail a block without any section: a crash is never expected.
my $CRASH = qr/\bAssertion .*?failed\b
              |\bexited\ on\ signal\ (?!9\b|15\b)\d+
              |(?:ERROR|WARNING):\ \w+Sanitizer
              |:\ runtime\ error:\ /x;


sub rewind {
    $position = 0;
}


sub check_error_log {
    my ($block, $repeat) = @_;

    my $name = $block->name;
    my $lines = error_lines();

    check_grep($block, $lines, $repeat);

    my @wanted = patterns($block, 'error_log');
    my @unwanted = patterns($block, 'no_error_log');
    must_match($_, $lines, "$name - error_log", $repeat) for @wanted;
    must_not_match($_, $lines, "$name - no_error_log", $repeat) for @unwanted;

    warn_of_levels($name, $lines, @wanted, @unwanted)
        unless defined section($block, 'must_die');
    fail_on_crash($name, $lines, @wanted);
}


sub check_access_log {
    my ($block, $repeat) = @_;

    my @wanted = patterns($block, 'access_log');
    my @unwanted = patterns($block, 'no_access_log');
    return unless @wanted || @unwanted;

    my $name = $block->name;
    my $lines = read_lines($AccLogFile, 0);
    must_match($_, $lines, "$name - access_log", $repeat) for @wanted;
    must_not_match($_, $lines, "$name - no_access_log", $repeat)
        for @unwanted;
}


# For the block whose nginx has just stopped.
sub check_shutdown {
    my ($block) = @_;

    my @wanted = patterns($block, 'shutdown_error_log');
    my @unwanted = patterns($block, 'no_shutdown_error_log');
    my $name = $block->name;
    my $lines = error_lines();

    must_match($_, $lines, "$name - shutdown_error_log", 0) for @wanted;
    must_not_match($_, $lines, "$name - no_shutdown_error_log", 0)
        for @unwanted;
    fail_on_crash($name, $lines, @wanted);
}


sub error_lines {
    return read_lines($ErrLogFile, 0) if $Setting{accum_error_log};

    my ($lines, $end) = read_lines($ErrLogFile, $position);
    $position = $end;
    return $lines;
}


# What nginx logs after the response needs a moment.
sub read_lines {
    my ($path, $from) = @_;

    sleep 3 * $Setting{sleep};
    open my $in, '<:raw', $path or return wantarray ? ([], $from) : [];
    seek $in, $from, 0;
    my @lines = <$in>;

    return wantarray ? (\@lines, tell $in) : \@lines;
}


# A string is one literal text per line, a list mixes literals and regexes.
sub patterns {
    my ($block, $section) = @_;

    my $value = section($block, $section);
    return unless defined $value;

    my @patterns = ref $value eq 'ARRAY' ? grep { defined } @$value
        : ref $value ? $value : split /\n+/, $value;
    bail_out($block->name, " - --- $section is empty")
        if !@patterns || grep { !ref && $_ eq '' } @patterns;

    return @patterns;
}


sub matches {
    my ($line, $pattern) = @_;

    return $line =~ (ref $pattern ? $pattern : qr/\Q$pattern\E/);
}


sub must_match {
    my ($pattern, $lines, $title, $repeat) = @_;

    Test::More::ok(scalar(grep { matches($_, $pattern) } @$lines),
        "$title: a line matches \"$pattern\" (req $repeat)");
}


sub must_not_match {
    my ($pattern, $lines, $title, $repeat) = @_;

    my @found = grep { matches($_, $pattern) } @$lines;
    Test::More::ok(!@found,
        "$title: no line matches \"$pattern\" (req $repeat)");
    Test::More::diag("line: $_") for @found;
}


sub check_grep {
    my ($block, $lines, $repeat) = @_;

    my $name = $block->name;
    my $pattern = section($block, 'grep_error_log');
    my $expected = section($block, 'grep_error_log_out');

    bail_out("$name - grep_error_log and grep_error_log_out go together")
        if defined $pattern != defined $expected;

    $pattern = $pattern->[$repeat] if ref $pattern eq 'ARRAY';
    return unless defined $pattern;
    bail_out("$name - grep_error_log spans lines (use chomp)")
        if !ref $pattern && $pattern =~ /\n/;

    $pattern = qr/\Q$pattern\E/ unless ref $pattern;
    my $out = join '', map { /$pattern/ && $& !~ /\n/ ? "$&\n" : () } @$lines;

    $expected = ref $expected eq 'ARRAY' ? $expected->[$repeat]
        : expand($expected, $name);
    is_str($out, $expected,
        "$name - grep_error_log_out (req $repeat)");
}


# As the genuine module: no failure, unless a section asks for the level.
sub warn_of_levels {
    my ($name, $lines, @patterns) = @_;

    for my $level (qw(alert crit emerg)) {
        next if grep { index($_, "[$level") >= 0 } @patterns;
        warn "WARNING: $name - $_" for grep { /\[$level\]/ } @$lines;
    }
}


sub fail_on_crash {
    my ($name, $lines, @expected) = @_;

    for my $line (grep { $_ =~ $CRASH } @$lines) {
        next if grep { matches($line, $_) } @expected;
        chomp $line;
        Test::More::fail("$name - $line");
    }
}

1;
