package Chorus::SignV2;

# Signature Version 2 as a client makes it, with knobs to make it wrong;
# written from AWS's description ("Signing and Authenticating REST Requests").
#
#     request_v2(PUT => '/bkt/key', body => 'hello')
#     presign_v2(GET => '/bkt/key', expires => 60)
#
# Both return the bytes of a whole HTTP request.  Knobs, all optional:
#
#     body          content; Content-Length is added
#     headers       [name => value, ...] sent and, where V2 does so, signed
#     after         [name => value, ...] added behind the signature
#     host          value of Host
#     bucket        that the host names: signed in front of the path
#     access_key, secret
#     offset        seconds by which the client's clock is wrong
#     sent_target   target as sent, when other than the signed one: text, or
#                   sub ($target) returning it
#     sent_method   method as sent, when other than the signed one
#
# of request_v2 alone:
#
#     date          'date' (default), 'x-amz-date', 'none'
#     authorization sub ($value) returning the value to send, undef for none
#
# of presign_v2 alone:
#
#     expires       seconds from now (900)
#     expires_at    as it is sent and signed, instead
#     set           {parameter => value} as sent; undef leaves it out

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1_base64);
use Exporter 'import';

use Chorus::Sign qw(http_date);

our @EXPORT_OK = qw(request_v2 presign_v2);

our %Default = (
    host       => 'localhost',
    access_key => 'CHORUS-KEY',
    secret     => 'chorus-secret',
    date       => 'date',
    expires    => 900,
);

my %signed = map { $_ => 1 } qw(acl cors delete lifecycle location logging
    notification partNumber policy requestPayment restore tagging torrent
    uploadId uploads versionId versioning versions website
    response-cache-control response-content-disposition
    response-content-encoding response-content-language response-content-type
    response-expires);


sub request_v2 {
    my ($method, $target, %knob) = @_;

    %knob = (%Default, %knob);
    my @headers = headers_of(\%knob);
    my $date = http_date(time + ($knob{offset} // 0));
    push @headers, [Date => $date] if $knob{date} eq 'date';
    push @headers, ['x-amz-date' => $date] if $knob{date} eq 'x-amz-date';

    my $signature = signature($method, $target, \@headers,
        $knob{date} eq 'date' ? $date : '', \%knob);
    my $value = "AWS $knob{access_key}:$signature";
    $value = $knob{authorization}->($value) if $knob{authorization};
    push @headers, [Authorization => $value] if defined $value;

    return text($method, $target, \@headers, \%knob);
}


sub presign_v2 {
    my ($method, $target, %knob) = @_;

    %knob = (%Default, %knob);
    my @headers = headers_of(\%knob);
    my $expires = $knob{expires_at} // time + $knob{expires};
    my %args = (
        AWSAccessKeyId => $knob{access_key},
        Expires        => $expires,
        Signature      => signature($method, $target, \@headers, $expires,
            \%knob),
        %{ $knob{set} || {} },
    );

    for my $name (sort grep { defined $args{$_} } keys %args) {
        $target .= ($target =~ /\?/ ? '&' : '?') . "$name="
            . $args{$name} =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger;
    }

    return text($method, $target, \@headers, \%knob);
}


sub headers_of {
    my ($knob) = @_;

    return ([Host => $knob->{host}], pairs(@{ $knob->{headers} || [] }));
}


sub pairs {
    my @list;
    while (my ($name, $value) = splice @_, 0, 2) {
        push @list, [$name, $value];
    }

    return @list;
}


sub signature {
    my ($method, $target, $headers, $date, $knob) = @_;

    my ($path, $query) = split /\?/, $target, 2;
    my (%header, %amz, @args);

    for (@$headers) {
        my ($name, $value) = (lc $_->[0], $_->[1]);
        $header{$name} = $value;
        push @{ $amz{$name} }, $value if $name =~ /^x-amz-/;
    }

    for (grep { length } split /&/, $query // '') {
        my ($name, $value) = split /=/, $_, 2;
        next unless $signed{$name};
        $value = '' unless defined $value;
        $value =~ s/%(..)/chr hex $1/ge;
        push @args, length $value ? "$name=$value" : $name;
    }

    my $resource = (defined $knob->{bucket} ? "/$knob->{bucket}" : '') . $path;
    $resource .= '?' . join '&', sort @args if @args;

    my $to_sign = join "\n", $method, $header{'content-md5'} // '',
        $header{'content-type'} // '', $date,
        map({ "$_:" . join ',', @{ $amz{$_} } } sort keys %amz), $resource;

    return hmac_sha1_base64($to_sign, $knob->{secret}) . '=';
}


sub text {
    my ($method, $target, $headers, $knob) = @_;

    my $sent = $knob->{sent_target};
    $target = ref $sent ? $sent->($target) : $sent if defined $sent;

    return Chorus::Sign::text({
        method     => $knob->{sent_method} // $method,
        target     => $target,
        headers    => [@$headers, pairs(@{ $knob->{after} || [] })],
        body       => $knob->{body},
        connection => 'close',
    });
}


1;
