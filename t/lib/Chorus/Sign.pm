package Chorus::Sign;

# Signature Version 4 as a client makes it, with knobs to make it wrong.
# Written from AWS's description and not from shared/, so that the two are a
# test of each other; t/sign.t holds it against AWS's published examples.
#
#     request(PUT => '/bkt/key', body => 'hello')
#     presign(GET => '/bkt/key', expires => 60)
#     presigned_target(GET => '/bkt/key')
#
# request and presign return the bytes of a whole HTTP request, signed in the
# Authorization header or in the query; presigned_target only the target.
# Knobs, all optional:
#
#     body          content; Content-Length is added
#     headers       [name => value, ...] sent besides, in this order
#     host          value of Host
#     connection    value of Connection (close)
#     access_key, secret, region, service, terminator, algorithm
#     offset        seconds by which the client's clock is wrong
#     time          epoch seconds instead of the clock
#     day           of the scope, when other than that of the date
#     date_value    as it is sent, when not made from the time
#     payload       x-amz-content-sha256 as sent and signed; undef: not sent
#     payload_line  of the canonical request, when other than that
#     unsigned      [names] sent, but not in SignedHeaders
#     signed        [names] in SignedHeaders instead of all that are sent
#     sent_target   target as sent, when other than the signed one: text, or
#                   sub ($target) returning it
#     sent_method   method as sent, when other than the signed one
#     after         [name => value, ...] added behind the signature
#
# of request alone:
#
#     date          'x-amz-date' (default), 'date' (as RFC 9110 has it), 'none'
#     authorization sub ($value) returning the value to send, undef for none
#
# of presign alone, where the payload is not sent unless it is given and the
# payload line is UNSIGNED-PAYLOAD:
#
#     expires       seconds (900)
#     token         X-Amz-Security-Token, signed
#     set           {parameter => value} instead of what would be signed;
#                   undef leaves it out.  Other names are added
#     sent          the same, done behind the signature
#     args_after    text added to the target behind the signature: '&a=b'

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use Exporter 'import';
use POSIX qw(strftime);

our @EXPORT_OK = qw(request presign presigned_target signature amz_date
    http_date EMPTY_SHA256);

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
    expires    => 900,
);


sub request {
    return text(signed(@_));
}


sub presign {
    return text(signed_query(@_));
}


sub presigned_target {
    return signed_query(@_)->{target};
}


# A request that is not joined yet: its method, target, headers and body, and
# what the signatures of its chunks go on from: signature, scope, date, key.

sub signed {
    my ($method, $target, %knob) = @_;

    %knob = (%Default, payload => sha256_hex($knob{body} // ''), %knob);
    my $r = begin($method, $target, \%knob);
    @{ $r->{headers} } = headers_of($r, \%knob);

    my $names = signed_names($r->{headers}, \%knob);
    $r->{signature} = signature_of($r, $target, $names, \%knob,
        $knob{payload_line} // $knob{payload} // EMPTY_SHA256);

    my $value = "$knob{algorithm} Credential=$knob{access_key}/$r->{scope}, "
        . 'SignedHeaders=' . join(';', @$names)
        . ", Signature=$r->{signature}";
    $value = $knob{authorization}->($value) if $knob{authorization};
    push @{ $r->{headers} }, [Authorization => $value] if defined $value;

    return finish($r, \%knob);
}


sub signed_query {
    my ($method, $target, %knob) = @_;

    %knob = (%Default, %knob, date => 'none');
    my $r = begin($method, $target, \%knob);
    @{ $r->{headers} } = headers_of($r, \%knob);

    my $names = signed_names($r->{headers}, \%knob);
    my @args = (
        ['X-Amz-Algorithm' => $knob{algorithm}],
        ['X-Amz-Credential' => "$knob{access_key}/$r->{scope}"],
        ['X-Amz-Date' => $knob{date_value} // $r->{date}],
        ['X-Amz-Expires' => $knob{expires}],
        ['X-Amz-SignedHeaders' => join ';', @$names],
        defined $knob{token}
            ? ['X-Amz-Security-Token' => $knob{token}] : (),
    );
    @args = replace($knob{set}, @args);

    $r->{signature} = signature_of($r, with_query($target, @args), $names,
        \%knob, $knob{payload_line} // $knob{payload} // 'UNSIGNED-PAYLOAD');
    push @args, ['X-Amz-Signature' => $r->{signature}];
    $r->{target} = with_query($target, replace($knob{sent}, @args))
        . ($knob{args_after} // '');

    return finish($r, \%knob);
}


sub begin {
    my ($method, $target, $knob) = @_;

    my $time = ($knob->{time} // time) + ($knob->{offset} // 0);
    my $date = amz_date($time);
    my $day = $knob->{day} // substr $date, 0, 8;
    my @scope = ($day, @$knob{qw(region service terminator)});

    return {
        method  => $method,
        target  => $target,
        time    => $time,
        date    => $date,
        day     => $day,
        scope   => join('/', @scope),
        key     => signing_key($knob->{secret}, @scope),
        headers => [],
    };
}


sub finish {
    my ($r, $knob) = @_;

    push @{ $r->{headers} }, pairs(@{ $knob->{after} || [] });
    $r->{body} = $knob->{body};
    $r->{method} = $knob->{sent_method} if defined $knob->{sent_method};
    $r->{connection} = $knob->{connection};

    my $sent = $knob->{sent_target};
    $r->{target} = ref $sent ? $sent->($r->{target}) : $sent if defined $sent;

    return $r;
}


sub text {
    my ($r) = @_;

    my @headers = @{ $r->{headers} };
    push @headers, ['Content-Length' => length $r->{body}]
        if defined $r->{body}
            && !grep { lc $_->[0] eq 'transfer-encoding'
                || lc $_->[0] eq 'content-length' } @headers;
    push @headers, [Connection => $r->{connection}];

    return join '', "$r->{method} $r->{target} HTTP/1.1\r\n",
        map({ "$_->[0]: $_->[1]\r\n" } @headers), "\r\n", $r->{body} // '';
}


sub headers_of {
    my ($r, $knob) = @_;

    my @headers = defined $knob->{host} ? ([Host => $knob->{host}]) : ();
    push @headers, ['X-Amz-Date' => $knob->{date_value} // $r->{date}]
        if $knob->{date} eq 'x-amz-date';
    push @headers, [Date => $knob->{date_value} // http_date($r->{time})]
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


sub signed_names {
    my ($headers, $knob) = @_;

    return $knob->{signed} if $knob->{signed};

    my %omitted = map { lc, 1 } @{ $knob->{unsigned} || [] };
    my %seen;

    return [sort grep { !$omitted{$_} && !$seen{$_}++ }
        map { lc $_->[0] } @$headers];
}


sub replace {
    my ($new, @args) = @_;

    my %new = %{ $new || {} };
    @args = map { exists $new{$_->[0]}
        ? [$_->[0], delete $new{$_->[0]}] : $_ } @args;
    push @args, map { [$_, $new{$_}] } sort keys %new;

    return grep { defined $_->[1] } @args;
}


sub with_query {
    my ($target, @args) = @_;

    return $target unless @args;

    return $target . ($target =~ /\?/ ? '&' : '?')
        . join '&', map { "$_->[0]=" . encode($_->[1]) } @args;
}


sub signature_of {
    my ($r, $target, $names, $knob, $payload) = @_;

    return signature(
        method  => $r->{method},
        target  => $target,
        headers => $r->{headers},
        names   => $names,
        payload => $payload,
        date    => $r->{date},
        day     => $r->{day},
        %$knob{qw(region service terminator secret)},
    );
}


# Everything by name, so that it also verifies what a storage received.
sub signature {
    my (%s) = @_;

    my ($path, $query) = split /\?/, $s{target}, 2;
    my $canonical = join "\n", $s{method}, canonical_path($path),
        canonical_query($query),
        map({ canonical_header($_, $s{headers}) } @{ $s{names} }), '',
        join(';', @{ $s{names} }), $s{payload};

    my @scope = ($s{day}, $s{region}, $s{service} // 's3',
        $s{terminator} // 'aws4_request');
    my $to_sign = join "\n", 'AWS4-HMAC-SHA256', $s{date},
        join('/', @scope), sha256_hex($canonical);

    return hmac_sha256_hex($to_sign, signing_key($s{secret}, @scope));
}


sub signing_key {
    my ($secret, @scope) = @_;

    my $key = "AWS4$secret";
    $key = hmac_sha256($_, $key) for @scope;

    return $key;
}


sub canonical_path {
    my ($path) = @_;

    # an escaped slash is one
    return join '/', map { encode($_) } split m{/}, decode($path), -1;
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
