package Test::Nginx::Socket::Request;

# From the sections of a block to what is written to the socket.  A packet is
# { value => bytes, delay_before => seconds }; a request is a list of packets.

use strict;
use warnings;

use Exporter 'import';
use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section);

our @EXPORT_OK = qw(requests_of);


# Returns the requests, each for a connection of its own, and the number of
# responses that each of them has.
sub requests_of {
    my ($block) = @_;

    my $raw = section($block, 'raw_request');
    if (defined $raw) {
        my @pieces = ref $raw eq 'ARRAY' ? @$raw : $raw;
        return [[map { { value => $_ } } @pieces]], 1;
    }

    my $pipelined = section($block, 'pipelined_requests');
    return pipelined($block, $pipelined) if defined $pipelined;

    my $requests = request_section($block);
    my @list = ref $requests eq 'ARRAY' ? @$requests : $requests;
    my $index = 0;
    return [map { build($block, $_, $index++, 'close') } @list], 1;
}


sub request_section {
    my ($block) = @_;

    my $code = section($block, 'request_eval');
    if (defined $code) {
        my $request = eval $code;
        bail_out($block->name, " - request_eval: $@") if $@;
        return $request;
    }

    my $request = section($block, 'request')
        // bail_out($block->name, ' - no request');

    if (!ref $request) {
        1 while $request =~ s/^\s*\#[^\n]+\s+|^\s+//;
    }

    return $request;
}


sub pipelined {
    my ($block, $requests) = @_;

    my $name = $block->name;
    bail_out("$name - pipelined_requests must be an array, not empty")
        unless ref $requests eq 'ARRAY' && @$requests;

    my $bytes = '';
    for my $index (0 .. $#$requests) {
        my $connection = $index < $#$requests ? 'keep-alive' : 'close';
        my $text = expand($requests->[$index], $name);
        $bytes .= $_->{value}
            for @{ build($block, $text, $index, $connection) };
    }

    return [[{ value => $bytes }]], scalar @$requests;
}


# A request is a string, or an array of packets: strings and
# { value => string, delay_before => seconds }.
sub build {
    my ($block, $request, $index, $connection) = @_;

    my @given = map { ref $_ ? { %$_ } : { value => $_ } }
        ref $request eq 'ARRAY' ? @$request : $request;
    my $text = join '', map { $_->{value} } @given;
    my $substitutes = substitutes($block, $text, $index, $connection);

    # Each packet ends at the same character of the request as the test
    # wrote it; what is added goes with the packet where it is added.
    for my $packet (@given) {
        my $room = length $packet->{value};
        $packet->{value} = '';

        while (@$substitutes && $substitutes->[0][0] <= $room) {
            my ($length, $new) = @{ shift @$substitutes };
            $packet->{value} .= $new;
            $room -= $length;
        }

        if (@$substitutes && $room > 0) {
            my $next = $substitutes->[0];
            $next->[0] -= $room;
            $packet->{value} .= substr $next->[1], 0, $room;
            $next->[1] = length $next->[1] > $room
                ? substr $next->[1], $room : '';
        }
    }

    return \@given;
}


# Returns [length in the text of the test, bytes in its place], in order.
sub substitutes {
    my ($block, $text, $index, $connection) = @_;

    my ($line, $body) = $text =~ /\A([^\n]*\n?)(.*)\z/s;
    my @part = $line =~ /^(\s*)(\S+)(?:( *)(\S+))?(?:( *)(\S+))?(\s*)$/
        or bail_out($block->name, " - bad request line: $line");
    my ($before, $method, $gap1, $uri, $gap2, $http, $rest)
        = map { $_ // '' } @part;

    my ($headers, $new_body) = headers($block, $body, $index, $connection);

    return [
        [length $before, ''],
        [length $method, "$method "],
        [length $gap1, ''],
        [length $uri, ($uri eq '' ? '/' : $uri) . ' '],
        [length $gap2, ''],
        [length $http, ($http eq '' ? 'HTTP/1.1' : $http) . "\r\n"],
        [length $rest, ''],
        [0, $headers],
        [length $body, $new_body],
    ];
}


sub headers {
    my ($block, $body, $index, $connection) = @_;

    my $more = more_headers($block, $index);
    my $has = sub { my $name = shift; $more =~ /^$name/mi };

    my $length = '';
    if ($body ne '' && $more !~ /^Transfer-Encoding: chunked\r$/mi
        && $more !~ /^Content-Length:/m)
    {
        $body =~ s/\A\s+|\s+\z//g;
        $length = 'Content-Length: ' . length($body) . "\r\n";
    }

    my $text = '';
    $text .= "Host: $Setting{server_name}\r\n" unless $has->('Host:');
    $text .= "Connection: $connection\r\n" unless $has->('Connection');

    return ("$text$more$length\r\n", $body);
}


sub more_headers {
    my ($block, $index) = @_;

    my $lines = section($block, 'more_headers') // '';
    if (ref $lines eq 'ARRAY') {
        $lines = $lines->[$index] // bail_out($block->name,
            " - more_headers has no entry $index");
    }

    my $text = '';
    for my $line (split /\n+/, $lines) {
        next if $line =~ /^\s*\#/;
        my ($name, $value) = split /:\s*/, $line, 2;
        $text .= "$name: " . ($value // '') . "\r\n";
    }

    return $text;
}

1;
