package Test::Nginx::Socket::Checks;

# The sections that are compared with a response.  The number of tests of
# each is part of the format, as files plan by it.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section indexed_value);
use Test::Nginx::Socket::Response qw(header);

our @EXPORT_OK = qw(is_str add_response_body_check);

my @body_checks;

# How much of a long string is shown around the first difference.
use constant CONTEXT => 60;


sub add_response_body_check {
    push @body_checks, shift;
}


# $at is { index, total, repeat }: the how manieth of the block's responses,
# and in which repetition.  $res is undef for a response that is not valid.
sub check {
    my ($block, $res, $at) = @_;

    check_code($block, $res, $at);
    check_raw_headers($block, $res, $at);
    check_headers($block, $res, $at);
    check_headers_like($block, $res, $at);
    check_body($block, $res, $at);

    $_->($block, $res ? $res->{body} : undef, $at->{index}, $at->{repeat})
        for @body_checks;
}


sub check_code {
    my ($block, $res, $at) = @_;

    my $code = $res && $res->{code} || '';
    my $title = title($block, $at, 'status code');

    if (defined section($block, 'error_code_like')) {
        my $pattern = indexed_value($block, 'error_code_like', $at);
        Test::More::like($code, qr/$pattern/sm, $title);
        return;
    }

    my $expected = defined section($block, 'error_code')
        ? indexed_value($block, 'error_code', $at) : 200;
    Test::More::is($code, $expected, $title);
}


sub check_raw_headers {
    my ($block, $res, $at) = @_;

    my $headers = $res ? $res->{raw_headers} : '';
    my %compare = (
        raw_response_headers_like   => \&Test::More::like,
        raw_response_headers_unlike => \&Test::More::unlike,
    );

    for my $section (sort keys %compare) {
        next unless defined section($block, $section);
        my $pattern = indexed_value($block, $section, $at);
        $compare{$section}->($headers, qr/$pattern/s,
            title($block, $at, $section));
    }
}


sub check_headers {
    my ($block, $res, $at) = @_;

    for my $line (header_lines($block, 'response_headers', $at)) {
        my ($name, $value) = @$line;
        my $title = title($block, $at, "header $name");

        if (!defined $value) {
            Test::More::unlike($res ? $res->{raw_headers} : '',
                qr/^\s*\Q$name\E\s*:/mi, "$title is absent");
            next;
        }

        Test::More::is($res && header($res, $name) // '',
            expand_port($value), $title);
    }
}


sub check_headers_like {
    my ($block, $res, $at) = @_;

    for my $line (header_lines($block, 'response_headers_like', $at)) {
        my ($name, $pattern) = map { $_ // '' } @$line;
        Test::More::like($res && header($res, $name) // '',
            qr/^$pattern$/, title($block, $at, "header $name like"));
    }
}


# Returns [name, value], where "! Name" has no value.
sub header_lines {
    my ($block, $section, $at) = @_;

    return unless defined section($block, $section);
    my $text = indexed_value($block, $section, $at) // return;

    my (@lines, %seen);
    for my $line (split /\n/, $text) {
        my ($absent, $name, $value)
            = $line =~ /^\s*(?:(!)\s*(\S+?)|([^\s:]+)\s*:\s*(.*?))\s*$/
                ? ($1, $2 // $3, $4)
                : bail_out($block->name, " - bad line in --- $section: $line");
        bail_out($block->name, " - $name appears twice in --- $section")
            if $seen{$name}++;
        push @lines, [$name, $absent ? undef : $value];
    }

    return @lines;
}


sub check_body {
    my ($block, $res, $at) = @_;

    my $body = $res ? $res->{body} : undef;
    my ($section) = grep { defined section($block, $_) }
        qw(response_body response_body_eval
           response_body_like response_body_unlike);
    return unless $section;

    my $expected = indexed_value($block, $section, $at);
    my $title = title($block, $at, $section);

    if ($section =~ /_(like|unlike)$/) {
        my $pattern = ref $expected ? $expected : expand_port($expected);
        Test::More->can($1)->($body, qr/$pattern/s, $title);
        return;
    }

    if ($section eq 'response_body_eval') {
        $expected = eval $expected;
        bail_out($block->name, " - response_body_eval: $@") if $@;
    }

    $expected = expand(expand_port($expected), $block->name)
        unless ref $expected;
    is_str($body, $expected, $title);
}


sub expand_port {
    my ($text) = @_;

    return $text unless defined $text;
    $text =~ s/\$ServerPort\b/$ServerPort/g;
    $text =~ s/\$ServerPortForClient\b/$ServerPortForClient/g;
    return $text;
}


sub title {
    my ($block, $at, $what) = @_;

    my $which = $at->{total} > 1 ? ", response $at->{index}" : '';
    return $block->name . " - $what (req $at->{repeat}$which)";
}


# A long body with one wrong byte: show the byte, not the body.
sub is_str {
    my ($got, $expected, $title) = @_;

    return Test::More::like($got, $expected, $title)
        if ref $expected eq 'Regexp';

    return Test::More::is($got, $expected, $title)
        if !$Setting{long_string} || !defined $got || !defined $expected
           || $got eq $expected
           || length $got < CONTEXT && length $expected < CONTEXT;

    my $same = 0;
    ($got ^ $expected) =~ /^\0*/ and $same = $+[0];
    my $from = $same > 20 ? $same - 20 : 0;

    Test::More::fail($title);
    Test::More::diag(sprintf "differs from byte %d on\n"
        . "got      (%d bytes): ...%s\nexpected (%d bytes): ...%s",
        $same, length $got, printable(substr $got, $from, CONTEXT),
        length $expected, printable(substr $expected, $from, CONTEXT));
    return 0;
}


sub printable {
    my ($text) = @_;

    my %short = ("\n" => '\n', "\r" => '\r', "\t" => '\t');
    $text =~ s/([^\x20-\x7e])/$short{$1} || sprintf '\\x{%02x}', ord $1/ge;
    return qq{"$text"};
}

1;
