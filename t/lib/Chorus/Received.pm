package Chorus::Received;

# A request as a storage received it, from the head that Chorus::Storage
# answers with.
#
#     my $r = received($head);
#     $r->{line}                  'PUT /bkt/key HTTP/1.1'
#     $r->{header}{'content-encoding'}
#     $r->{is_signed}             by the credentials of the storage, right,
#                                 with host and all x-amz-* in it

use strict;
use warnings;

use Exporter 'import';

use Chorus::Sign;

our @EXPORT = qw(received);

my $Authorization = qr{^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)
    /s3/aws4_request, SignedHeaders=(\S+), Signature=([0-9a-f]{64})$}
    =~ s/\s*\n\s*//r;


sub received {
    my ($head) = @_;

    my ($line, @lines) = split /\r\n/, $head;
    my @headers = map { [/^([^:]+): ?(.*)/s] } @lines;
    my %header = map { lc $_->[0] => $_->[1] } @headers;

    return {
        line      => $line // '',
        headers   => \@headers,
        header    => \%header,
        is_signed => is_signed($line // '', \@headers, \%header),
    };
}


sub is_signed {
    my ($line, $headers, $header) = @_;

    my ($method, $target) = split / /, $line;
    my ($key, $day, $region, $names, $signature) =
        ($header->{authorization} // '') =~ $Authorization or return 0;
    my @names = split /;/, $names;
    my %is_signed = map { $_ => 1 } @names;
    return 0 if grep { /^(?:host|x-amz-.*)$/ && !$is_signed{$_} }
        keys %$header;

    return $signature eq Chorus::Sign::signature(
        method  => $method,
        target  => $target,
        headers => $headers,
        names   => \@names,
        day     => $day,
        date    => $header->{'x-amz-date'},
        region  => $region,
        payload => $header->{'x-amz-content-sha256'},
        secret  => lc($key) . '-secret');
}

1;
