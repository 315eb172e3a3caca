package Test::Nginx::Socket::Response;

# Parses one HTTP/1.x response into
#
#     code          digits, or undef
#     headers       [[name, value], ...] in the order received
#     raw_headers   the head as received, with its last CRLF
#     body          without the transfer encoding
#     left          what follows the response
#
# Lengths are those the genuine module assumes: 304 and 101 take all that
# follows, a response without a length too.

use strict;
use warnings;

use Exporter 'import';
use Test::More ();

our @EXPORT_OK = qw(parse_response header);


# Returns undef, and a failed test, for a body that is not valid.
sub parse_response {
    my ($name, $raw, $is_head) = @_;

    my ($head, $body) = split_head($raw);
    my ($status, @lines) = split /\r?\n/, $head;
    my $res = {
        code        => status_code($status // ''),
        headers     => parse_headers(@lines),
        raw_headers => $raw =~ /\A(.*?\r\n)\r\n/s ? $1 : '',
        body        => $body,
        left        => '',
    };

    return $res if ($res->{code} // '') =~ /^(?:304|101)$/;

    if ((header($res, 'Transfer-Encoding') // '') eq 'chunked') {
        my $problem = decode_chunks($res);
        return $res unless $problem;
        Test::More::fail("$name - bad chunked body: $problem");
        return undef;
    }

    cut_to_length($name, $res, $is_head);
    return $res;
}


sub split_head {
    my ($raw) = @_;

    return ($1, $2) if $raw =~ /\A(.*?\n)\r?\n(.*)\z/s;
    return ($raw, '');
}


sub status_code {
    my ($line) = @_;

    my (undef, $code) = split ' ', $line;
    return defined $code && $code =~ /^\d+$/ ? $code : undef;
}


sub parse_headers {
    my @headers;

    for my $line (@_) {
        if ($line =~ /^([^\s:]+)[ \t]*: ?(.*)$/) {
            push @headers, [$1, $2];

        } elsif (@headers && $line =~ /^[ \t]/) {
            $headers[-1][1] .= "\n$line";
        }
    }

    return \@headers;
}


# Repeated headers are joined by a comma.  A name with _ asks for the one
# with -, as in the genuine module.
sub header {
    my ($res, $name) = @_;

    $name =~ tr/_/-/;
    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
        @{ $res->{headers} };

    return @values ? join(', ', @values) : undef;
}


# Returns what is wrong, if anything.
sub decode_chunks {
    my ($res) = @_;

    my $raw = $res->{body};
    my $decoded = '';
    pos($raw) = 0;

    while (1) {
        $raw =~ /\G[ \t]*([0-9A-Fa-f]+)[ \t]*\r\n/gc
            or return pos($raw) < length $raw ? 'no chunk size'
                                              : 'no last chunk';
        my $size = hex $1;
        last if $size == 0;

        my $at = pos $raw;
        return 'a chunk is cut off' if $at + $size > length $raw;
        $decoded .= substr $raw, $at, $size;
        pos($raw) = $at + $size;
        $raw =~ /\G\r\n/gc or return 'no CRLF after a chunk';
    }

    if (defined header($res, 'Trailer')) {
        1 while $raw =~ /\G[^\r\n]+\r\n/gc;
    }

    $raw =~ /\G\r\n/gc or return 'no CRLF at the end';
    $res->{body} = $decoded;
    $res->{left} = substr $raw, pos $raw;
    return undef;
}


sub cut_to_length {
    my ($name, $res, $is_head) = @_;

    my $length = header($res, 'Content-Length');
    return if !defined $length || $length !~ /^\d+$/;

    my $got = length $res->{body};
    if ($got > $length) {
        $res->{left} = substr $res->{body}, $length;
        $res->{body} = substr $res->{body}, 0, $length;

    } elsif ($got < $length && !$is_head) {
        warn "WARNING: $name - response body is cut off: ",
            "$length bytes expected, $got received\n";
    }
}

1;
