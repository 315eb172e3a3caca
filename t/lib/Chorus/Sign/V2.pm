package Chorus::Sign::V2;

# Signature Version 2 as a client makes it, from AWS's description ("Signing
# and authenticating REST requests"); t/sign.t has AWS's examples.
#
#     request_v2(PUT => '/bkt/key', body => 'hello')
#     presign_v2(GET => '/bkt/key', expires => time + 60)
#     presigned_target_v2(GET => '/bkt/key')
#
# Knobs, all optional; body, headers, host, connection, access_key, secret,
# time, offset, sent_target, sent_method, authorization, set, sent,
# args_after and after as in Chorus::Sign, and
#
#     bucket        named by Host rather than by the path
#     date          'date' (default), 'x-amz-date', 'none'
#     date_value    as it is sent, when not made from the time
#     content_md5, content_type
#     expires       of presign_v2, epoch seconds (in 900 seconds)
#     resource      canonicalized resource to sign, when other than it should
#     to_sign       sub ($text) returning the string to sign instead

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1);
use Exporter 'import';
use MIME::Base64 qw(encode_base64);

use Chorus::Sign;

our @EXPORT_OK = qw(request_v2 presign_v2 presigned_target_v2 signature_v2);

# Parameters of the query that belong to the resource.
my %Sub_resource = map { $_ => 1 } qw(
    accelerate acl analytics cors delete encryption inventory legal-hold
    lifecycle location logging metrics notification object-lock partNumber
    policy policyStatus publicAccessBlock ownershipControls replication
    requestPayment restore retention select select-type tagging torrent
    uploadId uploads versionId versioning versions website
    response-cache-control response-content-disposition
    response-content-encoding response-content-language
    response-content-type response-expires
);


sub request_v2 {
    my ($method, $target, %knob) = @_;

    my ($r, $knob) = begin($method, $target, date => 'date', %knob);
    my ($date) = map { $_->[1] } grep { lc $_->[0] eq 'date' }
        @{ $r->{headers} };

    my $value = "AWS $knob->{access_key}:" . sign($r, $date // '', $knob);
    $value = $knob->{authorization}->($value) if $knob->{authorization};
    push @{ $r->{headers} }, [Authorization => $value] if defined $value;

    return Chorus::Sign::text(Chorus::Sign::finish($r, $knob));
}


sub presign_v2 {
    return Chorus::Sign::text(presigned(@_));
}


sub presigned_target_v2 {
    return presigned(@_)->{target};
}


sub presigned {
    my ($method, $target, %knob) = @_;

    my ($r, $knob) = begin($method, $target, %knob, date => 'none');
    my $expires = $knob{expires} // $r->{time} + 900;
    my @args = Chorus::Sign::replace($knob->{set},
        [AWSAccessKeyId => $knob->{access_key}],
        [Expires => $expires]);

    push @args, [Signature => sign($r, $expires, $knob)];
    $r->{target} = Chorus::Sign::with_query($target,
        Chorus::Sign::replace($knob->{sent}, @args))
        . ($knob->{args_after} // '');

    return Chorus::Sign::finish($r, $knob);
}


sub begin {
    my ($method, $target, %knob) = @_;

    %knob = (%Chorus::Sign::Default, %knob);
    my $time = ($knob{time} // time) + ($knob{offset} // 0);
    my $date = $knob{date_value} // Chorus::Sign::http_date($time);

    my @headers = defined $knob{host} ? ([Host => $knob{host}]) : ();
    push @headers, [Date => $date] if $knob{date} eq 'date';
    push @headers, ['x-amz-date' => $date] if $knob{date} eq 'x-amz-date';
    push @headers, ['Content-MD5' => $knob{content_md5}]
        if defined $knob{content_md5};
    push @headers, ['Content-Type' => $knob{content_type}]
        if defined $knob{content_type};
    push @headers, Chorus::Sign::pairs(@{ $knob{headers} || [] });

    return ({
        method  => $method,
        target  => $target,
        time    => $time,
        headers => \@headers,
    }, \%knob);
}


sub sign {
    my ($r, $date, $knob) = @_;

    return signature_v2(%$r, date => $date,
        %$knob{qw(secret bucket resource to_sign)});
}


# Everything by name; date is the value of Date, or Expires of a query.
sub signature_v2 {
    my (%s) = @_;

    my %value;
    push @{ $value{lc $_->[0]} }, $_->[1] for @{ $s{headers} };

    my @amz = map { "$_:" . join(',', @{ $value{$_} }) . "\n" }
        sort grep { /^x-amz-/ } keys %value;
    my $text = join("\n", $s{method},
        map({ $_ ? $_->[0] : '' } @value{qw(content-md5 content-type)}),
        $value{'x-amz-date'} ? '' : $s{date}, join('', @amz))
        . ($s{resource} // resource($s{target}, $s{bucket}));
    $text = $s{to_sign}->($text) if $s{to_sign};

    return encode_base64(hmac_sha1($text, $s{secret}), '');
}


sub resource {
    my ($target, $bucket) = @_;

    my ($path, $query) = split /\?/, $target, 2;
    my @args;
    for my $arg (split /&/, $query // '') {
        my ($name, $value) = split /=/, $arg, 2;
        next unless $Sub_resource{$name // ''};
        push @args, defined $value
            ? "$name=" . Chorus::Sign::decode($value) : $name;
    }

    return (defined $bucket ? "/$bucket" : '') . $path
        . (@args ? '?' . join '&', sort @args : '');
}

1;
