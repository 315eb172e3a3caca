package Chorus::Chunked;

# Uploads in aws-chunked as a client makes them, from AWS's description
# ("Signature Calculations: Transferring Payload in Multiple Chunks", with and
# without trailing headers), with knobs to make them wrong.
#
#     chunked(PUT => '/bkt/key', form => 'signed', body => $content)
#
# returns the bytes of a whole HTTP request.  All knobs of Chorus::Sign, and
#
#     form            'signed' (default), 'signed-trailer' or
#                     'unsigned-trailer'
#     chunk_size      of all chunks but the last (65536)
#     chunks          [bytes, ...] instead of body and chunk_size
#     transfer        'chunked': sent in Transfer-Encoding: chunked
#     transfer_sizes  [bytes of each piece, ...], from the start again at the
#                     end ([1, 8191, 3, 977, 16384])
#     trailer         header that follows the content, with its value made
#                     here: 'x-amz-checksum-crc32', -crc32c, -crc64nvme,
#                     -md5, -sha1, -sha256, -sha512.  'x-amz-checksum-crc32'
#                     where a form with trailer does not say; undef for none
#     trailers        [name => value, ...] instead
#     query           true: signed in the query, as presign does it
#     content_encoding  (aws-chunked), undef for none
#     decoded_length  x-amz-decoded-content-length, undef for none
#     announced       x-amz-trailer, undef for none
#     content_length  of the request, where it is not what is sent
#
# and after all has been signed
#
#     seed            signature that the first chunk goes on from
#     edit_chunks     sub ($chunks) changing the list of chunks.  Each is
#                     {size, signature, data, end}: size in hex as sent,
#                     signature undef for none, end what follows the data.
#                     'head' is sent instead of the line of size and signature
#     edit_trailers   sub ($lines) changing the list of 'name:value', of which
#                     the last is that of the signature
#     edit_body       sub ($bytes) returning the encoded body to send
#     final           what ends the body (CRLF)

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex sha256_hex);
use Exporter 'import';

use Chorus::Checksum qw(checksum);
use Chorus::Sign;

our @EXPORT_OK = qw(chunked transfer_chunked);

my %Payload = (
    'signed'           => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'signed-trailer'   => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'unsigned-trailer' => 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
);


sub chunked {
    my ($method, $target, %knob) = @_;

    %knob = (form => 'signed', content_encoding => 'aws-chunked', %knob);
    my $content = delete $knob{body};
    my @chunks = $knob{chunks} ? @{ $knob{chunks} }
        : pieces($content // '', $knob{chunk_size} // 65536);
    $content = join '', @chunks;
    my @trailers = trailers_of($content, \%knob);

    my %sign = (payload => $Payload{$knob{form}}, %knob);
    $sign{headers} = [
        headers_of(length $content, \@trailers, \%knob),
        @{ $knob{headers} || [] },
    ];

    my $r = $knob{query}
        ? Chorus::Sign::signed_query($method, $target, %sign)
        : Chorus::Sign::signed($method, $target, %sign);

    $r->{body} = encoded($r, \@chunks, \@trailers, \%knob);
    $r->{body} = $knob{edit_body}->($r->{body}) if $knob{edit_body};
    frame($r, \%knob);

    return Chorus::Sign::text($r);
}


sub trailers_of {
    my ($content, $knob) = @_;

    return Chorus::Sign::pairs(@{ $knob->{trailers} }) if $knob->{trailers};

    my $name = exists $knob->{trailer} ? $knob->{trailer}
        : $knob->{form} =~ /trailer/ ? 'x-amz-checksum-crc32' : undef;
    return unless defined $name;

    my ($algorithm) = $name =~ /^x-amz-checksum-(\w+)$/
        or die "no value for $name";

    return [$name => checksum($algorithm, $content)];
}


sub headers_of {
    my ($length, $trailers, $knob) = @_;

    my %header = (
        'Content-Encoding' => $knob->{content_encoding},
        'X-Amz-Decoded-Content-Length' => exists $knob->{decoded_length}
            ? $knob->{decoded_length} : $length,
        'X-Amz-Trailer' => exists $knob->{announced} ? $knob->{announced}
            : @$trailers ? join(',', map { $_->[0] } @$trailers) : undef,
    );

    return map { defined $header{$_} ? ($_ => $header{$_}) : () }
        sort keys %header;
}


sub encoded {
    my ($r, $contents, $trailers, $knob) = @_;

    my $signed = $knob->{form} =~ /^signed/;
    my $previous = $knob->{seed} // $r->{signature};
    my @chunks;

    for my $data (@$contents, '') {
        $previous = chunk_signature($r, $previous, $data) if $signed;
        push @chunks, {
            size      => sprintf('%x', length $data),
            signature => $signed ? $previous : undef,
            data      => $data,
            end       => "\r\n",
        };
    }

    $chunks[-1]{end} = '';      # the line after the trailers ends it
    $knob->{edit_chunks}->(\@chunks) if $knob->{edit_chunks};

    my @lines = map { "$_->[0]:$_->[1]" } @$trailers;
    push @lines, 'x-amz-trailer-signature:'
        . trailer_signature($r, $previous, $trailers)
        if $knob->{form} eq 'signed-trailer' && @lines;
    $knob->{edit_trailers}->(\@lines) if $knob->{edit_trailers};

    return join '', map({ head($_) . "$_->{data}$_->{end}" } @chunks),
        map({ "$_\r\n" } @lines), $knob->{final} // "\r\n";
}


sub head {
    my ($chunk) = @_;

    return $chunk->{head} if defined $chunk->{head};

    return $chunk->{size} . (defined $chunk->{signature}
        ? ";chunk-signature=$chunk->{signature}" : '') . "\r\n";
}


sub chunk_signature {
    my ($r, $previous, $data) = @_;

    return hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256-PAYLOAD',
        $r->{date}, $r->{scope}, $previous, sha256_hex(''),
        sha256_hex($data)), $r->{key});
}


sub trailer_signature {
    my ($r, $previous, $trailers) = @_;

    my $lines = join '', sort map { lc($_->[0]) . ":$_->[1]\n" } @$trailers;

    return hmac_sha256_hex(join("\n", 'AWS4-HMAC-SHA256-TRAILER',
        $r->{date}, $r->{scope}, $previous, sha256_hex($lines)), $r->{key});
}


sub frame {
    my ($r, $knob) = @_;

    if (($knob->{transfer} // '') eq 'chunked') {
        push @{ $r->{headers} }, ['Transfer-Encoding' => 'chunked'];
        $r->{body} = transfer_chunked($r->{body},
            @{ $knob->{transfer_sizes} || [1, 8191, 3, 977, 16384] });

    } elsif (defined $knob->{content_length}) {
        push @{ $r->{headers} },
            ['Content-Length' => $knob->{content_length}];
    }
}


sub transfer_chunked {
    my ($bytes, @sizes) = @_;

    my $out = '';
    for (my $i = 0; length $bytes; $i++) {
        my $piece = substr $bytes, 0, $sizes[$i % @sizes], '';
        $out .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
    }

    return "${out}0\r\n\r\n";
}


sub pieces {
    my ($bytes, $size) = @_;

    my @pieces;
    push @pieces, substr $bytes, 0, $size, '' while length $bytes;

    return @pieces;
}

1;
