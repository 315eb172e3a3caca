package Chorus::Sign;

# Signature Version 4 as a client makes it, with knobs to make it wrong.
# Written from AWS's description and not from shared/, so that the two are a
# test of each other; t/sign.t holds it against AWS's published examples.
#
#     request(PUT => '/bkt/key', body => 'hello')
#
# returns the bytes of a whole HTTP request.  Knobs, all optional:
#
#     body          content; Content-Length is added
#     headers       [name => value, ...] sent besides, in this order
#     host          value of Host
#     connection    value of Connection (close)
#     access_key, secret, region, service, terminator, algorithm
#     offset        seconds by which the client's clock is wrong
#     time          epoch seconds instead of the clock
#     day           of the scope, when other than that of the date
#     date          'x-amz-date' (default), 'date' (as RFC 9110 has it), 'none'
#     date_value    as it is sent, when not made from the time
#     payload       x-amz-content-sha256 as sent and signed; undef: not sent
#     payload_line  of the canonical request, when other than that
#     unsigned      [names] sent, but not in SignedHeaders
#     signed        [names] in SignedHeaders instead of all that are sent
#     sent_target   target as sent, when other than the signed one
#     sent_method   method as sent, when other than the signed one
#     authorization sub ($value) returning the value to send, undef for none
#     after         [name => value, ...] added behind the signature

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter 'import';
use POSIX qw(strftime);

our @EXPORT_OK = qw(request signature amz_date http_date EMPTY_SHA256);

use constant EMPTY_SHA256 => sha256_hex('');

our %Default = (
    host       => 'localhost',
    connection => 'close',
    access_key => 'CHORUS-KEY',
    secret     => 'chorus-secret',
    region     => 'us-east-1',
    service    => 's3',
    terminator => 'aws4_request',
    algorithm  => 'AWS4-HMAC-SHA256',
    date       => 'x-amz-date',
);


sub request {
    my ($method, $target, %knob) = @_;

    my $body = $knob{body};
    %knob = (%Default, payload => sha256_hex($body // ''), %knob);
    my $time = ($knob{time} // time) + ($knob{offset} // 0);
    my @headers = headers_of($time, \%knob);

    my $value = $knob{authorization}
        ? $knob{authorization}->(authorization($method, $target, $time,
            \@headers, \%knob))
        : authorization($method, $target, $time, \@headers, \%knob);
    push @headers, [Authorization => $value] if defined $value;
    push @headers, pairs(@{ $knob{after} || [] });
    push @headers, ['Content-Length' => length $body]
        if defined $body && !grep { lc $_->[0] eq 'transfer-encoding' }
            @headers;
    push @headers, [Connection => $knob{connection}];

    return join '', ($knob{sent_method} // $method), ' ',
        ($knob{sent_target} // $target), " HTTP/1.1\r\n",
        map({ "$_->[0]: $_->[1]\r\n" } @headers), "\r\n", $body // '';
}


sub headers_of {
    my ($time, $knob) = @_;

    my @headers = defined $knob->{host} ? ([Host => $knob->{host}]) : ();
    push @headers, ['X-Amz-Date' => $knob->{date_value} // amz_date($time)]
        if $knob->{date} eq 'x-amz-date';
    push @headers, [Date => $knob->{date_value} // http_date($time)]
        if $knob->{date} eq 'date';
    push @headers, ['X-Amz-Content-Sha256' => $knob->{payload}]
        if defined $knob->{payload};

    return (@headers, pairs(@{ $knob->{headers} || [] }));
}


sub pairs {
    my @list;
    while (my ($name, $value) = splice @_, 0, 2) {
        push @list, [$name, $value];
    }

    return @list;
}


sub authorization {
    my ($method, $target, $time, $headers, $knob) = @_;

    my $day = $knob->{day} // substr amz_date($time), 0, 8;
    my $scope = join '/', $day, @$knob{qw(region service terminator)};
    my @names = $knob->{signed} ? @{ $knob->{signed} } : do {
        my %omitted = map { lc, 1 } @{ $knob->{unsigned} || [] };
        my %seen;
        sort grep { !$omitted{$_} && !$seen{$_}++ } map { lc $_->[0] }
            @$headers;
    };

    my $signature = signature(
        method  => $method,
        target  => $target,
        headers => $headers,
        names   => \@names,
        payload => $knob->{payload_line} // $knob->{payload} // EMPTY_SHA256,
        date    => amz_date($time),
        day     => $day,
        %$knob{qw(region service terminator secret)},
    );

    return "$knob->{algorithm} Credential=$knob->{access_key}/$scope, "
        . 'SignedHeaders=' . join(';', @names) . ", Signature=$signature";
}


# Everything by name, so that it also verifies what a storage received.
sub signature {
    my (%s) = @_;

    my ($path, $query) = split /\?/, $s{target}, 2;
    my $canonical = join "\n", $s{method}, canonical_path($path),
        canonical_query($query),
        map({ canonical_header($_, $s{headers}) } @{ $s{names} }), '',
        join(';', @{ $s{names} }), $s{payload};

    my $terminator = $s{terminator} // 'aws4_request';
    my $service = $s{service} // 's3';
    my $to_sign = join "\n", 'AWS4-HMAC-SHA256', $s{date},
        "$s{day}/$s{region}/$service/$terminator", sha256_hex($canonical);

    my $key = "AWS4$s{secret}";
    $key = hmac_sha256($_, $key)
        for $s{day}, $s{region}, $service, $terminator;

    return hmac_sha256_hex($to_sign, $key);
}


sub canonical_path {
    my ($path) = @_;

    return join '/', map { encode(decode($_)) } split m{/}, $path, -1;
}


sub canonical_query {
    my ($query) = @_;

    my @args;
    for my $arg (grep { length } split /&/, $query // '') {
        my ($name, $value) = split /=/, $arg, 2;
        push @args, [map { encode(decode($_ // '')) } $name, $value];
    }

    return join '&', map { "$_->[0]=$_->[1]" }
        sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } @args;
}


sub canonical_header {
    my ($name, $headers) = @_;

    my @values = map { $_->[1] } grep { lc $_->[0] eq $name } @$headers;
    for (@values) {
        s/^[ \t]+|[ \t]+$//g;
        s/ +/ /g;
    }

    return "$name:" . join ',', @values;
}


sub decode {
    my ($text) = @_;

    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return $text;
}


sub encode {
    my ($text) = @_;

    $text =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}


sub amz_date {
    return strftime('%Y%m%dT%H%M%SZ', gmtime shift);
}


sub http_date {
    my @t = gmtime shift;

    return sprintf '%s, %02d %s %d %02d:%02d:%02d GMT',
        (qw(Sun Mon Tue Wed Thu Fri Sat))[$t[6]], $t[3],
        (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$t[4]],
        $t[5] + 1900, @t[2, 1, 0];
}

1;
