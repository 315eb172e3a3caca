package Chorus::CA;

# A certificate authority of the test's own, made with openssl in the test's
# folder.
#
#     my $ca = Chorus::CA->new;
#     my $pair = $ca->issue('s3', dns => ['s3.example.com',
#         '*.s3.example.com']);
#     ssl_certificate $pair->{cert}; ssl_certificate_key $pair->{key};
#     curl --cacert $ca->{cert}
#
# The keys are P-256: an RSA key takes seconds now and then.

use strict;
use warnings;

use POSIX qw(strftime);

use Chorus::Fixture;

my $serial = 0;


# name: of the files, and of the authority itself.
sub new {
    my ($class, $name) = @_;

    $name //= 'ca';
    my $self = bless { files("$name-ca"), name => $name }, $class;
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        -days => 30, -subj => "/CN=Chorus test $name",
        -keyout => $self->{key}, -out => $self->{cert});

    return $self;
}


# OpenSSL 3.4 refuses a negative -days, and is the first that takes two dates.
sub validity {
    my ($days) = @_;

    return (-days => $days) if $days >= 0
        || `openssl x509 -help 2>&1` !~ /-not_before/;

    my ($from, $to) = map { strftime('%Y%m%d%H%M%SZ', gmtime(time + $_)) }
        ($days - 7) * 86400, $days * 86400;

    return (-not_before => $from, -not_after => $to);
}


# A pair of files, {cert, key}.  dns, ip: lists of what it is good for; days:
# how long, negative for one that has expired; client: 1 for one that is shown
# to a server.
sub issue {
    my ($self, $name, %for) = @_;

    my %file = files($name);
    my $extensions = "$Folder/$name.ext";
    my @names = ((map { "DNS:$_" } @{ $for{dns} || [] }),
        (map { "IP:$_" } @{ $for{ip} || [] }));

    write_file($extensions, "basicConstraints = CA:FALSE\n"
        . 'extendedKeyUsage = '
        . ($for{client} ? 'clientAuth' : 'serverAuth') . "\n"
        . (@names ? 'subjectAltName = ' . join(',', @names) . "\n" : ''));
    openssl(qw(req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        -subj => "/CN=$name", -keyout => $file{key},
        -out => "$Folder/$name.csr");
    openssl(qw(x509 -req), -in => "$Folder/$name.csr",
        -CA => $self->{cert}, -CAkey => $self->{key},
        -set_serial => ++$serial, validity($for{days} // 7),
        -extfile => $extensions, -out => $file{cert});

    return \%file;
}


# One that nobody vouches for.
sub self_signed {
    my ($class, $name, @dns) = @_;

    my %file = files($name);
    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes),
        -days => 7, -subj => "/CN=$name",
        -addext => 'subjectAltName = ' . join(',', map { "DNS:$_" } @dns),
        -keyout => $file{key}, -out => $file{cert});

    return \%file;
}


sub files {
    my ($name) = @_;

    return (cert => "$Folder/$name.pem", key => "$Folder/$name.key");
}


sub openssl {
    my $log = "$Folder/openssl.log";

    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        exec 'openssl', @_ or POSIX::_exit(127);
    }

    local $?;
    waitpid $pid, 0;
    die "openssl @_:\n", read_file($log) if $?;
}

1;
