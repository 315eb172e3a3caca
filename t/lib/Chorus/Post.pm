package Chorus::Post;

# Browser uploads as a page makes them, from AWS's description ("Browser-Based
# Uploads Using POST"), with knobs to make them wrong, and the form that a
# storage received taken apart.
#
#     form(file => 'content', fields => ['x-amz-meta-a' => 'b'])
#
# returns the bytes of a whole HTTP request.  Knobs, all optional:
#
#     target          ('/bkt')
#     bucket          that the policy is for (bkt)
#     key             ('k'), undef for none
#     fields          [name => value, ...] between the key and the signature;
#                     each gets a condition of its own
#     loose           [name => value, ...] fields without a condition
#     conditions      [...] besides those, as the document has them
#     only            [...] instead of all of them
#     expires         seconds from now (600); expiration: as it is written
#     document        the text of the policy instead of all that
#     policy          what is signed and sent instead of its base64
#     version         4 (default), 2, or 0: no signature and no policy
#     access_key, secret, region, time, day
#     set             {field => value} behind the signature; undef leaves it
#                     out.  Other names are added
#     order           sub (@parts) returning the parts in another order; each
#                     is [name, value, lines]
#     file            content (''), undef for no such part
#     filename        ('photo.jpg'), file_type ('image/jpeg'); undef for none
#     disposition     of the file, when other than that
#     boundary        ('----Boundary7MA4YWxk')
#     end             behind the file, in place of the closing boundary
#     edit            sub ($body) returning the body to send
#     method, host, connection, headers
#     content_type    of the request; undef for none
#     content_length  when other than that of the body; undef for none
#
#     form_of($body, $type)
#
# takes apart what a storage received, by the letter of RFC 7578:
# {fields => {lower-case name => value}, names => [in order], file, filename,
# file_type}.
#
#     is_signed_for($form, $bucket, $storage, $user, $region)
#
# whether its policy is signed by that user's credential, names the bucket and
# has each field as a condition with just its value.  Returns what is wrong.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha1 hmac_sha256_hex);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX qw(strftime);

use Chorus::Sign qw(amz_date);

our @EXPORT = qw(form form_of is_signed_for);

my $Json = JSON::PP->new->canonical->utf8(0);

our %Default = (
    target     => '/bkt',
    bucket     => 'bkt',
    key        => 'k',
    version    => 4,
    access_key => 'CHORUS-KEY',
    secret     => 'chorus-secret',
    region     => 'us-east-1',
    expires    => 600,
    file       => '',
    filename   => 'photo.jpg',
    file_type  => 'image/jpeg',
    boundary   => '----Boundary7MA4YWxk',
    method     => 'POST',
    host       => 'localhost',
    connection => 'close',
);


sub form {
    my (%knob) = (%Default, @_);

    my $body = join '', map { "--$knob{boundary}\r\n$_\r\n" }
        parts(\%knob), file_part(\%knob);
    $body .= $knob{end} // "--$knob{boundary}--\r\n";
    $body = $knob{edit}->($body) if $knob{edit};

    my @headers = ([Host => $knob{host}], pairs($knob{headers}));
    my $type = exists $knob{content_type} ? $knob{content_type}
        : "multipart/form-data; boundary=$knob{boundary}";
    push @headers, ['Content-Type' => $type] if defined $type;
    my $length = exists $knob{content_length} ? $knob{content_length}
        : length $body;
    push @headers, ['Content-Length' => $length] if defined $length;
    push @headers, [Connection => $knob{connection}];

    return join '', "$knob{method} $knob{target} HTTP/1.1\r\n",
        map({ "$_->[0]: $_->[1]\r\n" } @headers), "\r\n", $body;
}


sub parts {
    my ($knob) = @_;

    my @fields = ((defined $knob->{key} ? [key => $knob->{key}] : ()),
        pairs($knob->{fields}));
    my $time = $knob->{time} // time;
    my $day = $knob->{day} // substr amz_date($time), 0, 8;
    my $scope = "$day/$knob->{region}/s3/aws4_request";
    push @fields, ['x-amz-algorithm' => 'AWS4-HMAC-SHA256'],
        ['x-amz-credential' => "$knob->{access_key}/$scope"],
        ['x-amz-date' => amz_date($time)] if $knob->{version} == 4;

    my $policy = $knob->{policy}
        // encode_base64($knob->{document} // document($knob, @fields), '');
    push @fields, pairs($knob->{loose});
    push @fields, [policy => $policy] if $knob->{version};
    push @fields, ['x-amz-signature' => hmac_sha256_hex($policy,
        Chorus::Sign::signing_key($knob->{secret}, split m{/}, $scope))]
        if $knob->{version} == 4;
    push @fields, [AWSAccessKeyId => $knob->{access_key}],
        [signature => encode_base64(hmac_sha1($policy, $knob->{secret}), '')]
        if $knob->{version} == 2;

    @fields = Chorus::Sign::replace($knob->{set}, @fields);
    @fields = $knob->{order}->(@fields) if $knob->{order};

    return map { $_->[2]
        // "Content-Disposition: form-data; name=\"$_->[0]\"\r\n\r\n$_->[1]"
    } @fields;
}


sub document {
    my ($knob, @fields) = @_;

    my $expiration = $knob->{expiration} // strftime('%Y-%m-%dT%H:%M:%S.000Z',
        gmtime time + $knob->{expires});

    return $Json->encode({ expiration => $expiration,
        conditions => $knob->{only} // [{ bucket => $knob->{bucket} },
            map({ { $_->[0] => "$_->[1]" } } @fields),
            @{ $knob->{conditions} || [] }] });
}


sub file_part {
    my ($knob) = @_;

    return unless defined $knob->{file};

    my $disposition = $knob->{disposition} // 'form-data; name="file"'
        . (defined $knob->{filename} ? "; filename=\"$knob->{filename}\"" : '');
    my $type = defined $knob->{file_type}
        ? "Content-Type: $knob->{file_type}\r\n" : '';

    return "Content-Disposition: $disposition\r\n$type\r\n$knob->{file}";
}


sub pairs {
    return Chorus::Sign::pairs(@{ $_[0] || [] });
}


# ---- what a storage received ----

sub form_of {
    my ($body, $type) = @_;

    my ($boundary) = $type =~ m{^multipart/form-data; boundary="?([^"]+)"?$}
        or return { error => "type $type" };
    my ($first, @parts) = split /(?:^|\r\n)--\Q$boundary\E/, $body, -1;
    my %form = (fields => {}, names => []);
    $form{error} = 'text before the first boundary' if length $first;
    return { %form, error => 'no end' } unless @parts && pop(@parts) =~ /^--/;

    for my $part (@parts) {
        my ($head, $value) = $part =~ /^\r\n(.*?)\r\n\r\n(.*)/s
            or return { %form, error => 'a part without an empty line' };
        my ($name) = $head =~ /^Content-Disposition: form-data; name="([^"]*)"/m
            or return { %form, error => "a part without a name: $head" };
        push @{ $form{names} }, $name;
        $form{error} = "two fields $name" if exists $form{fields}{lc $name};
        $form{fields}{lc $name} = $value;
        last if $name eq 'file';
    }

    my ($part) = grep { /^\r\nContent-Disposition: form-data; name="file"/ }
        @parts;
    ($form{filename}) = $part =~ /^.*; filename="([^"]*)"/m if $part;
    ($form{file_type}) = $part =~ /^Content-Type: (.*?)\r$/m if $part;
    $form{file} = delete $form{fields}{file};

    return \%form;
}


sub is_signed_for {
    my ($form, $bucket, $storage, $user, $region) = @_;

    my %field = %{ $form->{fields} || {} };
    my $policy = delete $field{policy} // return 'no policy';
    my $signature = delete $field{'x-amz-signature'} // return 'no signature';
    my ($access_key, $day, @scope) = split m{/}, $field{'x-amz-credential'};

    return "access key $access_key" if $access_key ne uc "$storage-$user";
    return "scope @scope" if "@scope" ne "$region s3 aws4_request";
    return "day $day" if index($field{'x-amz-date'}, $day) != 0;
    return 'the signature' if $signature ne hmac_sha256_hex($policy,
        Chorus::Sign::signing_key("$storage-$user-secret", $day, @scope));

    my $document = eval { $Json->decode(decode_base64($policy)) }
        or return "not JSON: $@";
    return 'the expiration' if $document->{expiration} le strftime(
        '%Y-%m-%dT%H:%M:%S', gmtime);

    my %value = map { ref $_ eq 'HASH' ? (lc((keys %$_)[0]), values %$_) : () }
        @{ $document->{conditions} };
    return 'the bucket' if delete $value{bucket} ne $bucket;
    for (sort keys %field) {
        return "no condition for $_" unless exists $value{$_};
        return "another value of $_" if delete $value{$_} ne $field{$_};
    }
    return 'more conditions than fields' if %value;

    return '';
}

1;
